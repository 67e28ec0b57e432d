"""Where a metric's uncertainty comes from: the images it was measured on, and the seeds.

Runs and images are crossed: every run answers the same images. The spread of a configuration's runs
therefore holds two things, the seeds' own effect and a share of image noise that differs from run
to run (their interaction). The bootstrap over images measures the latter, so it can be taken out
again instead of being counted twice.

With few seeds (2 to 5) resampling them understates their spread by (n - 1) / n and knows nothing of
Student's t. Instead let A be the mean's variance over images without the interaction, known from
the bootstrap, and x the variance over runs divided by n, which holds the interaction and is known
from f = n - 1 degrees of freedom only. With the quantiles z of the normal and t of Student's
distribution, half the interval's width is h with

    h^2 = z^2 (A + x) + (t^2 - z^2) x^2 / (x + A z / t),    at least z^2 (A + interaction / n) / 4.

For a difference the x of both sides are added, and the last term of each counts as A what images
contribute beside its own interaction.

Where the runs do not vary (x = 0) it is the normal interval of A, but for the least width; where A
is 0 it is Student's; and in between it is right to order 1 / f: x^2 / (A + x) of the variance calls
for Student's quantile (as in Welch, 1947, Biometrika 34:28). Taken as it is, that covers too rarely
with two repeats, down to 92.7 %, whose x is often small by mere chance. So A counts there by z / t,
which tends to 1 with many repeats. Where all noise is normal, 95 % intervals then cover 94.6 to
97.5 % with two repeats, 94.8 to 96.2 % with three and 94.9 to 95.4 % with five, whatever the shares
of images, interaction and seeds; the tests integrate it. It has a price with two repeats: the same
x beside more image noise calls less for Student's quantile, and the interval may be up to a fifth
narrower than Student's of x alone.
`tests/benchmarks/statistics_calibration.md` has the simulated coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics.bootstrap import Resampled


NARROWEST = 0.5
"""The least width of an interval, by the width that the images alone call for.

Runs that agree by chance do narrow it, or it would be too wide on average. But they never shrink it
to nothing, as where the few wrong images of two runs are as many and not the same."""


@dataclass(frozen=True)
class SeedSpread:
    """The spread over one configuration's repeats.

    Attributes:
        repeats: How many runs; with one, both variances are 0 and stand for "not known".
        runs: Sample variance of the runs' metrics.
        interaction: The part of it that is image noise differing from run to run.
        weight: How much of a run's variance is left in the estimate: 1 / repeats for a mean.
    """

    repeats: int
    runs: float
    interaction: float
    weight: float

    @property
    def own(self) -> float:
        """Estimated variance between seeds on infinitely many images."""
        return max(self.runs - self.interaction, 0.0)


@dataclass(frozen=True)
class Uncertainty:
    """The uncertainty of an estimate: a mean over runs, or a difference of two such means.

    Attributes:
        images: Variance of the estimate over images, from the bootstrap.
        seeds: The spread over repeats of each configuration that takes part, those with one run
            left out.
    """

    images: float
    seeds: tuple[SeedSpread, ...]

    @property
    def covers(self) -> str:
        """What varies: "images", or "images and seeds"."""
        return "images and seeds" if self.seeds else "images"

    @property
    def standard_error(self) -> float:
        """Square root of the estimate's variance over all that varies, A + x."""
        runs = sum((spread.runs - spread.interaction) * spread.weight for spread in self.seeds)
        return math.sqrt(max(self.images + runs, NARROWEST**2 * self.images))

    def half_width(self, level: float) -> float:
        """Half the width of the interval at the level, on the metric's own scale."""
        from scipy.special import ndtri, stdtrit

        tail = (1 + level) / 2
        z = float(ndtri(tail))
        if z <= 0:
            return 0.0
        interactions = [spread.interaction * spread.weight for spread in self.seeds]
        square = z**2 * max(self.images - sum(interactions), 0.0)
        for spread, interaction in zip(self.seeds, interactions, strict=True):
            runs = spread.runs * spread.weight
            if runs > 0:
                # Near a level of 0 rounding can put Student's quantile below the normal one.
                t = max(float(stdtrit(spread.repeats - 1, tail)), z)
                known = max(self.images - interaction, 0.0)
                square += z**2 * runs + (t**2 - z**2) * runs**2 / (runs + known * z / t)
        return max(math.sqrt(square), NARROWEST * z * math.sqrt(self.images))

    def p_value(self, difference: float) -> float:
        """The smallest error level at which the interval around the difference leaves out 0."""
        size = abs(difference)
        if size == 0:
            return 1.0
        # Below 1e-15 a level cannot be told from certainty in double precision.
        certain, unsure = 1 - 1e-15, 0.0
        if self.half_width(certain) < size:
            return 1e-15
        for _ in range(60):
            middle = (certain + unsure) / 2
            if self.half_width(middle) < size:
                unsure = middle
            else:
                certain = middle
        return float(1 - unsure)


def checked_level(level: float) -> float:
    """The confidence level.

    Raises:
        DataError: It does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise DataError(f"A confidence level lies between 0 and 1, as 0.95 does; got {level}.")
    return level


def seed_spread(resampled: Resampled) -> SeedSpread:
    """The spread over the repeats of one configuration, or over paired differences.

    Args:
        resampled: The metric of the configuration's runs.
    """
    repeats = len(resampled.observed)
    if repeats == 1:
        return SeedSpread(1, 0.0, 0.0, 1.0)
    apart = resampled.replicates - resampled.replicates.mean(axis=0)
    interaction = float(apart.var(axis=1).sum()) / (repeats - 1)
    runs = float(resampled.observed.var(ddof=1))
    return SeedSpread(repeats, runs, interaction, 1 / repeats)


def uncertainty_of_mean(resampled: Resampled) -> Uncertainty:
    """Uncertainty of the mean over runs; with one run it covers the images only."""
    spread = seed_spread(resampled)
    images = float(resampled.replicates.mean(axis=0).var(ddof=1))
    return Uncertainty(images, (spread,) if spread.repeats > 1 else ())


def uncertainty_of_difference(first: Resampled, second: Resampled) -> Uncertainty:
    """Uncertainty of the first mean less the second, runs of both being independent.

    The images are the same for both and so paired. A side with a single run borrows the other's
    spread over seeds, at the other's degrees of freedom; with one run each it covers images only.
    """
    difference = first.replicates.mean(axis=0) - second.replicates.mean(axis=0)
    spreads = (seed_spread(first), seed_spread(second))
    known = tuple(spread for spread in spreads if spread.repeats > 1)
    if len(known) == 1:
        known = (replace(known[0], weight=known[0].weight + 1),)
    return Uncertainty(float(np.var(difference, ddof=1)), known)
