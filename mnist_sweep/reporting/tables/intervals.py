"""Intervals of configurations' means, from the stored predictions of their runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics import (
    Interval,
    SeedVariances,
    interval,
    resample_predictions,
)
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.metrics import resolve
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import DEFAULT_REPLICATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mnist_sweep.metrics import Metric
    from mnist_sweep.reporting.tables.table import Rows

_SAME = 1e-9


def with_intervals(
    rows: Rows, columns: Iterable[str], level: float, most: int | None = None
) -> Rows:
    """The rows with intervals of those results that predictions give.

    The images are resampled for each configuration by itself, so the cost grows with their number
    only; the variance over seeds is pooled over all rows of the same data.

    Args:
        rows: Configurations.
        columns: Of the runs table; losses, times and settings are ignored.
        level: Confidence level.
        most: Only so many rows get intervals, the first.
    """
    if "dataset.sha256" not in rows.runs:
        return rows  # there is no record
    present = [column for column in columns if column in rows.runs]
    metrics = [*filter(None, map(_from_predictions, present))]
    variances = {metric.column: _variances(rows, metric.column) for metric in metrics}
    firsts = [members[0] for members in rows.members]
    data = rows.runs["dataset.sha256"].iloc[firsts].to_numpy()
    intervals, unknown = [], []
    for place, members in enumerate(rows.members[:most]):
        runs = rows.runs.iloc[members]
        finished = runs[runs["status"] == RunStatus.FINISHED]
        same = (data == data[place]) & (np.arange(len(data)) != place)
        others = {c: SeedVariances(v[same & (df > 0)], df[same & (df > 0)])
                  for c, (v, df) in variances.items()}  # fmt: skip
        found: dict[str, Interval] = {}
        why = ""
        if len(finished) and metrics:
            directories = [*map(Path, finished["directory"])]
            classes = int(finished["dataset.classes"].fillna(0).iloc[0])
            try:
                found = _intervals(directories, metrics, classes, level, others)
            except (DirectoryError, DataError) as error:
                why = str(error)
        for column, one in found.items():
            recorded = float(rows.frame[column].iloc[place])
            if not math.isclose(one.estimate, recorded, abs_tol=_SAME):
                why = (
                    f"The stored predictions give {column} {one.estimate:.6f}, the records "
                    f"{recorded:.6f}: they do not belong together."
                )
        intervals.append({} if why else found)
        unknown.append(why)
    rest = len(rows.members) - len(intervals)
    return replace(rows, intervals=(*intervals, *[{}] * rest), unknown=(*unknown, *[""] * rest))


def _from_predictions(column: str) -> Metric | None:
    """The metric of a column, if predictions give it."""
    try:
        metric = resolve(column, "test")
    except SelectionError:
        return None
    return metric if metric.is_from_counts and metric.column == column else None


def _variances(rows: Rows, column: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row's finished runs; no degrees of freedom where it has no repeats."""
    values = rows.runs[column].where(rows.runs["status"] == RunStatus.FINISHED)
    groups = [values.iloc[members].dropna().to_numpy("float64") for members in rows.members]
    own = [group.var(ddof=1) if len(group) > 1 else 0.0 for group in groups]
    return np.array(own), np.array([len(group) - 1.0 for group in groups])


def _intervals(
    directories: Sequence[Path],
    metrics: Sequence[Metric],
    classes: int,
    level: float,
    others: dict[str, SeedVariances],
) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for split in dict.fromkeys(str(metric.split) for metric in metrics):
        names = [metric.name for metric in metrics if metric.split == split]
        known = read_predicted(directories, split)
        tables = resample_predictions(
            known.predicted, known.true, names,
            np.random.default_rng(0), replicates=DEFAULT_REPLICATES, classes=classes,
        )  # fmt: skip
        for name, table in tables.items():
            column = f"{split}.{name}"
            found[column] = interval(table, level, others=others[column])
    return found
