"""The one model behind every interval and test: seeds and images are both samples.

Every run of a configuration is measured on the same images, so seeds are crossed with images: the
multi-reader multi-case design of Obuchowski and Rockette (1995). The variance of a mean over n runs
is A + x: x is the sample variance of the runs over n, A the covariance over images of two different
runs, from the bootstrap. A is known well and x is not: intervals and p-values average over what the
true variance over seeds may be (Tsui and Weerahandi, 1989). For a difference the x of both sides
are added and A is that of the difference, so images that are hard for everyone cancel out.
`docs/statistics-method.md` has the formulas, the rules and their sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.statistics.bootstrap import Floats, Resampled
from mnist_sweep.errors import DataError

# Level of the test by which a configuration's seeds vary more than the others'.
MORE_VARIABLE = 0.05
_MAX_STEPS = 100
_PRECISION = 1e-9


class Covers(StrEnum):
    """What would vary if everything was done again, and so what an interval is about."""

    IMAGES = "images"  # these very runs, on other images of the kind: single runs
    SEEDS = "seeds"  # configurations on these very images: repeats without predictions
    IMAGES_AND_SEEDS = "images and seeds"  # configurations on other images


class SeedVariances(NamedTuple):
    """Variances of a metric over the runs of some configurations, with degrees of freedom, (k,)."""

    variances: Floats
    df: Floats


@dataclass(frozen=True)
class Uncertainty:
    """The uncertainty of k estimates: a known variance of images and an estimated one of seeds."""

    images: Floats  # A, the variance over images with endless repeats, (k,)
    seeds: Floats  # x, the estimated variance over seeds, (k,)
    df: Floats  # of `seeds`; infinite if it is known
    image_error: Floats  # standard errors over images alone, of these very runs

    @property
    def error(self) -> Floats:
        """Standard errors over all that varies, (k,)."""
        return np.sqrt(self.images + self.seeds)

    @property
    def endless_error(self) -> Floats:
        """Standard errors with endless repeats."""
        return np.sqrt(self.images)

    def half_width(self, level: float) -> Floats:
        """Half the width of intervals at the level."""
        from scipy.special import ndtri, stdtrit

        above = (1 - level) / 2
        # Runs that agree by chance do not make images certain.
        least = -ndtri(above) * self.image_error
        # Satterthwaite's degrees of freedom give a first estimate, a little too narrow.
        df = self.df * (1 + ratio(self.images, self.seeds)) ** 2
        half = -stdtrit(df, above) * self.error
        for _ in range(_MAX_STEPS):  # Newton's method; the tail is convex, so it ends from below
            tail, density = self._tail(-half)
            step = np.divide(tail - above, density, out=np.zeros_like(half), where=density > 0)
            half = half + step
            if np.all(np.abs(step) <= _PRECISION * half):
                break
        return np.asarray(np.maximum(half, least))

    def tail(self, apart: Floats) -> Floats:
        """The probability to come out at `apart` or below if the truth is 0."""
        from scipy.special import ndtr

        both = self._tail(apart)[0], ndtr(ratio(apart, self.image_error))
        # Of both the one closer to 1/2, which is the less certain.
        return np.asarray(np.where(apart < 0, np.maximum(*both), np.minimum(*both)))

    def _tail(self, apart: Floats) -> tuple[Floats, Floats]:
        """Generalized p-values (Tsui and Weerahandi, 1989), and their derivative.

        The true variance over seeds is df / chi-squared times the estimated one: Student's t if
        images do not vary, the normal distribution if seeds do not.
        """
        from scipy.special import ndtr

        weights = _quadrature()[1]
        factors = np.stack([_chi_squared_factors(float(df)) for df in self.df])
        errors = np.sqrt(self.images[:, None] + self.seeds[:, None] * factors)
        z = ratio(np.broadcast_to(apart[:, None], errors.shape), errors)
        density = np.divide(np.exp(-(z**2) / 2), errors, out=np.zeros_like(z), where=errors > 0)
        return ndtr(z) @ weights, density @ weights / np.sqrt(2 * np.pi)

    def p_value(self, apart: Floats) -> Floats:
        """Two-sided p-values of no difference; 1 where nothing is apart."""
        return 2 * self.tail(-np.abs(apart))

    def p_equivalent(self, apart: Floats, margin: float) -> Floats:
        """P-values of a truth beyond the margin: the larger of two one-sided tests."""
        return self.tail(np.abs(apart) - margin)


@cache
def _quadrature() -> tuple[Floats, Floats]:
    """Nodes and weights; when first needed, since NumPy starts the threads of BLAS for them."""
    nodes, weights = np.polynomial.legendre.leggauss(128)
    # Quantiles u**4 of the chi-squared distribution: dense near 0, where seeds vary most.
    positions = (nodes + 1) / 2
    return positions**4, 2 * positions**3 * weights


@lru_cache(maxsize=1024)
def _chi_squared_factors(df: float) -> Floats:
    """The ratio df / chi-squared(df) at the nodes of the quadrature; 1 for infinite df."""
    from scipy.special import gammaincinv

    quantiles, _ = _quadrature()
    if np.isinf(df):
        return np.ones_like(quantiles)
    return np.asarray(df / 2 / gammaincinv(df / 2, quantiles))


@dataclass(frozen=True)
class Means:
    """A metric's mean over the runs of each of k configurations, with its variance components."""

    values: Floats  # as observed, (k,)
    # Less their bias by the bootstrap, (k,). It matters for extremes such as `f1_min`; for an
    # accuracy it is 0 but for the bootstrap's own noise.
    centers: Floats
    deviations: Floats  # of the means under resampled images, (k, n_replicates)
    repeats: Floats  # runs of each, (k,) float64
    run_variance: Floats  # over runs, (k,): pooled, or its own where that is clearly larger
    interaction: Floats  # the part of a run's variance that is images x seeds, (k,)
    df: Floats  # of `run_variance`, (k,); infinite if nothing has repeats
    pooled: NDArray[np.bool_]  # which share the pooled variance, (k,)
    n_examples: int  # how many images; 0 if images do not vary

    @property
    def knows_seeds(self) -> bool:
        """Whether any configuration has repeats."""
        return bool(np.isfinite(self.df).any())

    @property
    def covers(self) -> Covers:
        """What varies."""
        if not self.n_examples:
            if not self.knows_seeds:
                raise DataError("Single runs without predictions have no known uncertainty.")
            return Covers.SEEDS
        return Covers.IMAGES_AND_SEEDS if self.knows_seeds else Covers.IMAGES

    def uncertainty(self, chosen: int | None = None) -> Uncertainty:
        """Of each mean, or of its difference from a chosen one's, (k,)."""
        deviations, interaction = self.deviations, self.interaction / self.repeats
        seeds = self.run_variance / self.repeats
        squares = seeds**2 / self.df
        if chosen is not None:
            deviations = deviations - deviations[chosen]
            interaction = interaction + interaction[chosen]
            seeds, squares = seeds + seeds[chosen], squares + squares[chosen]
            # A variance that both sides share is not known twice.
            shared = self.pooled & self.pooled[chosen]
            squares = np.where(shared, seeds**2 / self.df, squares)
        df = np.divide(seeds**2, squares, out=np.full_like(seeds, np.inf), where=squares > 0)
        images = deviations.var(axis=1, ddof=1)
        endless = np.maximum(images - interaction, 0.0)
        return Uncertainty(endless, seeds, df, np.sqrt(images))


def means_of(
    table: Resampled, groups: Sequence[NDArray[np.intp]], others: SeedVariances | None = None
) -> Means:
    """Sum up the runs of k configurations, given by their rows; `others` tell more of seeds."""
    k = len(groups)
    repeats = np.array([len(rows) for rows in groups], dtype=np.float64)
    values, own, interaction = np.zeros(k), np.zeros(k), np.zeros(k)
    replicates = np.empty((k, table.replicates.shape[1]))
    for place, rows in enumerate(groups):
        runs, under = table.observed[rows], table.replicates[rows]
        values[place] = runs.mean()
        replicates[place] = under.mean(axis=0)
        if len(rows) > 1:
            own[place] = runs.var(ddof=1)
            apart = under - replicates[place]
            interaction[place] = apart.var(axis=1).sum() / (len(rows) - 1)
    df = repeats - 1
    if df.any():
        interaction = np.where(df > 0, interaction, float(df @ interaction) / float(df.sum()))
    if others is not None:
        own, df = np.concatenate([own, others.variances]), np.concatenate([df, others.df])
    run_variance, df, pooled = pooled_variances(own, df)
    resampled = replicates.mean(axis=1)
    return Means(
        values, 2 * values - resampled, replicates - resampled[:, None], repeats,
        run_variance[:k], interaction, df[:k], pooled[:k], table.n_examples,
    )  # fmt: skip


def pooled_variances(own: Floats, df: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Variances over seeds pooled over k configurations, but for those that vary clearly more.

    From variances of the runs and their degrees of freedom (0 for a single run), (k,) each, to
    variances, degrees of freedom (infinite if nothing has repeats) and which are the pooled one.
    """
    from scipy.special import fdtrc

    pooled = np.ones(len(own), dtype=np.bool_)
    for place in np.argsort(-own, kind="stable"):
        rest = pooled.copy()
        rest[place] = False
        known = float(df[rest].sum())
        common = float(df[rest] @ own[rest]) / known if known else 0.0
        if not (df[place] and common):
            break
        # Python floats: beside a variance of nearly 0 the ratio is infinite, without a warning.
        if len(own) * fdtrc(df[place], known, float(own[place]) / common) > MORE_VARIABLE:
            break
        pooled = rest
    total = float(df[pooled].sum())
    if not total:
        return np.zeros(len(own)), np.full(len(own), np.inf), pooled
    common = float(df[pooled] @ own[pooled]) / total
    return np.where(pooled, common, own), np.where(pooled, total, df), pooled


def ratio(apart: Floats, errors: Floats) -> Floats:
    """Apart / errors, elementwise; infinite without any error, but 0 where nothing is apart."""
    endless = np.where(apart == 0, 0.0, np.copysign(np.inf, apart))
    return np.divide(apart, errors, out=endless, where=errors > 0)


def checked_level(level: float) -> float:
    """The confidence level, which a DataError refuses unless it is between 0 and 1."""
    if not 0 < level < 1:
        raise DataError(f"A confidence level must be between 0 and 1, such as 0.95; got {level}.")
    return level
