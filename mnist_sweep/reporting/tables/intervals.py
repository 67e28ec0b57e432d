"""Intervals of configurations' means, from the stored predictions of their runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.analysis.statistics import (
    Covers,
    Interval,
    SeedVariances,
    interval,
    resample_predictions,
)
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.records.computed import Computed
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.records.table import plain
from mnist_sweep.reporting.tables.table import Rows
from mnist_sweep.settings import DEFAULT_REPLICATES

_SAME = 1e-9


def with_intervals(
    rows: Rows,
    columns: Iterable[str],
    level: float,
    most: int | None = None,
    sweep: Sweep | None = None,
) -> Rows:
    """The first `most` rows with intervals of the columns that predictions give."""
    # The sweep, if all rows are of one, keeps the intervals for the next command.
    # The images are resampled for each configuration by itself, so the cost grows with their number
    # only; the variance over seeds is pooled over all rows of the same data.
    if "dataset.sha256" not in rows.runs:
        return rows  # there is no record
    present = [column for column in columns if column in rows.runs]
    metrics = [*filter(None, map(_from_predictions, present))]
    # As lists: pandas needs a millisecond to take a few rows of a wide table.
    status, directory, classes, data = (
        plain(rows.runs[name])
        for name in ("status", "directory", "dataset.classes", "dataset.sha256")
    )
    finished = [[k for k in own if status[k] == RunStatus.FINISHED] for own in rows.members]
    values = {one.column: plain(rows.runs[one.column]) for one in metrics}
    recorded = {name: plain(rows.frame[name]) for name in values}
    data = [data[members[0]] for members in rows.members]
    groups = finished[:most]
    known = Computed(
        sweep,
        [level, DEFAULT_REPLICATES, groups, finished, values, recorded, data, classes],
        [Path(directory[k]) for own in groups for k in own],
    )
    if known.answer is not None:
        found = [({c: _kept(one) for c, one in own.items()}, "") for own in known.answer]
    else:
        variances = {column: _variances(own, finished) for column, own in values.items()}
        found = []
        for place, own in enumerate(groups):
            beside = np.array([one == data[place] for one in data])
            beside[place] = False
            others = {
                column: SeedVariances(of_rows[beside & (df > 0)], df[beside & (df > 0)])
                for column, (of_rows, df) in variances.items()
            }
            paths = [Path(directory[k]) for k in own]
            expected = {column: own_values[place] for column, own_values in recorded.items()}
            n_classes = int(classes[own[0]] or 0) if own else 0
            found.append(_of_row(paths, metrics, n_classes, level, others, expected))
        if not any(why for _, why in found):
            known.keep([{c: asdict(one) for c, one in own.items()} for own, _ in found])
    found += [({}, "")] * (len(finished) - len(groups))
    return replace(
        rows, intervals=tuple(own for own, _ in found), unknown=tuple(why for _, why in found)
    )


def _kept(one: dict[str, Any]) -> Interval:
    return Interval(**{**one, "covers": Covers(one["covers"])})


def _from_predictions(column: str) -> Metric | None:
    """The metric of a column, if predictions give it."""
    with suppress(SelectionError):
        metric = resolve(column, "test")
        return metric if metric.is_from_counts and metric.column == column else None
    return None


def _variances(values: Sequence[float | None], rows: Sequence[Sequence[int]]) -> SeedVariances:
    """Of each row's finished runs; no degrees of freedom where it has no repeats."""
    groups = [[v for k in own if (v := values[k]) is not None] for own in rows]
    own = [float(np.var(group, ddof=1)) if len(group) > 1 else 0.0 for group in groups]
    return SeedVariances(np.array(own), np.array([len(group) - 1.0 for group in groups]))


def _of_row(
    directories: Sequence[Path],
    metrics: Sequence[Metric],
    classes: int,
    level: float,
    others: dict[str, SeedVariances],
    recorded: dict[str, float | None],
) -> tuple[dict[str, Interval], str]:
    """The intervals of a configuration by column, or why there are none."""
    found: dict[str, Interval] = {}
    if not directories:
        return found, ""
    try:
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
    except (DirectoryError, DataError) as error:
        return {}, str(error)
    for column, one in found.items():
        # Records lack a metric that was added after they were written.
        value = math.nan if (was := recorded[column]) is None else was
        if not math.isclose(one.estimate, value, abs_tol=_SAME):
            return {}, (
                f"The stored predictions give {column} {one.estimate:.6f}, the records "
                f"{value:.6f}: they do not belong together."
            )
    return found, ""
