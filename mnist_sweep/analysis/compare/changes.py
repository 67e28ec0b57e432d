"""The change of every metric of one shared configuration, with an interval and a test.

How it is tested depends on what there is. Same images: both sides answer each resampled set of them
(and McNemar's exact test speaks for the accuracy of two single runs). Other images: each side is
resampled on its own. No predictions: Student's t on the repeats' values, or no test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import TYPE_CHECKING, Literal

import numpy as np

from mnist_sweep.analysis.compare.images import Flips, flips
from mnist_sweep.analysis.compare.sides import SUMMARIES
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predicted import Predicted, read_predicted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.matching import Shared
    from mnist_sweep.analysis.compare.sides import ComparedRun
    from mnist_sweep.analysis.statistics.bootstrap import Resampled

Evidence = Literal["same images", "other images", "values"]
LEVEL = 0.95
REPLICATES = 2000


@dataclass(frozen=True)
class Change:
    """A metric's change from the first side to the second.

    Attributes:
        metric: Its name.
        first: Mean over the first side's runs.
        second: Mean over the second side's.
        change: second - first.
        low: Lower end of the change's interval; None where nothing tells its uncertainty.
        high: Upper end.
        p_value: Of no change, two-sided; None where it cannot be tested.
        p_holm: The same after Holm's correction over the comparison's family.
        better: Whether the change is for the better; None if there is none.
        covers: What the interval covers: "images", "images and seeds", "seeds", or "".
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

    def significant(self, level: float = LEVEL) -> bool:
        """Whether it still counts after the correction for many tests."""
        return self.p_holm is not None and self.p_holm <= 1 - level


@dataclass(frozen=True)
class Measured:
    """All changes of one shared configuration.

    Attributes:
        summaries: Of the metrics over all classes.
        digits: Of each class's F1.
        evidence: What the tests rest on.
        identical: Whether both sides predict the same class for every image, run by run.
        flips: Images that flipped; None unless both sides saw the same ones.
        reason: Why predictions could not be compared image by image; empty if they were.
    """

    summaries: tuple[Change, ...]
    digits: tuple[Change, ...]
    evidence: Evidence
    identical: bool
    flips: Flips | None
    reason: str = ""


def measure(shared: Shared, split: str, rng: np.random.Generator) -> Measured:
    """Measure and test all changes of a configuration that both sides hold."""
    first, reason_first = _predicted(shared.first, split)
    second, reason_second = _predicted(shared.second, split)
    reason = reason_first or reason_second
    if first is None or second is None:
        return _measured(shared, {}, "values", reason)
    try:
        return _by_predictions(shared, split, first, second, rng)
    except MnistSweepError as error:  # predictions that are no classes of the record's
        return _measured(shared, {}, "values", str(error))


def _by_predictions(
    shared: Shared, split: str, first: Predicted, second: Predicted, rng: np.random.Generator
) -> Measured:
    if not _same_images(shared, split):
        tested = _unpaired(shared, first, second, rng)
        sizes = f"{len(first.true):,} and {len(second.true):,}"
        return _measured(shared, tested, "other images", f"other {split} images: {sizes} of them")
    flipped = flips(first.predicted, second.predicted, first.true)
    if np.array_equal(first.predicted, second.predicted):
        return _measured(shared, _unchanged(shared), "same images", "", flipped, identical=True)
    return _measured(shared, _paired(shared, first, second, rng), "same images", "", flipped)


def _measured(
    shared: Shared,
    tested: dict[str, Change],
    evidence: Evidence,
    reason: str,
    flipped: Flips | None = None,
    *,
    identical: bool = False,
) -> Measured:
    """All metrics that both sides have; those that predictions do not give by their values."""
    names = [n for n in shared.first[0].values if n in shared.second[0].values]
    found = [tested.get(name) or _by_values(name, shared) for name in names]
    lower = shared.first[0].lower_is_better
    changes = [
        replace(c, better=_is_better(c, lower_is_better=c.metric in lower))
        for c in found
        if c is not None
    ]
    digits = tuple(c for c in changes if c.metric.startswith("f1."))
    summaries = tuple(c for c in changes if not c.metric.startswith("f1."))
    return Measured(summaries, digits, evidence, identical, flipped, reason)


def _is_better(change: Change, *, lower_is_better: bool) -> bool | None:
    if change.change == 0:
        return None
    return (change.change < 0) == lower_is_better


def _predicted(runs: Sequence[ComparedRun], split: str) -> tuple[Predicted | None, str]:
    directories = [run.directory for run in runs if run.directory is not None]
    if len(directories) < len(runs):
        return None, "the runs keep none that can be read."
    try:
        return read_predicted(directories, split), ""
    except MnistSweepError as error:
        return None, str(error)


def _same_images(shared: Shared, split: str) -> bool:
    from mnist_sweep.records.predictions import read_split

    sides = (shared.first[0].directory, shared.second[0].directory)
    first, second = (read_split(RunPaths(d).predictions, split) for d in sides if d is not None)
    return first.images == second.images and np.array_equal(first.true, second.true)


def _paired(
    shared: Shared, first: Predicted, second: Predicted, rng: np.random.Generator
) -> dict[str, Change]:
    from mnist_sweep.analysis.statistics import mcnemar
    from mnist_sweep.analysis.statistics.bootstrap import resample
    from mnist_sweep.analysis.statistics.patterns import collapse

    names, classes = _names(shared)
    patterns = collapse(np.vstack([first.predicted, second.predicted]), first.true, classes)
    tables = resample(patterns, names, rng, REPLICATES)
    cut, end = len(first.predicted), patterns.n_runs
    paired_seeds = shared.paired and cut > 1
    changes = {
        name: _change(
            name, table.rows(range(cut)), table.rows(range(cut, end)), paired_seeds=paired_seeds
        )
        for name, table in tables.items()
    }
    if cut == end - cut == 1:
        exact = mcnemar(first.predicted, second.predicted, first.true, classes).p_value
        changes["accuracy"] = replace(changes["accuracy"], p_value=exact)
    return changes


def _unpaired(
    shared: Shared, first: Predicted, second: Predicted, rng: np.random.Generator
) -> dict[str, Change]:
    from mnist_sweep.analysis.statistics.bootstrap import resample
    from mnist_sweep.analysis.statistics.patterns import collapse

    names, classes = _names(shared)
    tables = [
        resample(collapse(side.predicted, side.true, classes), names, rng, REPLICATES)
        for side in (first, second)
    ]
    # Resampled independently, so their difference varies as two samples of images do.
    return {
        name: _change(name, tables[0][name], tables[1][name], paired_seeds=False) for name in names
    }


def _change(name: str, first: Resampled, second: Resampled, *, paired_seeds: bool) -> Change:
    from mnist_sweep.analysis.statistics import difference

    found = difference(first, second, paired_seeds=paired_seeds, level=LEVEL)
    return Change(
        name, found.first, found.second, found.estimate, found.low, found.high,
        p_value=found.p_value, covers=found.covers,
    )  # fmt: skip


def _unchanged(shared: Shared) -> dict[str, Change]:
    names, _ = _names(shared)
    values = {name: _mean(shared.first, name) for name in names}
    return {
        name: Change(name, value, value, 0.0, 0.0, 0.0, 1.0, covers="images")
        for name, value in values.items()
        if value is not None
    }


def _names(shared: Shared) -> tuple[list[str], int]:
    """The metrics that predictions give, and the number of classes."""
    runs = (*shared.first, *shared.second)
    classes = max(len(run.confusion) if run.confusion else 1 for run in runs)
    return [*SUMMARIES, *(f"f1.{k}" for k in range(classes))], classes


def _mean(runs: Sequence[ComparedRun], name: str) -> float | None:
    values = [run.values.get(name) for run in runs]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _by_values(name: str, shared: Shared) -> Change | None:
    """A change judged by the repeats' values alone (Student's t, Welch's for unpaired runs)."""
    first, second = (
        [v for run in runs if (v := run.values.get(name)) is not None]
        for runs in (shared.first, shared.second)
    )
    if not first or not second:
        return None
    change = fmean(second) - fmean(first)
    plain = Change(name, fmean(first), fmean(second), change)
    if shared.paired and len(first) == len(second) == len(shared.first) > 1:
        apart = [b - a for a, b in zip(first, second, strict=True)]
        return _without_spread(with_t(plain, variance(apart) / len(apart), len(apart) - 1.0))
    parts = [(variance(v) / len(v), len(v) - 1) for v in (first, second) if len(v) > 1]
    if len(parts) < 2:
        return plain
    total = sum(part for part, _ in parts)
    # Welch, 1947, Biometrika 34:28.
    spread = sum(part**2 / freedom for part, freedom in parts)
    return _without_spread(with_t(plain, total, total**2 / spread if spread > 0 else 1.0))


def _without_spread(change: Change) -> Change:
    """Repeats that all change alike, as those of a program that ignores its seed: p tends to 0."""
    return replace(change, p_value=0.0) if change.p_value is None else change


def with_t(change: Change, squared_error: float, freedom: float) -> Change:
    """The change with Student's interval and p-value, given its squared standard error."""
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(squared_error)
    half = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p_value: float | None
    if error > 0:
        p_value = 2 * float(stdtr(freedom, -abs(change.change) / error))
    else:
        # Without any spread there is no scale to measure a change by.
        p_value = 1.0 if change.change == 0 else None
    return replace(
        change, low=change.change - half, high=change.change + half, p_value=p_value, covers="seeds"
    )
