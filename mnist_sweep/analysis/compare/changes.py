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

from mnist_sweep.analysis.compare.images import Flips, confusion_change, flips
from mnist_sweep.analysis.compare.times import CostChange, cost_changes
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.records.predictions import Predicted, read_predicted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from mnist_sweep.analysis.compare.matching import Shared
    from mnist_sweep.analysis.statistics.bootstrap import Resampled

    Tables = dict[str, tuple[Resampled, Resampled]]

LEVEL = 0.95
REPLICATES = 2000
BY_CLASS = "f1"
"""The metric that is compared class by class."""


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

    @property
    def significant(self) -> bool:
        """Whether it still counts after the correction for many tests."""
        return self.p_holm is not None and self.p_holm <= 1 - LEVEL


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
    shared: Shared, metrics: Sequence[Metric], split: str | None, rng: np.random.Generator
) -> ConfigurationChange:
    """Measure and test all changes of a configuration.

    Args:
        shared: Its runs on both sides.
        metrics: Those that both sides have.
        split: Of the predictions; None if there are none.
        rng: Of the bootstrap over images.
    """
    tables: Tables = {}
    found = ConfigurationChange(shared, (), (), cost_changes(shared), Evidence.VALUES)
    classes = 0
    if split is not None:
        classes = int(
            max(shared.first["dataset.classes"].max(), shared.second["dataset.classes"].max())
        )
        try:
            found, tables = _by_images(found, metrics, split, classes, rng)
        except MnistSweepError as error:  # missing, damaged, or no classes of the record's
            found = replace(found, reason=str(error))
    digits = [resolve(f"{BY_CLASS}.{k}", split) for k in range(classes)] if split else []
    return replace(
        found,
        summaries=_changes(metrics, shared, tables),
        digits=_changes(digits, shared, tables),
    )


def change_of(
    metric: Metric, first: Resampled, second: Resampled, *, paired: bool = False
) -> Change:
    """One metric's change with its interval and test; `paired` compares row by row."""
    from mnist_sweep.analysis.statistics import difference

    found = difference(first, second, paired_seeds=paired, level=LEVEL)
    change = Change(
        metric.name, found.first, found.second, found.estimate, found.low, found.high,
        p_value=found.p_value, covers=str(found.covers),
    )  # fmt: skip
    if math.isclose(found.first, found.second, rel_tol=1e-12):  # but for the means' rounding
        change = replace(change, change=0.0, p_value=found.p_value and 1.0)
    return _with_direction(change, metric)


def corrected(changes: Iterable[Change]) -> list[Change]:
    """The changes with `p_holm` over those that were tested."""
    from mnist_sweep.analysis.statistics import holm

    members = list(changes)
    adjusted = iter(holm([one.p_value for one in members if one.p_value is not None]))
    return [one if one.p_value is None else replace(one, p_holm=next(adjusted)) for one in members]


def _by_images(
    found: ConfigurationChange,
    metrics: Sequence[Metric],
    split: str,
    classes: int,
    rng: np.random.Generator,
) -> tuple[ConfigurationChange, Tables]:
    from mnist_sweep.analysis.statistics.bootstrap import resample
    from mnist_sweep.analysis.statistics.patterns import collapse

    first, second = (_predicted(runs, split) for runs in (found.shared.first, found.shared.second))
    names = [metric.name for metric in metrics if metric.definition.from_counts is not None]
    names += [f"{BY_CLASS}.{k}" for k in range(classes)]
    if first.images != second.images or not np.array_equal(first.true, second.true):
        # Resampled independently, so their difference varies as two samples of images do.
        one, two = (
            resample(collapse(side.predicted, side.true, classes), names, rng, REPLICATES)
            for side in (first, second)
        )
        return replace(found, evidence=Evidence.OTHER_IMAGES), {n: (one[n], two[n]) for n in names}
    patterns = collapse(np.vstack([first.predicted, second.predicted]), first.true, classes)
    tables = resample(patterns, names, rng, REPLICATES)
    cut = len(first.predicted)
    found = replace(
        found,
        evidence=Evidence.SAME_IMAGES,
        identical=np.array_equal(first.predicted, second.predicted),
        flips=flips(first, second),
        confusion=confusion_change(first, second, classes),
    )
    rows = (range(cut), range(cut, patterns.n_runs))
    return found, {name: (tables[name].rows(rows[0]), tables[name].rows(rows[1])) for name in names}


def _predicted(runs: pd.DataFrame, split: str) -> Predicted:
    return read_predicted([Path(directory) for directory in runs["directory"]], split)


def _changes(metrics: Sequence[Metric], shared: Shared, tables: Tables) -> tuple[Change, ...]:
    from mnist_sweep.analysis.statistics import of_values

    found = []
    for metric in metrics:
        before, after = _values(shared.first, metric), _values(shared.second, metric)
        if metric.name in tables:
            sides = tables[metric.name]
        elif not before or not after:
            continue
        elif len(before) == len(after) == 1:
            change = Change(metric.name, before[0], after[0], after[0] - before[0])
            found.append(_with_direction(change, metric))
            continue
        else:
            sides = (of_values(before), of_values(after))
        found.append(change_of(metric, *sides))
    return tuple(found)


def _values(runs: pd.DataFrame, metric: Metric) -> list[float]:
    return [float(value) for value in runs[metric.column].dropna()] if metric.column in runs else []


def _with_direction(change: Change, metric: Metric) -> Change:
    better = None if change.change == 0 else (change.change > 0) == metric.higher_is_better
    return replace(change, better=better)
