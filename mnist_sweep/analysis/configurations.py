"""Finished runs grouped into configurations, for tables, figures, reports and selections."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.varying import (
    SEED,
    SWEEP,
    in_order,
    missing,
    settings_of,
    shown_settings,
    varying,
)
from mnist_sweep.metrics import Metric
from mnist_sweep.records.paths import RunPaths, without_seed
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus

if TYPE_CHECKING:
    import pandas as pd

    from mnist_sweep.analysis.statistics import SeedVariances


@dataclass(frozen=True)
class Configuration:
    """One configuration of one sweep with its finished runs, in order of seed."""

    configuration_id: str
    sweep: str  # the name of its directory
    # What its network and options use, by dotted name, with the name and the hash of the data and
    # the sweep; None is null.
    settings: Mapping[str, Any]
    varying: tuple[str, ...]  # in which it and those beside it differ
    key: str  # for file names: letters, digits, `=`, `,`, `.`, `-`; different for every one
    frame: pd.DataFrame = field(repr=False, compare=False)  # its runs' rows of the runs table
    name: str = ""  # what people call it; set by `reporting.phrases.names.with_names`

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


def configurations(runs: pd.DataFrame) -> list[Configuration]:
    """All configurations with a finished run (of `all_runs`), in the order of the tables."""
    finished = runs[runs["status"] == RunStatus.FINISHED]
    if finished.empty:
        return []
    names = varying(finished)
    ordered = in_order(finished, shown_settings(finished, names))
    settings = settings_of(ordered)
    keys: dict[str, int] = {}
    made = []
    for places in groups(ordered):
        frame = ordered.iloc[places]
        first = frame.iloc[0]
        label = re.sub(r"[^A-Za-z0-9=,.]", "-", without_seed(str(first["label"]))).strip(".-")
        key = f"{label[:80]}-{str(first['configuration_id'])[:12]}".strip("-")
        keys[key] = keys.get(key, 0) + 1
        key += f"-{keys[key]}" if keys[key] > 1 else ""
        own, sweep = str(first["configuration_id"]), str(first[SWEEP])
        made.append(Configuration(own, sweep, settings[places[0]], tuple(names), key, frame))
    return made


def groups(runs: pd.DataFrame) -> list[list[int]]:
    """Positions of the runs of each configuration of each directory, in order of their first."""
    names = (SWEEP, "directory", "configuration_id", "label", "run_id")
    columns = (runs.get(name, missing(runs)).tolist() for name in names)
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
    # A run without a record belongs to the configuration whose runs share its label without the
    # seed; where none or several do, it stands alone.
    for place, labelled, run_id in unknown:
        keys = by_label.get(labelled, {labelled})
        key = next(iter(keys)) if len(keys) == 1 else (*labelled, run_id)
        found.setdefault(key, []).append(place)
    return list(found.values())


def seed_variances(
    runs: pd.DataFrame, column: str, data_sha256: str, without: Collection[str] = ()
) -> SeedVariances:
    """How a column varies over the repeats of each configuration on these data; not `without`."""
    import numpy as np

    from mnist_sweep.analysis.statistics import SeedVariances

    known = runs.reindex(columns=["status", "run_id", "dataset.sha256", "configuration_id", column])
    known = known[
        (known["status"] == RunStatus.FINISHED)
        & (known["dataset.sha256"] == data_sha256)
        & ~known["run_id"].isin(list(without))
    ]
    found = known[column].astype("float64").groupby(known["configuration_id"]).agg(["var", "count"])
    found = found[found["count"] > 1]
    return SeedVariances(found["var"].to_numpy(), found["count"].to_numpy(np.float64) - 1)


def has_repeats(shown: Sequence[Configuration]) -> bool:
    """Whether any configuration has more than one run."""
    return any(len(configuration.frame) > 1 for configuration in shown)


def ranked(shown: Sequence[Configuration], by: Metric) -> list[int]:
    """Places of the configurations from best to worst; those without a value come last."""
    import pandas as pd

    means = pd.Series([one.mean(by.column) for one in shown], dtype="float64")
    return means.sort_values(ascending=not by.higher_is_better, kind="stable").index.tolist()


def extremes(shown: Sequence[Configuration], count: int, by: Metric) -> list[Configuration]:
    """At most `count` configurations: all, or the best and the worst half by a metric, in order."""
    if len(shown) <= count:
        return list(shown)
    order = [place for place in ranked(shown, by) if shown[place].mean(by.column) is not None]
    kept = {*order[: count // 2], *order[len(order) - (count - count // 2) :]}
    return [one for place, one in enumerate(shown) if place in kept]


def varying_settings(shown: Sequence[Configuration]) -> list[str]:
    """Names of the settings in which some configurations differ, without seed and sweep."""
    names = dict.fromkeys(name for one in shown for name in one.varying)
    return [
        name
        for name in names
        if name not in (SEED, SWEEP) and len({repr(one.settings.get(name)) for one in shown}) > 1
    ]
