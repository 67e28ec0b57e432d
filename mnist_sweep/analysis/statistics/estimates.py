"""`interval` of a configuration's metric, and `difference` between two; model in `variance`.

Rows of the same table, or of tables from the same call of `resample_predictions`, share their
images, so their difference is paired by image. Tables from two calls have independent images.
Without predictions use `of_values`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mnist_sweep.analysis.statistics.bootstrap import Resampled
from mnist_sweep.analysis.statistics.variance import Covers, SeedVariances, checked_level, means_of
from mnist_sweep.settings import DEFAULT_LEVEL


@dataclass(frozen=True)
class Interval:
    """A metric of a configuration with its uncertainty; all on the metric's own scale."""

    estimate: float  # mean over the runs
    low: float  # the interval is centered on the estimate less its bias
    high: float
    level: float
    standard_error: float
    std: float | None  # standard deviation over the runs, None for a single run
    repeats: int
    images: int  # 0 if images do not vary
    covers: Covers  # with one run the images alone: the interval says nothing of other seeds


@dataclass(frozen=True)
class Difference:
    """A metric's difference, second side less first; all on the metric's own scale."""

    metric: str
    first: float  # mean over its runs
    second: float
    estimate: float  # second - first
    low: float  # the interval is centered on the estimate less its bias
    high: float
    level: float
    standard_error: float
    df: float | None  # degrees of freedom of the standard error; None if it is known (normal)
    # Of no difference, two-sided; below 1 - level where the interval leaves out 0. None with a
    # single run on each side: these runs differ, configurations may not.
    p_value: float | None
    p_holm: float | None  # corrected by Holm's method over its family
    margin: float | None  # the largest difference that counts as none
    # Of a difference beyond the margin, by two one-sided tests (Schuirmann, 1987), corrected
    # likewise; None with single runs or without a margin.
    p_equivalent: float | None
    covers: Covers

    @property
    def differs(self) -> bool:
        """Whether the sides differ at the level, corrected over the family."""
        return self.p_holm is not None and self.p_holm <= 1 - self.level

    @property
    def equivalent(self) -> bool:
        """Whether the sides are shown to differ by less than the margin."""
        return self.p_equivalent is not None and self.p_equivalent <= 1 - self.level


def of_values(values: Sequence[float]) -> Resampled:
    """A metric's values, (n_runs,), of runs whose predictions are not known.

    Their images are taken as fixed. Intervals and differences then rest on the repeats alone:
    Student's t, Welch's for a difference, the paired t for paired seeds.
    """
    observed = np.asarray(values, dtype=np.float64)
    return Resampled(observed, np.repeat(observed[:, None], 2, axis=1), 0, 0)


def interval(
    table: Resampled, level: float = DEFAULT_LEVEL, *, others: SeedVariances | None = None
) -> Interval:
    """The interval of a configuration's metric.

    With one run it covers the images alone and is about that run. With repeats it is about the
    mean over seeds, whose variance is pooled with that of `others`, the configurations beside it.

    Raises:
        DataError: A level outside 0 to 1, or a single run without predictions.
    """
    from scipy.special import expit, logit

    repeats = len(table.observed)
    means = means_of(table, [np.arange(repeats)], others if repeats > 1 else None)
    found, center = means.uncertainty(), float(means.centers[0])
    half = float(found.half_width(checked_level(level))[0])
    low, high = center - half, center + half
    if table.n_examples > 0 and table.replicates.min() >= 0 and table.replicates.max() <= 1:
        # Symmetric in the logit, which keeps it between 0 and 1 and is where few errors are closest
        # to normal.
        if half == 0:
            # Clopper and Pearson's exact ends where no image was wrong, or none right.
            reach = 1 - ((1 - level) / 2) ** (1 / table.n_relevant)
            low, high = center - reach * (center == 1), center + reach * (center == 0)
        elif 0 < center < 1:
            reach = half / (center * (1 - center))
            low, high = expit(logit(center) - reach), expit(logit(center) + reach)
        low, high = max(float(low), 0.0), min(float(high), 1.0)
    return Interval(
        estimate=float(means.values[0]),
        low=low,
        high=high,
        level=level,
        standard_error=float(max(found.error[0], found.image_error[0])),
        std=float(table.observed.std(ddof=1)) if repeats > 1 else None,
        repeats=repeats,
        images=table.n_examples,
        covers=means.covers,
    )


def difference(
    first: Resampled,
    second: Resampled,
    *,
    paired_seeds: bool = False,
    level: float = DEFAULT_LEVEL,
    margin: float | None = None,
    others: SeedVariances | None = None,
) -> Difference:
    """The difference between two configurations, second less first.

    Where row i of both sides shares its seed (`paired_seeds`), it is taken seed by seed; else the
    variance over seeds is pooled with that of `others`, further configurations. `margin` is the
    largest difference that counts as none, to test equivalence. Give both sides by `of_values`, or
    neither.

    Raises:
        DataError: A level outside 0 to 1, or single runs without predictions.
    """
    sides = len(first.observed), len(second.observed)
    rows = np.arange(sum(sides))
    images = min(first.n_examples, second.n_examples)
    if paired_seeds:
        apart = Resampled(
            second.observed - first.observed, second.replicates - first.replicates, images, 0
        )
        means = means_of(apart, [rows[: sides[0]]])
        center, found = means.centers, means.uncertainty()
    else:
        observed = np.concatenate([first.observed, second.observed])
        replicates = np.concatenate([first.replicates, second.replicates])
        joined = Resampled(observed, replicates, images, 0)
        groups = [rows[: sides[0]], rows[sides[0] :]]
        means = means_of(joined, groups, others if max(sides) > 1 else None)
        center, found = means.centers - means.centers[0], means.uncertainty(0)
    half = found.half_width(checked_level(level))[-1]
    p_value = p_equivalent = None
    if means.covers is not Covers.IMAGES:
        p_value = float(found.p_value(center)[-1])
        if margin is not None:
            p_equivalent = float(found.p_equivalent(center, margin)[-1])
    before, after = float(first.observed.mean()), float(second.observed.mean())
    # Metrics that counts give are shares of one.
    bound = 1.0 if first.n_examples else math.inf
    return Difference(
        metric=first.metric,
        first=before,
        second=after,
        estimate=after - before,
        low=max(float(center[-1] - half), -bound),
        high=min(float(center[-1] + half), bound),
        level=level,
        standard_error=float(found.error[-1]),
        df=None if math.isinf(found.df[-1]) else float(found.df[-1]),
        p_value=p_value,
        p_holm=p_value,
        margin=margin,
        p_equivalent=p_equivalent,
        covers=means.covers,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family (Holm, 1979): those below a level keep its error below it."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    adjusted = np.empty_like(raw)
    steps = raw[order] * np.arange(len(raw), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def corrected(family: Sequence[Difference], questions: int = 1) -> tuple[Difference, ...]:
    """The differences with p-values corrected over all that have one (Holm).

    `questions` is how many such families are answered together (Bonferroni).
    """

    def over_all(p_values: Sequence[float | None]) -> list[float | None]:
        adjusted = iter(holm([p for p in p_values if p is not None]))
        return [None if p is None else min(next(adjusted) * questions, 1.0) for p in p_values]

    different = over_all([one.p_value for one in family])
    equivalent = over_all([one.p_equivalent for one in family])
    return tuple(
        replace(one, p_holm=p, p_equivalent=q)
        for one, p, q in zip(family, different, equivalent, strict=True)
    )
