"""Where a metric's uncertainty comes from: the images it was measured on, and the seeds.

Runs and images are crossed: every run answers the same images. The spread of a configuration's runs
therefore holds two things, the seeds' own effect and a share of image noise that differs from run
to run (their interaction). The bootstrap over images measures the latter, so it can be taken out
again instead of being counted twice.

With few seeds (2 to 5) resampling them understates their spread by (n - 1) / n and knows nothing of
Student's t. Instead the half-widths of both parts, the images' with a normal quantile and the
seeds' with Student's, are added in quadrature (the approach of Howe, 1974, and Graybill and Wang,
1980, JASA 75:869, to sums of variances). With few repeats only a share of the interaction is
taken out of the seeds' part: taking all of it covers too rarely where seeds matter, taking none
too often where they do not; `tests/benchmarks/statistics_calibration.md` has the simulated
coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from mnist_sweep.results.statistics.bootstrap import Resampled
    from mnist_sweep.results.statistics.patterns import Floats


def interaction_share(freedom: Floats) -> Floats:
    """The share of the interaction taken out of the seeds' part, for degrees of freedom (n,).

    A third with two repeats, half with three, nearly all with many: chosen by simulated coverage.
    """
    return np.asarray(freedom / (freedom + 2))


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

    @property
    def taken_out(self) -> float:
        """The interaction that is not left among the seeds' variance in an interval."""
        return self.interaction * float(interaction_share(np.array(self.repeats - 1.0)))


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
        """Square root of the estimate's variance over all that varies."""
        within = sum(spread.own * spread.weight for spread in self.seeds)
        return math.sqrt(self.images + within)

    def half_width(self, level: float) -> float:
        """Half the width of the interval at the level, on the metric's own scale."""
        from scipy.special import ndtri, stdtrit

        tail = (1 + level) / 2
        z = float(ndtri(tail))
        images_only = z**2 * self.images
        shared = sum(spread.taken_out * spread.weight for spread in self.seeds)
        combined = z**2 * max(self.images - shared, 0.0)
        for spread in self.seeds:
            excess = max(spread.runs - spread.taken_out, 0.0)
            student = float(stdtrit(spread.repeats - 1, tail))
            combined += student**2 * excess * spread.weight
        return math.sqrt(max(images_only, combined))

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
