"""What changed in one configuration that both sides have: metrics, images, times.

Every metric is tested in the one way of `analysis.statistics`. With predictions, images and seeds
vary; without, seeds alone. A single run on each side gives an interval over images, which is about
these two runs, and no p-value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.compare.times import CostChange, cost_changes, values_of
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import Metric, confusion_matrix, resolve
from mnist_sweep.records.predictions import Predicted, read_predicted
from mnist_sweep.settings import DEFAULT_LEVEL, DEFAULT_REPLICATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from mnist_sweep.analysis.compare.matching import Shared
    from mnist_sweep.analysis.compare.side import Side
    from mnist_sweep.analysis.statistics import Resampled

    Tables = dict[str, tuple[Resampled, Resampled]]

BY_CLASS = "f1"
"""The metric that is compared class by class."""
MAX_FLIPS = 1000
"""Flipped images kept by number; their counts are always exact."""


class Evidence(StrEnum):
    """What the changes of a configuration rest on."""

    SAME_IMAGES = "same images"
    OTHER_IMAGES = "other images"
    VALUES = "values"
    """No predictions: the metrics' values alone."""


@dataclass(frozen=True)
class Change:
    """A metric's change from the first side to the second, on the metric's scale.

    Attributes:
        metric: Its name.
        first: Mean over the first side's runs.
        second: Mean over the second side's.
        change: second - first.
        low: Lower end of the change's interval; None if its uncertainty is not known.
        high: Upper end.
        p_value: Of no change, two-sided; None if it cannot be tested.
        p_holm: The same after Holm's correction over the comparison's family.
        better: Whether the change is for the better; None if there is none.
        covers: What the interval covers: "images", "seeds", "images and seeds", or "".
        p_equivalent: Of a change beyond the margin; None if it cannot be tested.
    """

    metric: str
    first: float
    second: float
    change: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    better: bool | None = None
    covers: str = ""
    p_equivalent: float | None = None

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
    """Images that flipped: `lost` is right on the first side alone, `gained` on the second alone.

    `changed` counts all images with another answer, whether right or wrong.
    """

    lost: int
    gained: int
    changed: int
    images: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True, eq=False)
class ConfigurationChange:
    """A configuration that both sides have, and all that changed in it.

    Attributes:
        shared: Its runs on both sides.
        summaries: Changes of the metrics over all classes.
        digits: Changes of each class's F1.
        costs: Changes of times and memory.
        evidence: What the metrics' changes rest on.
        identical: Whether both sides predict the same class for every image, run by run.
        flips: Images that flipped; None unless both sides saw the same ones.
        confusion: Change of the mean confusion matrix, (classes, classes); None likewise.
        reason: Why there are no predictions to compare; empty otherwise.
    """

    shared: Shared
    summaries: tuple[Change, ...]
    digits: tuple[Change, ...]
    costs: tuple[CostChange, ...]
    evidence: Evidence
    identical: bool = False
    flips: Flips | None = None
    confusion: tuple[tuple[float, ...], ...] | None = None
    reason: str = ""

    @property
    def n_runs(self) -> tuple[int, int]:
        """How many runs either side has."""
        return len(self.shared.first), len(self.shared.second)


def configuration_change(
    shared: Shared, metrics: Sequence[Metric], first: Side, rng: np.random.Generator
) -> ConfigurationChange:
    """Measure and test all changes of a configuration; `first` has the split and the margin."""
    split = first.split
    tables: Tables = {}
    digits: list[Metric] = []
    found = ConfigurationChange(shared, (), (), cost_changes(shared), Evidence.VALUES)
    sides = (shared.first, shared.second)
    if split is not None and all(own["dataset.classes"].notna().all() for own in sides):
        classes = int(max(own["dataset.classes"].max() for own in sides))
        digits = [resolve(f"{BY_CLASS}.{k}", split) for k in range(classes)]
        names = [one.name for one in (*metrics, *digits) if one.is_from_counts]
        try:
            one, two = (read_predicted([*map(Path, own["directory"])], split) for own in sides)
            same = one.images == two.images and np.array_equal(one.true, two.true)
            tables = _resampled(one, two, names, classes, rng, same=same)
            found = replace(found, evidence=Evidence.OTHER_IMAGES)
            if same:
                found = replace(
                    found,
                    evidence=Evidence.SAME_IMAGES,
                    identical=np.array_equal(one.predicted, two.predicted),
                    flips=flips(one, two),
                    confusion=_confusion_change(one, two, classes),
                )
        except MnistSweepError as error:  # missing, damaged, or no classes of the record's
            found = replace(found, reason=str(error))
    summaries, of_digits = (
        tuple(c for metric in own if (c := _change(metric, shared, tables, first.margin)))
        for own in (metrics, digits)
    )
    return replace(found, summaries=summaries, digits=of_digits)


def corrected(changes: Iterable[Change]) -> list[Change]:
    """The changes with `p_holm` over those that were tested."""
    from mnist_sweep.analysis.statistics import holm

    members = list(changes)
    adjusted = iter(holm([one.p_value for one in members if one.p_value is not None]))
    return [one if one.p_value is None else replace(one, p_holm=next(adjusted)) for one in members]


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
    return Flips(
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        changed=int((before != after).sum()),
        images=len(true),
        examples=tuple(map(Flip, *columns)),
    )


def _majority(predicted: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The most frequent answer of the runs for each image; of equals the lowest class."""
    votes = np.stack([(predicted == k).sum(axis=0) for k in range(int(predicted.max()) + 1)])
    return np.asarray(votes.argmax(axis=0))


def _confusion_change(
    first: Predicted, second: Predicted, classes: int
) -> tuple[tuple[float, ...], ...]:
    before, after = (
        confusion_matrix(side.true, side.predicted, classes) / len(side.predicted)
        for side in (first, second)
    )
    return tuple(map(tuple, (after - before).tolist()))


def _resampled(
    first: Predicted,
    second: Predicted,
    names: Sequence[str],
    classes: int,
    rng: np.random.Generator,
    *,
    same: bool,
) -> Tables:
    from mnist_sweep.analysis.statistics import resample_predictions

    def tables(predicted: NDArray[np.uint8], true: NDArray[np.uint8]) -> dict[str, Resampled]:
        return resample_predictions(
            predicted, true, names, rng, replicates=DEFAULT_REPLICATES, classes=classes
        )

    if not same:
        # Resampled independently, so their difference varies as two samples of images do.
        one, two = (tables(side.predicted, side.true) for side in (first, second))
        return {name: (one[name], two[name]) for name in names}
    both, cut = np.vstack([first.predicted, second.predicted]), len(first.predicted)
    sides = range(cut), range(cut, len(both))
    found = tables(both, first.true)
    return {name: (found[name].rows(sides[0]), found[name].rows(sides[1])) for name in names}


def _change(metric: Metric, shared: Shared, tables: Tables, margin: float) -> Change | None:
    from mnist_sweep.analysis.statistics import difference, of_values

    sides = tables.get(metric.name)
    if sides is None:
        before, after = (values_of(runs, metric.column) for runs in (shared.first, shared.second))
        if not before or not after:
            return None
        if len(before) == len(after) == 1:
            return change_of_means(metric, before[0], after[0])
        sides = (of_values(before), of_values(after))
    is_share = metric.format.is_share
    found = difference(*sides, level=DEFAULT_LEVEL, margin=margin if is_share else None)
    change = change_of_means(metric, found.first, found.second)
    return replace(
        change,
        low=found.low,
        high=found.high,
        p_value=found.p_value and (found.p_value if change.change else 1.0),
        covers=str(found.covers),
        p_equivalent=found.p_equivalent,
    )
