"""By how much a metric may be worse by chance, and the smallest change that would be noticed.

A rerun is evaluated on the baseline's images, so the images do not vary: only seeds do. The
difference of the two means is judged as everywhere (`analysis.statistics.difference`), one-sided,
with the error rate divided by the number of comparisons (Bonferroni).
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from mnist_sweep.analysis.plain_rows import first_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mnist_sweep.metrics import Metric

POWER = 0.8
"""The chance with which the smallest noticeable change is noticed."""
ROUNDING = 1e-3
"""Share of a loss by which another processor's rounding may move it."""


def level_of_each(level: float, comparisons: int) -> float:
    """The level of each of several comparisons, so that all together keep `level`."""
    return 1 - (1 - level) / max(comparisons, 1)


def noise_limits(
    metric: Metric,
    before: Sequence[float],
    after: Sequence[float],
    baseline: pd.DataFrame,
    level: float,
) -> tuple[float, float] | None:
    """How far a metric's mean may be worse by chance, and the smallest noticeable true change.

    Seeds that agree by chance do not make the next ones agree, and other processors round
    differently: the spread is never taken to be below the worth of one image.

    Args:
        metric: The metric.
        before: Of each run of the baseline.
        after: Of each run of the sweep.
        baseline: The baseline's runs, which name the number of images.
        level: One-sided.

    Returns:
        Both on the metric's scale; None if the baseline has no repeats.
    """
    from scipy.special import stdtrit

    from mnist_sweep.analysis.statistics import difference, of_values

    if len(before) < 2:
        return None
    found = difference(of_values(before), of_values(after))
    least = _resolution(metric, baseline, fmean(before)) * (1 / len(before) + 1 / len(after)) ** 0.5
    error, df = found.standard_error, found.df
    if error <= least or df is None:
        error, df = least, len(before) - 1
    allowed = float(stdtrit(df, level)) * error
    return allowed, allowed + float(stdtrit(df, POWER)) * error


def _resolution(metric: Metric, baseline: pd.DataFrame, value: float) -> float:
    """The worth of one image; of a metric that does not count images, a share of its value."""
    images = first_row(baseline).get(f"dataset.n_{metric.split}")
    if metric.definition.from_counts is None or not images:
        return ROUNDING * abs(value)
    return float(1 / images)
