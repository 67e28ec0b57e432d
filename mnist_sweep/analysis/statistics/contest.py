"""Several configurations' means beside each other: how they would vary, and which really differ.

All rest on the same images, so image noise is taken jointly from the bootstrap. The spread over
seeds is known from few repeats each; a configuration's own is moderated towards that of all,
as limma does for genes (Smyth, 2004, Stat. Appl. Genet. Mol. Biol. 3:3), so that two repeats
are not taken at their word. Critical values come from replaying the whole procedure, moderation
included, on draws without any difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.variance import seed_spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_sweep.analysis.statistics.bootstrap import Resampled
    from mnist_sweep.analysis.statistics.patterns import Floats

PRIOR_FREEDOM = 1.0
"""Degrees of freedom given to the spread over seeds that all configurations share; more would
gain power where their spreads are alike, and lose the level where they are not."""

MARGIN = 1.25
"""P-values are stated this much larger. Few wrong images make the bootstrap's variance itself
uncertain: without the margin, 1,000 images with 50 wrong ones set apart configurations that do not
differ in 5 to 6 percent of simulations instead of at most 5."""


@dataclass(frozen=True)
class Contest:
    """Some configurations' means with what is known of their noise.

    Attributes:
        means: Mean metric of each configuration over its runs, (n,).
        deviations: Its deviations under resampled images, (n, n_replicates).
        repeats: How many runs each has, (n,).
        runs: Sample variance over runs, (n,); 0 with one run.
        interaction: The part of it that is image noise, (n,).
    """

    means: Floats
    deviations: Floats
    repeats: Floats
    runs: Floats
    interaction: Floats

    @property
    def knows_seeds(self) -> bool:
        """Whether any configuration has repeats."""
        return bool(np.any(self.repeats > 1))

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of the moderated variances, (n,)."""
        own = self.repeats - 1
        return np.asarray(own + np.minimum(PRIOR_FREEDOM, own.sum() - own))

    def moderated(self, runs: Floats) -> Floats:
        """Variances over runs, each drawn towards what the others have in common.

        Args:
            runs: Sample variances over runs, (..., n): the observed or drawn ones.
        """
        own = self.repeats - 1
        pooled = np.sum(own * runs, axis=-1, keepdims=True) / max(own.sum(), 1.0)
        prior = self.freedom - own
        return np.asarray((prior * pooled + own * runs) / np.maximum(self.freedom, 1.0))


def contest_of(resampled: Resampled, groups: list[NDArray[np.intp]]) -> Contest:
    """Sum up the runs of each configuration.

    Args:
        resampled: A metric of all runs.
        groups: The rows of each configuration.
    """
    parts = [resampled.rows(rows) for rows in groups]
    spreads = [seed_spread(part) for part in parts]
    means = np.array([part.observed.mean() for part in parts])
    replicates = np.stack([part.replicates.mean(axis=0) for part in parts])
    repeats = np.array([float(spread.repeats) for spread in spreads])
    interaction = np.array([spread.interaction for spread in spreads])
    freedom = repeats - 1
    shared = float(np.sum(freedom * interaction)) / max(float(freedom.sum()), 1.0)
    return Contest(
        means=means,
        deviations=replicates - replicates.mean(axis=1, keepdims=True),
        repeats=repeats,
        runs=np.array([spread.runs for spread in spreads]),
        interaction=np.where(repeats > 1, interaction, shared),
    )


def pairwise_p(contest: Contest, chosen: int, rng: np.random.Generator, draws: int) -> Floats:
    """P-values of each configuration's difference from the chosen one, corrected for the choice.

    The correction is for the largest of all pairwise differences (max-T, as in Tukey's studentized
    range). So whichever configuration was chosen by looking, the chance to call any that
    does not differ from it different is at most the level.

    Args:
        contest: At least one configuration.
        chosen: The index of the chosen one.
        rng: Where the randomness comes from.
        draws: How many draws without any difference; the smallest p-value is MARGIN / (draws + 1).

    Returns:
        (n,) p-values; 1 for the chosen one.
    """
    count = len(contest.means)
    images = np.atleast_2d(np.cov(contest.deviations))
    variances = _PairVariances(contest, images)
    everyone = np.arange(count)
    seen = variances(contest.moderated(contest.runs)[:, None], chosen, everyone)[:, 0]
    observed = _studentized(contest.means - contest.means[chosen], seen)
    true_runs = _drawn_run_variances(contest, rng, draws)
    noise = _drawn_images(images, rng, draws) + _drawn_seeds(contest, true_runs, rng)
    spread = contest.moderated(_sample_variances(contest, true_runs, rng).T).T
    largest = np.zeros(draws)
    for one in range(count - 1):
        rest = everyone[one + 1 :]
        apart = _studentized(noise[one] - noise[rest], variances(spread, one, rest))
        np.maximum(largest, apart.max(axis=0), out=largest)
    exceeded = draws - np.searchsorted(np.sort(largest), observed, side="left")
    p_values = (1.0 + exceeded) / (1.0 + draws)
    p_values = np.minimum(MARGIN * p_values, 1.0)
    p_values[chosen] = 1.0
    return np.asarray(p_values)


def likely_errors(contest: Contest, rng: np.random.Generator) -> Floats:
    """Draws of how far the means may lie from the truth, over images and seeds, (n, n_replicates).

    Image noise is the bootstrap's own; seed noise is normal, with the variance over seeds that all
    configurations have in common, which is known better than any one's.
    """
    if not contest.knows_seeds:
        return contest.deviations
    own = contest.repeats - 1
    pooled = float(np.sum(own * (contest.runs - contest.interaction)) / own.sum())
    seeds = np.sqrt(max(pooled, 0.0) / contest.repeats)[:, None]
    return np.asarray(contest.deviations + seeds * rng.standard_normal(contest.deviations.shape))


def scores_with_endless_seeds(contest: Contest, chosen: int) -> Floats:
    """Differences from the chosen one in standard errors of the images alone, (n,).

    What these would be if the means stayed as they are and repeats took all seed noise away.
    """
    images = np.atleast_2d(np.cov(contest.deviations))
    images = images - np.diag(contest.interaction / contest.repeats)
    own = np.diag(images)
    variance = np.maximum(own + own[chosen] - 2 * images[chosen], 0.0)
    return _studentized(contest.means - contest.means[chosen], variance)


def _interaction_share(freedom: Floats) -> Floats:
    """The share of the interaction a contest takes out, for degrees of freedom (n,).

    Half with two repeats and three fifths with three, where others have repeats too; nearly all
    with many. It only shapes the statistic, whose critical values come from replaying it.
    """
    return np.asarray(freedom / (freedom + 2))


class _PairVariances:
    """Variances of differences between two means, never below what the images alone call for."""

    def __init__(self, contest: Contest, images: Floats) -> None:
        own = np.diag(images)
        self.images = np.maximum(own[:, None] + own - 2 * images, 0.0)
        self.repeats = contest.repeats[:, None]
        # A share of the interaction, known from the images, is taken out of the seeds' part.
        self.shared = (_interaction_share(contest.freedom) * contest.interaction)[:, None]

    def __call__(self, spread: Floats, one: int, others: NDArray[np.intp]) -> Floats:
        """Between one and the others, (len(others), k), given run variances (n, k)."""
        change = (np.maximum(spread - self.shared, 0.0) - self.shared) / self.repeats
        extra = np.maximum(change[one] + change[others], 0.0)
        return np.asarray(self.images[one, others][:, None] + extra)


def _studentized(apart: Floats, variance: Floats) -> Floats:
    """|difference| / standard error; two that never differ have 0, whatever the rounding."""
    size = np.abs(apart)
    return np.divide(size, np.sqrt(variance), out=np.zeros_like(size), where=variance > 1e-18)


def _drawn_images(images: Floats, rng: np.random.Generator, draws: int) -> Floats:
    """Normal image noise of the means with the given covariance, (n, draws)."""
    values, vectors = np.linalg.eigh(images)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(root @ rng.standard_normal((len(values), draws)))


def _drawn_run_variances(contest: Contest, rng: np.random.Generator, draws: int) -> Floats:
    """What the variances over runs may truly be, (n, draws): few repeats leave much open."""
    if not contest.knows_seeds:
        return np.zeros((len(contest.repeats), draws))
    freedom = contest.freedom[:, None]
    chi = rng.chisquare(freedom, size=(len(freedom), draws))
    likely = contest.moderated(contest.runs)[:, None] * freedom / chi
    return np.asarray(np.maximum(likely, contest.interaction[:, None]))


def _drawn_seeds(contest: Contest, true_runs: Floats, rng: np.random.Generator) -> Floats:
    """Noise of the means over seeds alone, given true variances over runs (n, k), same shape."""
    own = (true_runs - contest.interaction[:, None]) / contest.repeats[:, None]
    return np.asarray(np.sqrt(np.maximum(own, 0.0)) * rng.standard_normal(true_runs.shape))


def _sample_variances(contest: Contest, true_runs: Floats, rng: np.random.Generator) -> Floats:
    """Variances over runs as they might have been observed, same shape as the true ones."""
    own = (contest.repeats - 1)[:, None]
    # A configuration with one run has no variance of its own: the value drawn gets no weight.
    chi = rng.chisquare(np.maximum(own, 1.0), size=true_runs.shape)
    return np.asarray(true_runs * chi / np.maximum(own, 1.0))
