"""Intervals of a configuration's means, from the stored predictions of its runs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics import METRICS, Interval, metric_intervals
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.fields import SPLITS
from mnist_sweep.records.predicted import read_predicted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mnist_sweep.reporting.tables.repeats import ConfigurationRow

REPLICATES = 500
"""Of the images: a standard error is then known to 3 percent (1 / sqrt(2 x 500)), enough for a
table, and 50 configurations with 20 repeats each take seconds."""

_SAME = 1e-9


def with_intervals(
    row: ConfigurationRow, names: Iterable[str], level: float, *, seed: int = 0
) -> ConfigurationRow:
    """The row with intervals of those results that are made of predictions.

    Each configuration is taken by itself, so the cost grows with their number only.

    Args:
        row: A configuration with at least one finished run, else it stays as it is.
        names: Names of `results.fields`; those of losses, times and settings are passed over.
        level: Confidence level.
        seed: Of the statistics' randomness.
    """
    wanted = [name for name in names if _is_of_predictions(name)]
    if not row.finished or not wanted:
        return row
    intervals: dict[str, Interval] = {}
    try:
        for split in SPLITS:
            metrics = [name.partition(".")[2] for name in wanted if name.startswith(f"{split}.")]
            if metrics:
                intervals |= _of_split(row, split, metrics, level, seed)
    except (DirectoryError, DataError) as error:
        return replace(row, unknown=str(error))
    for name, one in intervals.items():
        if not math.isclose(one.estimate, row.values[name], abs_tol=_SAME):
            reason = (
                f"The stored predictions give {name} {one.estimate:.6f}, the records "
                f"{row.values[name]:.6f}: they do not belong together."
            )
            return replace(row, unknown=reason)
    return replace(row, intervals=intervals)


def _is_of_predictions(name: str) -> bool:
    split, _, metric = name.partition(".")
    return split in SPLITS and metric.partition(".")[0] in METRICS


def _of_split(
    row: ConfigurationRow, split: str, metrics: list[str], level: float, seed: int
) -> dict[str, Interval]:
    directories = [run.directory for run in row.finished if run.directory]
    answers = read_predicted(directories, split)
    found = metric_intervals(
        answers.predicted,
        answers.true,
        np.zeros(len(directories), dtype=np.intp),
        metrics,
        np.random.default_rng(seed),
        level=level,
        replicates=REPLICATES,
        classes=int(row.values["dataset.classes"]),
    )[0]
    return {f"{split}.{metric}": one for metric, one in found.items()}
