"""What changed in one configuration that both sides have: metrics, images, times.

With predictions, images and seeds vary; without, seeds alone. A single run on each side gives an
interval over images, which is about these two runs, and no p-value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.compare.match import Shared
from mnist_sweep.analysis.compare.sides import Side
from mnist_sweep.analysis.statistics import Resampled, difference, of_values, resample_predictions
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import Metric, confusion_matrix, resolve
from mnist_sweep.records.predictions import Predicted, read_predicted
from mnist_sweep.records.table import RunsTable
from mnist_sweep.settings import DEFAULT_LEVEL, DEFAULT_REPLICATES

_Tables = dict[str, tuple[Resampled, Resampled]]

# The metric that is compared class by class.
BY_CLASS = "f1"
# Flipped images kept by number; their counts are always exact.
MAX_FLIPS = 1000
COSTS = ("time.train_s", "time.epoch_s", "time.total_s", "environment.peak_memory_mb")


class Evidence(StrEnum):
    """What the changes of a configuration rest on."""

    SAME_IMAGES = "same images"
    OTHER_IMAGES = "other images"
    VALUES = "values"  # no predictions


@dataclass(frozen=True)
class Change:
    """A metric's change, second side less first, on the metric's own scale."""

    metric: str
    first: float  # the mean over its runs
    second: float
    change: float
    low: float | None = None  # of the change's interval; None if its uncertainty is not known
    high: float | None = None
    p_value: float | None = None  # of no change, two-sided; None if it cannot be tested
    p_holm: float | None = None  # corrected over all changes of the comparison
    better: bool | None = None  # None if there is no change
    covers: str = ""  # what the interval covers: "images", "seeds", "images and seeds"
    p_equivalent: float | None = None  # of a change beyond the margin

    @property
    def significant(self) -> bool:
        """Whether it still counts after the correction for many tests."""
        return self.p_holm is not None and self.p_holm <= 1 - DEFAULT_LEVEL

    @property
    def equivalent(self) -> bool:
        """Whether it is shown to be smaller than the margin."""
        return self.p_equivalent is not None and self.p_equivalent <= 1 - DEFAULT_LEVEL


@dataclass(frozen=True)
class Flip:
    """An image that only one side has right; repeats answer with their most frequent class."""

    image: int
    true: int
    first: int
    second: int


@dataclass(frozen=True)
class Flips:
    """Images that flipped from one side to the other."""

    lost: int  # right on the first side alone
    gained: int  # right on the second side alone
    changed: int  # with another answer, whether right or wrong
    images: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True)
class CostChange:
    """A time (seconds) or memory (MB): the median over either side's runs, and their ratio."""

    name: str
    first: float
    second: float

    @property
    def ratio(self) -> float | None:
        """The second over the first; None if the first is 0."""
        return self.second / self.first if self.first > 0 else None


@dataclass(frozen=True, eq=False)
class ConfigurationChange:
    """A configuration that both sides have, and all that changed in it."""

    shared: Shared
    summaries: tuple[Change, ...]  # of the metrics over all classes
    digits: tuple[Change, ...]  # of each class's F1
    costs: tuple[CostChange, ...]
    evidence: Evidence
    identical: bool = False  # the same class for every image, run by run
    flips: Flips | None = None  # None unless both sides saw the same images
    # Change of the mean confusion matrix, (classes, classes); None likewise.
    confusion: tuple[tuple[float, ...], ...] | None = None
    reason: str = ""  # why there are no predictions to compare

    @property
    def n_runs(self) -> tuple[int, int]:
        """How many runs either side has."""
        return len(self.shared.first), len(self.shared.second)


def configuration_change(
    shared: Shared, metrics: Sequence[Metric], first: Side, rng: np.random.Generator
) -> ConfigurationChange:
    """Measure and test all changes of a configuration; `first` has the split and the margin."""
    split, sides = first.split, (shared.first, shared.second)
    tables: _Tables = {}
    digits: list[Metric] = []
    costs = tuple(
        CostChange(name.partition(".")[2], median(before), median(after))
        for name in COSTS
        if (before := _values(shared.first, name)) and (after := _values(shared.second, name))
    )
    found = ConfigurationChange(shared, (), (), costs, Evidence.VALUES)
    if split is not None and all(own["dataset.classes"].notna().all() for own in sides):
        classes = int(max(own["dataset.classes"].max() for own in sides))
        digits = [resolve(f"{BY_CLASS}.{k}", split) for k in range(classes)]
        names = [one.name for one in (*metrics, *digits) if one.is_from_counts]
        try:
            one, two = (read_predicted([*map(Path, own["directory"])], split) for own in sides)
            same = one.images == two.images and np.array_equal(one.true, two.true)
            resampled = partial(
                resample_predictions,
                metrics=names, rng=rng, replicates=DEFAULT_REPLICATES, classes=classes,
            )  # fmt: skip
            if same:
                n, end = len(one.predicted), len(one.predicted) + len(two.predicted)
                both = resampled(np.vstack([one.predicted, two.predicted]), one.true)
                tables = {
                    name: (own.rows(range(n)), own.rows(range(n, end)))
                    for name, own in both.items()
                }
                was, now = (
                    confusion_matrix(side.true, side.predicted, classes) / len(side.predicted)
                    for side in (one, two)
                )
                found = replace(
                    found, evidence=Evidence.SAME_IMAGES, flips=flips(one, two),
                    identical=np.array_equal(one.predicted, two.predicted),
                    confusion=tuple(map(tuple, (now - was).tolist())),
                )  # fmt: skip
            else:
                # Resampled independently: their difference varies as two samples of images do.
                table, other = (resampled(side.predicted, side.true) for side in (one, two))
                tables = {name: (table[name], other[name]) for name in names}
                found = replace(found, evidence=Evidence.OTHER_IMAGES)
        except MnistSweepError as error:  # missing, damaged, or no classes of the record's
            found = replace(found, reason=str(error))
    summaries, of_digits = (
        tuple(c for metric in own if (c := _change(metric, shared, tables, first.margin)))
        for own in (metrics, digits)
    )
    return replace(found, summaries=summaries, digits=of_digits)


def change_of_means(metric: Metric, first: float, second: float) -> Change:
    """A change without a test."""
    if math.isclose(first, second, rel_tol=1e-12):  # but for the means' rounding
        return Change(metric.name, first, second, 0.0)
    better = (second > first) == metric.higher_is_better
    return Change(metric.name, first, second, second - first, better=better)


def flips(first: Predicted, second: Predicted) -> Flips:
    """Images that flipped from one side to the other; both sides saw the same ones."""
    before, after, true = _majority(first.predicted), _majority(second.predicted), first.true
    lost = (before == true) & (after != true)
    gained = (before != true) & (after == true)
    order = np.flatnonzero(lost | gained)[:MAX_FLIPS]
    columns = (one.tolist() for one in (order, true[order], before[order], after[order]))
    n_lost, n_gained, n_changed = (int(one.sum()) for one in (lost, gained, before != after))
    return Flips(n_lost, n_gained, n_changed, len(true), tuple(map(Flip, *columns)))


def _majority(predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The most frequent answer of the runs for each image; of equals the lowest class."""
    votes = np.stack([(predicted == k).sum(axis=0) for k in range(int(predicted.max()) + 1)])
    return np.asarray(votes.argmax(axis=0))


def _change(metric: Metric, shared: Shared, tables: _Tables, margin: float) -> Change | None:
    sides = tables.get(metric.name)
    if sides is None:
        before, after = (_values(runs, metric.column) for runs in (shared.first, shared.second))
        if not before or not after:
            return None
        if len(before) == len(after) == 1:
            return change_of_means(metric, before[0], after[0])
        sides = (of_values(before), of_values(after))
    found = difference(*sides, margin=margin if metric.format.is_share else None)
    change = change_of_means(metric, found.first, found.second)
    return replace(
        change, low=found.low, high=found.high, p_equivalent=found.p_equivalent,
        p_value=found.p_value and (found.p_value if change.change else 1.0),
        covers=str(found.covers),
    )  # fmt: skip


def _values(runs: RunsTable, column: str) -> list[float]:
    return runs[column].dropna().astype("float64").tolist() if column in runs else []
