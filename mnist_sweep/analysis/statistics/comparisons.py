"""One configuration beside many: which differ from it, and how probably it is the most extreme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.statistics.bootstrap import Floats, Resampled
from mnist_sweep.analysis.statistics.variance import Covers, Means, checked_level, means_of
from mnist_sweep.errors import SelectionError
from mnist_sweep.settings import DEFAULT_LEVEL

Direction = Literal["worst", "best"]


@dataclass(frozen=True)
class Comparisons:
    """Each of k configurations beside the chosen one; p-values are None with single runs."""

    means: Floats  # of the metric over each one's runs, (k,)
    chosen: int
    probability: Floats  # of each to be the most extreme, (k,); they sum to 1
    p_values: Floats | None  # of no difference, corrected for having chosen, (k,); its own is 1
    # Of a difference beyond the margin, corrected over all pairs (Holm), (k,); its own is 0.
    p_equivalent: Floats | None
    level: float
    images: int
    covers: Covers

    @property
    def distinguishable(self) -> NDArray[np.bool_]:
        """Which differ from the chosen one at the level, (k,); none with single runs."""
        return self._rejected(self.p_values)

    @property
    def equivalent(self) -> NDArray[np.bool_]:
        """Which are shown to lie within the margin of the chosen one, (k,)."""
        return self._rejected(self.p_equivalent)

    def _rejected(self, p_values: Floats | None) -> NDArray[np.bool_]:
        if p_values is None:
            return np.zeros(len(self.means), dtype=np.bool_)
        return p_values <= 1 - self.level


def compare_all(
    table: Resampled,
    groups: Sequence[NDArray[np.intp]],
    direction: Direction,
    rng: np.random.Generator,
    *,
    chosen: int | None = None,
    level: float = DEFAULT_LEVEL,
    margin: float | None = None,
    questions: int = 1,
) -> Comparisons:
    """Compare every configuration with the most extreme one.

    The chance to call any two configurations different that are not is at most 1 - level, whichever
    was chosen and however: p-values are corrected over all pairs (`corrected_for_choice`).

    `table` has a metric of all runs, `groups` the rows of each of k configurations. The worst has
    the lowest mean; `chosen` compares with another one. `margin` is the largest difference that
    counts as none, to test equivalence; `questions` is how many families of tests are answered
    together (Bonferroni).
    """
    checked_level(level)
    sign = direction_sign(direction)
    means = means_of(table, groups)
    place = int(np.argmin(sign * means.values)) if chosen is None else chosen
    p_values = p_equivalent = None
    if means.knows_seeds:
        apart, found = means.centers - means.centers[place], means.uncertainty(place)
        raw = found.p_value(apart)
        p_values = np.minimum(questions * corrected_for_choice(raw, place), 1.0)
        if margin is not None:
            raw = found.p_equivalent(apart, margin)
            of_pairs = corrected_for_choice(raw, place, equal=False)
            p_equivalent = np.minimum(questions * of_pairs, 1.0)
    return Comparisons(
        means=means.values,
        chosen=place,
        probability=chance_of_extreme(means, sign, rng),
        p_values=p_values,
        p_equivalent=p_equivalent,
        level=level,
        images=table.n_examples,
        covers=means.covers,
    )


def corrected_for_choice(p_values: Floats, chosen: int, *, equal: bool = True) -> Floats:
    """P-values against one chosen by looking at all, (k,); its own is 1, or 0 if not `equal`."""
    # Any pair could have been looked at, so each p-value counts for all pairs whose hypotheses may
    # hold given what was rejected before it: first all k (k - 1) / 2. Once one is rejected there is
    # one fewer (Holm); of hypotheses of equality, once the chosen one differs from any, there are
    # (k - 1) (k - 2) / 2 at most (Shaffer, 1986, J. Am. Stat. Assoc. 81:826, a sharper Holm).
    k = len(p_values)
    result = np.full(k, float(equal))
    others = np.delete(np.arange(k), chosen)
    order = others[np.argsort(p_values[others], kind="stable")]
    pairs = k * (k - 1) / 2 - np.arange(k - 1)
    if equal:
        pairs[1:] = max((k - 1) * (k - 2) / 2, 1.0)
    result[order] = np.minimum(np.maximum.accumulate(pairs * p_values[order]), 1.0)
    return result


def chance_of_extreme(means: Means, sign: float, rng: np.random.Generator) -> Floats:
    """The probability of each configuration to have the lowest sign x true mean, (k,).

    Counting how often each is lowest among resampled means overrates the lowest one: it was partly
    unlucky, and resampling repeats its luck. So the means are first drawn towards each other as far
    as their noise calls for: true means are taken as normal around a common one, their variance
    is learned from the data (half-Cauchy prior at the noise's own scale; Gelman, 2006, Bayesian
    Analysis 1:515), and each replicate is one draw of the truth given the data.
    """
    count = len(means.values)
    if count == 1:
        return np.ones(1)
    errors = _errors_drawn(means, rng)
    size = errors.shape[1]
    # Orthonormal contrasts: what is left of the means once their common level is taken away.
    basis = np.linalg.qr(np.eye(count) - 1 / count)[0][:, : count - 1]
    noise = basis.T @ errors
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(noise)))
    variances = np.maximum(variances, 0.0)
    seen = vectors.T @ (basis.T @ means.values)
    noise = vectors.T @ noise
    between = _between_drawn(seen, variances, rng, size)
    prior = np.sqrt(between) * rng.standard_normal((count - 1, size))
    # Matheron's rule: a draw of prior and noise, corrected by what was seen, is a posterior draw.
    total = between + variances[:, None]
    gain = np.divide(between, total, out=np.ones_like(total), where=total > 0)
    truth = basis @ (vectors @ (prior + gain * (seen[:, None] + noise - prior)))
    extreme = sign * truth
    # Exact ties share the probability, whatever the order of the configurations.
    is_lowest = extreme <= extreme.min(axis=0) + 1e-12
    return np.asarray((is_lowest / is_lowest.sum(axis=0)).mean(axis=1))


def direction_sign(direction: str) -> float:
    """1 to look for the lowest, -1 for the highest; other directions are a SelectionError."""
    if direction not in ("worst", "best"):
        raise SelectionError(f"A selection must be of the worst or the best, got {direction!r}.")
    return 1.0 if direction == "worst" else -1.0


def _errors_drawn(means: Means, rng: np.random.Generator) -> Floats:
    """Draws of how far the means may lie from the truth, (k, n_replicates)."""
    if not means.knows_seeds:
        return means.deviations
    # Image noise is the bootstrap's own. Seed noise is normal, with the variance in common.
    df = means.repeats - 1
    common = float(df @ (means.run_variance - means.interaction) / df.sum())
    seeds = np.sqrt(max(common, 0.0) / means.repeats)[:, None]
    return np.asarray(means.deviations + seeds * rng.standard_normal(means.deviations.shape))


def _between_drawn(seen: Floats, variances: Floats, rng: np.random.Generator, size: int) -> Floats:
    """Draws of the variance between true means, given the contrasts seen, (size,)."""
    scale = float(variances.mean())
    largest = float(np.max(np.abs(seen)))
    if scale == 0:
        return np.full(size, max(largest, 1.0) ** 2)
    ceiling = max(100 * largest, 10 * scale**0.5)
    grid = np.geomspace(scale**0.5 / 100, ceiling, 200)
    # Two configurations that always answer alike say nothing of how far apart the others are.
    total = grid[:, None] ** 2 + np.maximum(variances, scale / 2)
    log_density = -0.5 * np.sum(np.log(total) + seen**2 / total, axis=1)
    # On a geometric grid each point stands for a width proportional to itself.
    log_density += np.log(grid) - np.log1p(grid**2 / scale)
    weights = np.exp(log_density - log_density.max())
    return np.asarray(rng.choice(grid, size=size, p=weights / weights.sum()) ** 2)
