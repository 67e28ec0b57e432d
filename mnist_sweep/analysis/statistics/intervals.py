"""How far a metric can be trusted: intervals from images and, with repeats, from seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnist_sweep.analysis.statistics.bootstrap import Resampled, resample
from mnist_sweep.analysis.statistics.patterns import collapse, runs_of
from mnist_sweep.analysis.statistics.variance import checked_level, uncertainty_of_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Interval:
    """A metric of a configuration with its uncertainty.

    Attributes:
        estimate: Mean of the metric over the repeats.
        low: Lower end.
        high: Upper end.
        level: Confidence level.
        standard_error: Of the estimate.
        spread: Standard deviation over the repeats, None for a single run.
        repeats: How many runs.
        images: How many images.
        covers: "images", or "images and seeds": what would vary were it all done again.
    """

    estimate: float
    low: float
    high: float
    level: float
    standard_error: float
    spread: float | None
    repeats: int
    images: int
    covers: str


def interval(resampled: Resampled, level: float = 0.95) -> Interval:
    """The interval of a configuration's metric.

    With one run it covers the drawing of the images alone and is about that run: how it would do on
    other images of the kind. How another seed would have come out, one run cannot tell. With
    repeats it is about the configuration's mean over seeds and covers images and seeds (see
    `variance`). The interval is symmetric in the metric's logit, which keeps it within 0 and 1 and
    is where few errors are closest to normal.

    `f1_min` is the lowest of several noisy values and so comes out too low on average where
    several classes are equally hard; its interval is about that same plug-in value.

    Args:
        resampled: The metric of the configuration's runs.
        level: Confidence level.
    """
    checked_level(level)
    observed = resampled.observed
    estimate = float(observed.mean())
    uncertainty = uncertainty_of_mean(resampled)
    half = uncertainty.half_width(level)
    if half == 0:
        low, high = _unvaried(estimate, resampled.n_relevant, level)
    elif 0 < estimate < 1:
        logit = math.log(estimate / (1 - estimate))
        reach = half / (estimate * (1 - estimate))
        low, high = _expit(logit - reach), _expit(logit + reach)
    else:
        low, high = max(estimate - half, 0.0), min(estimate + half, 1.0)
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        standard_error=uncertainty.standard_error,
        spread=float(observed.std(ddof=1)) if len(observed) > 1 else None,
        repeats=len(observed),
        images=resampled.n_examples,
        covers=uncertainty.covers,
    )


def metric_intervals(
    predicted: ArrayLike,
    true: ArrayLike,
    configuration: ArrayLike,
    metrics: Sequence[str],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    classes: int = 10,
) -> dict[int, dict[str, Interval]]:
    """Intervals of metrics for each configuration.

    Args:
        predicted: (n_runs, n_examples) integers.
        true: (n_examples,) integers.
        configuration: Which configuration each run repeats, (n_runs,) integers.
        metrics: Names of metrics, as `f1_min` or `f1.8`.
        rng: Where the randomness comes from.
        level: Confidence level.
        replicates: How many bootstrap samples of the images to draw.
        classes: How many classes there are.

    Returns:
        configuration -> metric -> interval.

    Raises:
        DataError: The arrays do not fit together.
        SelectionError: A metric does not exist.
    """
    patterns = collapse(predicted, true, classes)
    groups = runs_of(configuration, patterns.n_runs)
    tables = resample(patterns, metrics, rng, replicates)
    return {
        key: {name: interval(table.rows(rows), level) for name, table in tables.items()}
        for key, rows in groups.items()
    }


def _unvaried(estimate: float, images: int, level: float) -> tuple[float, float]:
    """The exact (Clopper-Pearson) ends where no image ever went wrong, or none ever right."""
    reach = 1 - ((1 - level) / 2) ** (1 / images)
    if estimate == 1:
        return 1 - reach, 1.0
    if estimate == 0:
        return 0.0, reach
    return estimate, estimate


def _expit(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
