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

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mnist_sweep.metrics import Metric
    from mnist_sweep.reporting.tables.table import Rows

REPLICATES = 500
"""Of the images: a standard error is then known to 3 percent (1 / sqrt(2 x 500)), enough for a
table, and 50 configurations with 20 repeats each take seconds."""

_SAME = 1e-9


def with_intervals(rows: Rows, columns: Iterable[str], level: float, *, seed: int = 0) -> Rows:
    """The rows with intervals of those results that predictions give.

    The images are resampled for each configuration by itself, so the cost grows with their number
    only; the variance over seeds is pooled over all rows of the same data.

    Args:
        rows: Configurations.
        columns: Of the runs table; losses, times and settings are ignored.
        level: Confidence level.
        seed: Of the statistics' randomness.
    """
    metrics = list(filter(None, map(_from_predictions, columns)))
    intervals, unknown = [], []
    variances = {metric.column: _variances(rows, metric.column) for metric in metrics}
    data = rows.frame.get("dataset.sha256", rows.frame.index.to_series()).to_numpy()

    def beside(place: int) -> dict[str, SeedVariances]:
        same = data == data[place]
        same[place] = False
        return {
            column: SeedVariances(own[same & (df > 0)], df[same & (df > 0)])
            for column, (own, df) in variances.items()
        }

    for place, members in enumerate(rows.members):
        runs = rows.runs.iloc[members]
        directories = [*map(Path, runs["directory"][runs["status"] == RunStatus.FINISHED])]
        found: dict[str, Interval] = {}
        why = ""
        if directories and metrics:
            classes = rows.frame["dataset.classes"].iloc[place]
            try:
                found = _intervals(
                    directories, metrics, int(classes or 0), level, seed, beside(place)
                )
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
    return replace(rows, intervals=tuple(intervals), unknown=tuple(unknown))


def _from_predictions(column: str) -> Metric | None:
    """The metric of a column, if predictions give it."""
    try:
        metric = resolve(column, "test")
    except SelectionError:
        return None
    return metric if metric.is_from_counts and metric.column == column else None


def _variances(rows: Rows, column: str) -> SeedVariances:
    """Of each row's finished runs; no degrees of freedom where it has no repeats."""
    values = rows.runs[column].where(rows.runs["status"] == RunStatus.FINISHED)
    groups = [values.iloc[members].dropna().to_numpy("float64") for members in rows.members]
    own = [group.var(ddof=1) if len(group) > 1 else 0.0 for group in groups]
    return SeedVariances(np.array(own), np.array([len(group) - 1.0 for group in groups]))


def _intervals(
    directories: Sequence[Path],
    metrics: Sequence[Metric],
    classes: int,
    level: float,
    seed: int,
    others: dict[str, SeedVariances],
) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for split in dict.fromkeys(str(metric.split) for metric in metrics):
        names = [metric.name for metric in metrics if metric.split == split]
        known = read_predicted(directories, split)
        tables = resample_predictions(
            known.predicted, known.true, names,
            np.random.default_rng(seed), replicates=REPLICATES, classes=classes,
        )  # fmt: skip
        for name, table in tables.items():
            column = f"{split}.{name}"
            found[column] = interval(table, level, others=others[column])
    return found
