"""By how much a metric may be worse by chance, and the smallest change that would be noticed.

A rerun is evaluated on the baseline's images, so the images do not vary: only seeds do. The
difference of the two means is judged as everywhere (`analysis.statistics.difference`), one-sided,
with the error rate divided by the number of comparisons (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from mnist_sweep.metrics import Format, Metric
from mnist_sweep.records.table import RunsTable

# The chance with which the smallest noticeable change is noticed.
POWER = 0.8
_N_DRAWS = 20_000
# Share of a loss by which another processor's rounding may move it.
_ROUNDING = 1e-3
_N_CLASSES = 10  # where their number is not known


def level_of_each(level: float, comparisons: int) -> float:
    """The level of each of several comparisons, so that all together keep `level`."""
    return 1 - (1 - level) / max(comparisons, 1)


def noise_limits(
    before: Sequence[float], after: Sequence[float], resolution: float, level: float
) -> tuple[float, float] | None:
    """How far a mean may be worse by chance (one-sided), and the smallest change that is noticed.

    None if a side has no repeats.
    """
    from scipy.special import stdtrit

    from mnist_sweep.analysis.statistics import difference, of_values

    if min(len(before), len(after)) < 2:
        return None
    found = difference(of_values(before), of_values(after))
    error, df = found.standard_error, found.df
    # Other processors round differently: runs never spread by less than the resolution.
    least = resolution * (1 / len(before) + 1 / len(after)) ** 0.5
    if error <= least or df is None:
        error, df = least, len(before) - 1
    allowed = float(stdtrit(df, level)) * error
    beyond = allowed + float(stdtrit(df, POWER)) * error
    return allowed, max(beyond, _noticeable_errors(len(before), len(after), level) * error)


@lru_cache
def _noticeable_errors(n_before: int, n_after: int, level: float) -> float:
    """How many standard errors, as estimated, a change is that is noticed with chance `POWER`."""
    import numpy as np
    from scipy.special import stdtrit

    # The true error is not known, and the next sweep estimates its own: both are drawn, with the
    # baseline's runs in common. A worse network that varies more is noticed less often.
    rng = np.random.default_rng(0)
    df_before, df_after = n_before - 1, n_after - 1
    before = rng.chisquare(df_before, _N_DRAWS) / df_before
    now, later = rng.chisquare(df_after, (2, _N_DRAWS)) / df_after
    total = 1 / n_before + 1 / n_after
    parts = before / n_before, later / n_after
    df: Any = sum(parts) ** 2 / (parts[0] ** 2 / df_before + parts[1] ** 2 / df_after)
    needed = stdtrit(df, level) * np.sqrt(sum(parts) / total) + rng.standard_normal(_N_DRAWS)
    estimated = np.sqrt((parts[0] + now / n_after) / total)
    return float(np.quantile(needed / estimated, POWER))


def resolution_of(metric: Metric, baseline: RunsTable) -> float:
    """The worth of one image; of a metric that does not count images, a share of its value."""
    column = f"dataset.n_{metric.split}"
    images = baseline[column].iloc[0] if column in baseline else None
    if metric.definition.from_counts is not None and images is not None and images > 0:
        return float(1 / images)
    return _ROUNDING * abs(float(baseline[metric.column].mean()))


def room_of(metric: Metric, value: float, runs: RunsTable) -> float:
    """By how much a value can become worse; a loss, until the network guesses among the classes."""
    if metric.format is Format.NUMBER:
        return math.inf
    if not metric.format.is_share:
        known = runs["dataset.classes"].dropna() if "dataset.classes" in runs else ()
        return max(abs(value), math.log(max(known, default=_N_CLASSES)))
    return value if metric.higher_is_better else 1 - value
