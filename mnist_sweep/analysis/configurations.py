"""Which settings vary between runs, and finished runs grouped into configurations.

Tables, figures, reports and selections all ask here. Everything works on the runs table
(`records.sweep.all_runs`). A setting counts only where the run uses it: `layers` where the network
has layers, `momentum` with an optimizer that knows it. `model.depth` is compared only among runs of
the same network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.statistics import SeedVariances
from mnist_sweep.records.paths import RunPaths, without_seed
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import MLP_KEYS, MLP_TARGET, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import pandas as pd

    from mnist_sweep.metrics import Metric
    from mnist_sweep.records.record import Record

SWEEP, SEED, MODEL, TARGET = "sweep", "seed", "model", "model._target_"
DATA = ("dataset.name", "dataset.sha256")
SIZE = ("layers", "nodes")
"""What the built-in network is named by, and shows in tables, even where it does not vary."""

_OF_THE_NETWORK = (f"{MODEL}.", "code.")
"""Compared among runs of the same network only; runs of edited code differ in its hash."""
_NO_SETTINGS = (
    "dataset.", "train.", "validation.", "test.", "time.", "training.", "history.", "environment.",
    "error.",
)  # fmt: skip
_NEVER_SETTINGS = (
    "run_id", "configuration_id", "label", "status", "parameters", "epochs_trained", "directory",
    "repeats", "reason", SWEEP, TARGET,
)  # fmt: skip
_UNKNOWN = (RunStatus.MISSING, RunStatus.UNREADABLE)
"""Of these only the settings in the name are known: a missing value means nothing."""


@dataclass(frozen=True)
class Configuration:
    """One configuration of one sweep with its finished runs, in order of seed.

    Attributes:
        configuration_id: Its id.
        sweep: The name of its sweep's directory.
        settings: The settings that its network and options use, by dotted name, with the name and
            the hash of the data and the sweep; None is null.
        varying: The settings in which it and those beside it differ, see `varying`.
        key: Letters, digits, `=`, `,`, `.`, `-`; different for every configuration: for file names.
        frame: Its runs' rows of the runs table.
        name: What people call it; set by `reporting.phrases.names.with_names`.
    """

    configuration_id: str
    sweep: str
    settings: Mapping[str, Any]
    varying: tuple[str, ...]
    key: str
    frame: pd.DataFrame = field(repr=False, compare=False)
    name: str = ""

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Its runs."""
        return tuple(self.frame["run_id"])

    @property
    def directories(self) -> tuple[Path, ...]:
        """Where the runs' files are."""
        return tuple(map(Path, self.frame["directory"]))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The runs' seeds."""
        return tuple(int(seed) for seed in self.frame[SEED].dropna())

    @property
    def data(self) -> tuple[str, str | None]:
        """The name of the data, and what must be said of them."""
        notice = self.frame["dataset.notice"].iloc[0]
        return str(self.frame["dataset.name"].iloc[0]), notice if isinstance(notice, str) else None

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The runs' whole records, read from their files."""
        return tuple(read_record(RunPaths(directory).record) for directory in self.directories)

    def values(self, column: str) -> list[float]:
        """A metric of each run that has it."""
        from pandas import isna

        # Asked for each of thousands: pandas' own dropna takes ten times as long for one value.
        found = self.frame[column].tolist() if column in self else []
        return [float(value) for value in found if not isna(value)]

    def mean(self, column: str) -> float | None:
        """The mean of a metric over the runs that have it, or None."""
        values = self.values(column)
        return fmean(values) if values else None

    def __contains__(self, column: str) -> bool:
        return column in self.frame.columns


def is_setting(column: str) -> bool:
    """Whether a column of the runs table is of a setting that can change a result.

    Beside the schema's settings these are the network's own, and whatever a task declares.
    """
    if column in SETTINGS:
        return SETTINGS[column].affects_result
    return not column.startswith(_NO_SETTINGS) and column not in _NEVER_SETTINGS


def varying(runs: pd.DataFrame) -> list[str]:
    """Names of the settings in which runs differ, in the order of tables.

    The sweep's directory first, then data, the network's name, its size, others, the seed last.
    """
    names = [name for name in runs.columns if is_setting(name) and not _repeats(name, runs)]
    found = [name for name in names if _varies(name, runs)]
    data = [name for name in DATA if name in runs and _differs(runs[name].dropna())][:1]
    first = [SWEEP] if SWEEP in runs and _differs(runs[SWEEP]) else []
    network = [name for name in (MODEL, *SIZE) if name in found]
    last = [name for name in found if name == SEED]
    others = [name for name in found if name not in (*network, *last)]
    return [*first, *data, *network, *others, *last]


def shown_settings(runs: pd.DataFrame) -> list[str]:
    """The settings that a table shows: those that vary, and the size of networks that have one."""
    names = varying(runs)
    place = sum(name in (SWEEP, *DATA, MODEL) for name in names)
    size = [name for name in SIZE if name in runs and used(name, runs).notna().any()]
    return [*names[:place], *size, *(name for name in names[place:] if name not in SIZE)]


def used(name: str, runs: pd.DataFrame) -> pd.Series[Any]:
    """A setting of each run, missing where its network or its options do not use it."""
    if name not in runs:
        return _missing(runs)
    values = runs[name]
    own = f"{MODEL}.{name}"
    if name == MODEL:
        # The name of a planned run leaves the built-in network out.
        is_left_out = values.isna() & bool(values.notna().any()) & _is_built_in(runs)
        return values.mask(is_left_out, MLP_TARGET.rpartition(".")[2])
    if name in MLP_KEYS:
        # The network's own value is what it was built with; a run without a record has only ours.
        known = values.where(_is_built_in(runs))
        return runs[own].combine_first(known) if own in runs else known
    applies = _applies(name, runs)
    return values if applies is None else values.where(applies)


def is_known(name: str, runs: pd.DataFrame) -> pd.Series[bool]:
    """Where a run uses a setting: a missing value is null there."""
    has_value = used(name, runs).notna()
    has_record = ~runs["status"].isin(_UNKNOWN)
    if name in MLP_KEYS:
        return has_value
    applies = _applies(name, runs)
    if applies is not None:
        has_record &= applies
    if name.startswith(_OF_THE_NETWORK) and TARGET in runs:
        # Null, and not another network's setting, where a run of the same network has it.
        has_record &= runs[TARGET].isin(runs.loc[has_value, TARGET].dropna())
    return has_value | has_record


def in_order(runs: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The runs by some columns: null first, then numbers, then text; equal ones stay in place."""
    import numpy as np

    ranks = [_ranks(used(name, runs)) for name in names]
    # NumPy sorts by the last key first, and keeps the order of what is equal.
    return runs.iloc[np.lexsort(ranks[::-1])] if ranks else runs


def configurations(runs: pd.DataFrame) -> list[Configuration]:
    """All configurations with a finished run, in the order of the tables.

    Args:
        runs: The runs table of one or several sweeps (`records.sweep.all_runs`).
    """
    finished = runs[runs["status"] == RunStatus.FINISHED]
    if finished.empty:
        return []
    names = tuple(varying(finished))
    ordered = in_order(finished, shown_settings(finished))
    settings = settings_of(ordered)
    keys: dict[str, int] = {}
    made = []
    for places in groups(ordered):
        frame = ordered.iloc[places]
        key = _distinct(_key(frame.iloc[0]), keys)
        made.append(
            Configuration(
                configuration_id=str(frame["configuration_id"].iloc[0]),
                sweep=str(frame[SWEEP].iloc[0]),
                settings=settings[places[0]],
                varying=names,
                key=key,
                frame=frame,
            )
        )
    return made


def groups(runs: pd.DataFrame) -> list[list[int]]:
    """Positions of the runs of each configuration of each directory, in order of their first.

    A run without a record belongs to the configuration whose runs share its label without the seed;
    where none or several do, it stands alone.
    """
    names = (SWEEP, "directory", "configuration_id", "label", "run_id")
    columns = ((runs[name] if name in runs else _missing(runs)).tolist() for name in names)
    found: dict[Any, list[int]] = {}
    by_label: dict[Any, set[Any]] = {}
    unknown = []
    for place, (sweep, directory, own, label, run_id) in enumerate(zip(*columns, strict=True)):
        origin = (sweep, os.path.dirname(str(directory)))  # noqa: PTH120  # 100,000 Paths are slow
        if isinstance(own, str) and own:
            key: tuple[Any, ...] = (*origin, own)
            found.setdefault(key, []).append(place)
            by_label.setdefault((*origin, without_seed(str(label))), set()).add(key)
        else:
            unknown.append((place, (*origin, without_seed(str(label))), run_id))
    for place, labelled, run_id in unknown:
        keys = by_label.get(labelled, {labelled})
        key = next(iter(keys)) if len(keys) == 1 else (*labelled, run_id)
        found.setdefault(key, []).append(place)
    return list(found.values())


def seed_variances(
    runs: pd.DataFrame, column: str, data_sha256: str, without: Collection[str] = ()
) -> SeedVariances:
    """By how much a metric varies over the repeats of each configuration.

    Args:
        runs: The runs table.
        column: The metric's.
        data_sha256: Of the data; runs on others do not count.
        without: Ids of runs that do not count.
    """
    import numpy as np

    columns = ["status", "run_id", "dataset.sha256", "configuration_id", column]
    known = runs.reindex(columns=columns)
    known = known[
        (known["status"] == RunStatus.FINISHED)
        & (known["dataset.sha256"] == data_sha256)
        & ~known["run_id"].isin(list(without))
    ]
    groups = known[column].astype("float64").groupby(known["configuration_id"])
    df = groups.count() - 1
    parts = (groups.var()[df > 0], df[df > 0])
    return SeedVariances(*(np.asarray(one, dtype=np.float64) for one in parts))


def settings_of(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each run the settings that it uses, with data and sweep; None is null."""
    names = [name for name in runs.columns if is_setting(name) and not _repeats(name, runs)]
    names += [name for name in (TARGET, *DATA, SWEEP) if name in runs]
    columns = {
        name: [None if missing else value for value, missing in zip(one, one.isna(), strict=True)]
        for name, one in ((name, used(name, runs).astype(object)) for name in names)
    }
    known = {name: list(is_known(name, runs)) for name in names}
    return [
        {name: columns[name][place] for name in names if known[name][place]}
        for place in range(len(runs))
    ]


def has_repeats(shown: Sequence[Configuration]) -> bool:
    """Whether any configuration has more than one run."""
    return any(len(configuration.frame) > 1 for configuration in shown)


def extremes(shown: Sequence[Configuration], count: int, by: Metric) -> list[Configuration]:
    """At most `count` configurations: all, or the best and the worst half by a metric, in order."""
    if len(shown) <= count:
        return list(shown)
    means = {id(one): one.mean(by.column) for one in shown}
    ranked = [one for one in shown if means[id(one)] is not None]
    ranked.sort(key=lambda one: means[id(one)] or 0.0)
    kept = ranked[: count // 2] + ranked[len(ranked) - (count - count // 2) :]
    chosen = {id(one) for one in kept}
    return [one for one in shown if id(one) in chosen]


def varying_settings(shown: Sequence[Configuration]) -> list[str]:
    """Names of the settings in which some configurations differ, without seed and sweep."""
    names = dict.fromkeys(name for one in shown for name in one.varying)
    return [
        name
        for name in names
        if name not in (SEED, SWEEP) and len({repr(one.settings.get(name)) for one in shown}) > 1
    ]


def _repeats(name: str, runs: pd.DataFrame) -> bool:
    """Whether `model.layers` stands in the table as `layers`."""
    own = name.removeprefix(f"{MODEL}.")
    return own != name and own in MLP_KEYS and own in runs


def _varies(name: str, runs: pd.DataFrame) -> bool:
    if name not in MLP_KEYS and not _differs(runs[name]):
        return False  # most settings: no need to know which runs use them
    values = used(name, runs)[is_known(name, runs)]
    if not name.startswith(_OF_THE_NETWORK) or TARGET not in runs:
        return _differs(values)
    targets = runs.loc[values.index, TARGET].fillna("").astype(str)
    return any(_differs(group) for _, group in values.groupby(targets))


def _is_built_in(runs: pd.DataFrame) -> pd.Series[bool]:
    target, model = (runs[name] if name in runs else _missing(runs) for name in (TARGET, MODEL))
    return (target == MLP_TARGET).fillna(False).astype(bool) | (
        target.isna() & (model.isna() | (model == MLP_TARGET.rpartition(".")[2]).fillna(False))
    )


def _missing(runs: pd.DataFrame) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(index=runs.index, dtype=object)


def _applies(name: str, runs: pd.DataFrame) -> pd.Series[bool] | None:
    """Where a setting's condition (`momentum` only with sgd, …) holds; None if it has none."""
    rule = SETTINGS[name].only_if if name in SETTINGS else None
    if rule is None or rule.key not in runs:
        return None
    values = runs[rule.key]
    holds = values.isin(rule.values) if rule.above is None else values > rule.above
    return holds.fillna(False).astype(bool)


def _differs(values: pd.Series[Any]) -> bool:
    if values.dtype != object:
        return len(values.unique()) > 1
    first: str | None = None
    for value in values.where(values.notna(), None).tolist():
        text = "null" if value is None else _identity(value)
        if first is not None and text != first:
            return True
        first = text
    return False


def _identity(value: Any) -> str:
    """Text that is equal for equal settings: 1 and 1.0 are, True and 1 are not."""
    return repr(float(value) if type(value) is int else value)


def _ranks(values: pd.Series[Any]) -> Any:
    """Numbers that order any plain values: null, then numbers, then text."""
    if values.dtype.kind in "biuf":
        return values.astype("float64").fillna(float("-inf")).to_numpy()
    plain = values.astype(object).where(values.notna(), None).tolist()
    hashable = [str(value) if isinstance(value, (list, dict)) else value for value in plain]
    orders = {value: order_key(value) for value in set(hashable)}
    ranks = {order: rank for rank, order in enumerate(sorted(set(orders.values())))}
    return [ranks[orders[value]] for value in hashable]


def order_key(value: Any) -> tuple[int, float, str]:
    """A key that sorts any plain values: null first, then numbers, then text."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (bool, int, float)):
        return (1, float(value), "")
    return (2, 0.0, str(value))


def _key(row: pd.Series[Any]) -> str:
    label = without_seed(str(row.get("label")))
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "=,.") else "-" for c in label)
    return f"{safe.strip('.-')[:80]}-{str(row.get('configuration_id'))[:12]}".strip("-")


def _distinct(key: str, known: dict[str, int]) -> str:
    known[key] = known.get(key, 0) + 1
    return key if known[key] == 1 else f"{key}-{known[key]}"
