"""Which settings vary between runs, on the runs table (`records.sweep.all_runs`).

A setting counts only where the run uses it: `layers` where the network has layers, `momentum` with
an optimizer that knows it. `model.depth` is compared only among runs of the same network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.table import plain
from mnist_sweep.settings import MLP_KEYS, MLP_TARGET, SETTINGS, TASK_KEYS

if TYPE_CHECKING:
    import pandas as pd

SWEEP, SEED, MODEL, TARGET = "sweep", "seed", "model", "model._target_"
TASK, TASK_TARGET = "task", "task._target_"
DATA = ("dataset.name", "dataset.sha256")
# What the built-in network is named by, and shows in tables, even where it does not vary.
SIZE = ("layers", "nodes")

# Compared among runs of the same network or task only; those of edited code differ in its hash.
_OF_THE_NETWORK = (f"{MODEL}.", f"{TASK}.", "code.")
_NO_SETTINGS = (
    "dataset.", "train.", "validation.", "test.", "time.", "training.", "history.", "environment.",
    "error.",
)  # fmt: skip
_NEVER_SETTINGS = (
    "run_id", "configuration_id", "label", "status", "parameters", "epochs_trained", "directory",
    "repeats", "reason", SWEEP, TARGET, TASK_TARGET,
)  # fmt: skip
# Of these only the settings in the name are known: a missing value means nothing.
_UNKNOWN = (RunStatus.MISSING, RunStatus.UNREADABLE)


def is_setting(column: str) -> bool:
    """Whether a column of the runs table is of a setting that can change a result."""
    if column in SETTINGS:
        return SETTINGS[column].affects_result
    # The others are the network's own settings, and whatever a task declares.
    return not column.startswith(_NO_SETTINGS) and column not in _NEVER_SETTINGS


def varying(runs: pd.DataFrame) -> list[str]:
    """Names of the settings in which runs differ, in the order of tables; the seed comes last."""
    found = [name for name in _settings(runs) if _varies(name, runs)]
    first = [SWEEP] if SWEEP in runs and _differs(runs[SWEEP]) else []
    first += [name for name in DATA if name in runs and _differs(runs[name].dropna())][:1]
    first += [name for name in (TASK, MODEL, *SIZE) if name in found]
    others = [name for name in found if name not in (*first, SEED)]
    return [*first, *others, *([SEED] if SEED in found else [])]


def shown_settings(runs: pd.DataFrame, names: list[str] | None = None) -> list[str]:
    """The settings that a table shows: those that vary (`names`), and the size of networks."""
    names = varying(runs) if names is None else names
    place = sum(name in (SWEEP, *DATA, TASK, MODEL) for name in names)
    size = [name for name in SIZE if name in runs and used(name, runs).notna().any()]
    return [*names[:place], *size, *(name for name in names[place:] if name not in SIZE)]


def used(name: str, runs: pd.DataFrame) -> pd.Series[Any]:
    """A setting of each run, missing where its network or its options do not use it."""
    if name not in runs:
        return missing(runs)
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
    if (applies := _applies(name, runs)) is not None:
        has_record &= applies
    if name in SETTINGS and name not in TASK_KEYS and TASK_TARGET in runs:
        has_record &= runs[TASK_TARGET].isna()  # a setting of Keras's
    if (targets := _targets(name, runs)) is not None:
        # Null, and not another network's setting, where a run of the same network has it.
        has_record &= targets.isin(targets[has_value].dropna())
    return has_value | has_record


def in_order(runs: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The runs by some columns: null first, then numbers, then text; equal ones stay in place."""
    return runs.iloc[order(runs, names)]


def order(runs: pd.DataFrame, names: Iterable[str]) -> list[int]:
    """The positions of the runs in the order of `in_order`."""
    import numpy as np

    ranks = [_ranks(used(name, runs)) for name in names]
    # NumPy sorts by the last key first, and keeps the order of what is equal.
    return np.lexsort(ranks[::-1]).tolist() if ranks else [*range(len(runs))]


def settings_of(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each run the settings that it uses, with data and sweep; None is null."""
    names = [*_settings(runs)]
    names += [name for name in (TARGET, TASK_TARGET, *DATA, SWEEP) if name in runs]
    found: list[dict[str, Any]] = [{} for _ in range(len(runs))]
    for name in names:
        known = is_known(name, runs)
        for row, value, has in zip(found, plain(used(name, runs)), known, strict=True):
            if has:
                row[name] = value
    return found


def _settings(runs: pd.DataFrame) -> Iterator[str]:
    """The columns of settings, without `model.layers` where the table has it as `layers`."""
    for name in filter(is_setting, runs.columns):
        own = name.removeprefix(f"{MODEL}.")
        if own == name or own not in MLP_KEYS or own not in runs:
            yield name


def _varies(name: str, runs: pd.DataFrame) -> bool:
    if name not in MLP_KEYS and not _differs(runs[name]):
        return False  # most settings: no need to know which runs use them
    values = used(name, runs)[is_known(name, runs)]
    targets = _targets(name, runs)
    if targets is None:
        return _differs(values)
    known = targets[values.index].fillna("").astype(str)
    return any(_differs(group) for _, group in values.groupby(known))


def _targets(name: str, runs: pd.DataFrame) -> pd.Series[Any] | None:
    """What each run calls, its network's builder or its task; None of a setting of all of them."""
    known = [runs[one] for one in (TARGET, TASK_TARGET) if one in runs]
    if not known or not name.startswith(_OF_THE_NETWORK):
        return None
    return known[0].combine_first(known[-1])


def _is_built_in(runs: pd.DataFrame) -> pd.Series[bool]:
    target, model = runs.get(TARGET, missing(runs)), runs.get(MODEL, missing(runs))
    is_mlp = (target == MLP_TARGET).fillna(False).astype(bool)
    if is_mlp.all():
        return is_mlp  # as in most sweeps; asked for every setting, this takes most of the time
    if TASK_TARGET in runs:
        model = model.where(runs[TASK_TARGET].isna(), TASK)
    is_named_so = model.isna() | (model == MLP_TARGET.rpartition(".")[2]).fillna(False)
    return is_mlp | (target.isna() & is_named_so)


def missing(runs: pd.DataFrame) -> pd.Series[Any]:
    """A column without any value."""
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
    # As text, in which 1 and 1.0 are equal, True and 1 are not.
    return len({repr(float(v) if type(v) is int else v) for v in plain(values)}) > 1


def _ranks(values: pd.Series[Any]) -> Any:
    """Numbers in the order of the values' `order_key`."""
    if values.dtype.kind in "biuf":
        return values.astype("float64").fillna(float("-inf")).to_numpy()
    keys = [order_key(value) for value in plain(values)]
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [ranks[key] for key in keys]


def order_key(value: Any) -> tuple[int, float, str]:
    """A key that sorts any plain values: null first, then numbers, then text."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (bool, int, float)):
        return (1, float(value), "")
    return (2, 0.0, str(value))
