"""How far a metric may fall by chance alone, and the smallest drop that would be noticed.

On the same images a rerun differs from the baseline by its seeds. With repeats in the baseline the
seeds' spread is known: a configuration's mean over n new runs falls below that of m baseline runs
by more than t * s * sqrt(1/m + 1/n) with the chance that Student's t is chosen for. Without repeats
the sampling of the test images stands for it, as if each run had been measured on images of its
own. The chance of a false alarm is shared out over all comparisons of a gate (Bonferroni).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import variance
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

POWER = 0.8
"""With this chance a drop of the smallest noticeable size is caught."""
PLANNED = 0.83
"""The chance that the smallest noticeable drop is computed for: a network that is worse errs on
more images and so varies more than its baseline, which costs up to 3 points of `POWER`."""

MARGIN = 1.5
"""The chance of a false alarm is aimed this much lower than the rules say: spreads known from few
repeats, and uneven between configurations, make it up to 1.25 times what was aimed at. Simulated
rates are kept in `tests/benchmarks/gate_calibration.md`."""

_REPLICATES = 1000


def level_of_each(level: float, comparisons: int) -> float:
    """The level of each of several comparisons, so that all together keep `level`."""
    return 1 - (1 - level) / (MARGIN * max(comparisons, 1))


@dataclass(frozen=True)
class Noise:
    """How a metric of one run varies without any change.

    Attributes:
        deviation: Standard deviation of one run.
        freedom: Degrees of freedom it is known with; infinite where it is not from repeats.
        source: What it comes from.
        images: Standard deviation over the drawing of test images.
        own_freedom: Degrees of freedom of the configuration's own repeats.
    """

    deviation: float
    freedom: float
    source: Literal["seeds", "test images"]
    images: float = 0.0
    own_freedom: float = math.inf

    def allowed(self, repeats: tuple[int, int], level: float) -> float:
        """How far the mean may fall by chance at the (one-sided) level."""
        return _quantile(self.freedom, level) * self.deviation * _of_means(repeats)

    def noticeable(self, repeats: tuple[int, int], level: float) -> float:
        """The smallest drop that is caught with chance `POWER`.

        It lies beyond what is allowed by the quantile of Student's t for that chance. Here the
        noise must not be underrated, and what all configurations share may be less than one's own:
        so its own degrees of freedom count, and the deviation is at least that of the images, as a
        worse network errs on more of them.
        """
        deviation = max(self.deviation, self.images)
        beyond = _quantile(self.own_freedom, PLANNED) * deviation * _of_means(repeats)
        return self.allowed(repeats, level) + beyond


def _quantile(freedom: float, level: float) -> float:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(level)) if math.isinf(freedom) else float(stdtrit(freedom, level))


def _of_means(repeats: tuple[int, int]) -> float:
    """The standard error of the difference of two means, for runs of deviation 1."""
    return math.sqrt(1 / repeats[0] + 1 / repeats[1])


def noise_of(
    values: Sequence[Sequence[float]], image_deviations: Sequence[float], finest: float
) -> list[Noise]:
    """The noise of one metric for each configuration of a baseline.

    A configuration's own spread is known from few repeats and may be small by luck, so it is never
    taken to be below the one that all configurations share, nor below the worth of one image.

    Args:
        values: The metric of each configuration's runs.
        image_deviations: Standard deviation of one run over test images, of each configuration.
        finest: What one image is worth.
    """
    freedom = sum(len(own) - 1 for own in values)
    if freedom == 0:
        return [Noise(max(d, finest), math.inf, "test images", d) for d in image_deviations]
    squares = [(len(own) - 1) * variance(own) for own in values if len(own) > 1]
    pooled = math.sqrt(sum(squares) / freedom)
    found = []
    for own, images in zip(values, image_deviations, strict=True):
        # One without repeats borrows the others' spread, but could be the noisier one.
        known = math.sqrt(variance(own)) if len(own) > 1 else images
        deviation = max(known, pooled, finest)
        own_freedom = float(max(len(own) - 1, 1))
        found.append(Noise(deviation, float(freedom), "seeds", images, own_freedom))
    return found


def image_deviation(confusion: Sequence[Sequence[int]], metric: str) -> float:
    """Standard deviation of a metric of one run over the drawing of its test images.

    The images of each class are drawn again from what the run answered for that class; a share of
    an image is added to every answer, so that a run without a mistake still varies.

    Args:
        confusion: (classes, classes) examples by true and predicted class.
        metric: A name of `mnist_sweep.metrics`, such as f1_min or f1.8.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    support = counts.sum(axis=1)
    smoothed = counts + 1 / len(counts)
    shares = smoothed / smoothed.sum(axis=1, keepdims=True)
    if metric == "accuracy":  # a sum of binomials
        right = np.diagonal(shares)
        return math.sqrt(float(np.sum(support * right * (1 - right)))) / float(support.sum())
    rng = np.random.default_rng(0)
    drawn = np.stack(
        [
            rng.multinomial(int(n), share, size=_REPLICATES)
            for n, share in zip(support, shares, strict=True)
        ],
        axis=1,
    ).astype(np.float64)
    return float(metric_of_confusions(drawn, metric).std(ddof=1))


def metric_of_confusions(counts: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """A metric of confusion matrices.

    Args:
        counts: (n, classes, classes) examples by true and predicted class.
        metric: A name of `mnist_sweep.metrics`, such as f1_min or f1.8.

    Returns:
        (n,) float64.
    """
    from mnist_sweep.metrics import resolve

    hits = np.diagonal(counts, axis1=1, axis2=2).copy()
    return resolve(metric).compute(counts.sum(axis=2), counts.sum(axis=1), hits)
