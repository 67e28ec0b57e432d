"""How sure a selection is: who might be the worst (or best), and who cannot be told from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from mnist_sweep.analysis.statistics.bootstrap import resample
from mnist_sweep.analysis.statistics.contest import Contest, contest_of, likely_errors, pairwise_p
from mnist_sweep.analysis.statistics.patterns import Floats, collapse, runs_of
from mnist_sweep.analysis.statistics.variance import checked_level
from mnist_sweep.errors import SelectionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Direction = Literal["worst", "best"]

NULL_DRAWS = 10_000
"""Draws for the critical value: at a level of 0.95 its error rate is then known to 0.2 percent."""


@dataclass(frozen=True)
class Candidate:
    """One configuration of a selection.

    Attributes:
        configuration: Its number.
        estimate: Mean metric over its runs.
        repeats: How many runs.
        probability: That it is the worst (or best) of all; they sum to 1.
        difference: Its estimate less the selected one's.
        p_value: Of no difference from the selected one, corrected for having selected.
        distinguishable: Whether it differs from the selected one at the level.
    """

    configuration: int
    estimate: float
    repeats: int
    probability: float
    difference: float
    p_value: float
    distinguishable: bool


@dataclass(frozen=True)
class SelectionUncertainty:
    """A selection with how sure it is.

    Attributes:
        metric: The metric selected by.
        direction: "worst" (lowest) or "best" (highest).
        selected: The configuration with the lowest (highest) mean; on a tie the first number.
        probability: That it really is the worst (best).
        not_distinguishable: Those that cannot be told from it at the level.
        candidates: All configurations, the selected first, then by estimate.
        level: Confidence level.
        images: How many images.
        covers: "images": single runs were ranked, another seed may turn the ranking; or "images
            and seeds".
    """

    metric: str
    direction: Direction
    selected: int
    probability: float
    not_distinguishable: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    level: float
    images: int
    covers: str


def selection_uncertainty(
    predicted: ArrayLike,
    true: ArrayLike,
    configuration: ArrayLike,
    metric: str,
    direction: Direction,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    replicates: int = 2000,
    classes: int = 10,
) -> SelectionUncertainty:
    """Select the worst (or best) configuration and say how sure that is.

    Args:
        predicted: (n_runs, n_examples) integers.
        true: (n_examples,) integers.
        configuration: Which configuration each run repeats, (n_runs,) integers.
        metric: The metric to select by.
        direction: "worst" for the lowest, "best" for the highest.
        rng: Where the randomness comes from.
        level: Confidence level.
        replicates: How many bootstrap samples of the images to draw.
        classes: How many classes there are.

    Raises:
        DataError: The arrays do not fit together.
        SelectionError: The metric or the direction does not exist.
    """
    checked_level(level)
    sign = checked_direction(direction)
    patterns = collapse(predicted, true, classes)
    groups = runs_of(configuration, patterns.n_runs)
    table = resample(patterns, [metric], rng, replicates)[metric]
    contest = contest_of(table, list(groups.values()))
    chosen = int(np.argmin(sign * contest.means))
    p_values = pairwise_p(contest, chosen, rng, NULL_DRAWS)
    probability = chance_of_lowest(contest, sign, rng)
    numbers = list(groups)
    order = sorted(range(len(numbers)), key=lambda i: (i != chosen, sign * contest.means[i], i))
    candidates = tuple(
        Candidate(
            configuration=numbers[index],
            estimate=float(contest.means[index]),
            repeats=int(contest.repeats[index]),
            probability=float(probability[index]),
            difference=float(contest.means[index] - contest.means[chosen]),
            p_value=float(p_values[index]),
            distinguishable=bool(p_values[index] <= 1 - level),
        )
        for index in order
    )
    return SelectionUncertainty(
        metric=metric,
        direction=direction,
        selected=numbers[chosen],
        probability=float(probability[chosen]),
        not_distinguishable=tuple(
            one.configuration for one in candidates[1:] if not one.distinguishable
        ),
        candidates=candidates,
        level=level,
        images=patterns.n_examples,
        covers="images and seeds" if contest.knows_seeds else "images",
    )


def checked_direction(direction: str) -> float:
    """1 to look for the lowest, -1 for the highest.

    Raises:
        SelectionError: It is neither "worst" nor "best".
    """
    if direction not in ("worst", "best"):
        raise SelectionError(f"A selection is of the worst or the best, got {direction!r}.")
    return 1.0 if direction == "worst" else -1.0


def chance_of_lowest(contest: Contest, sign: float, rng: np.random.Generator) -> Floats:
    """The probability of each configuration to have the lowest true mean, (n,).

    Counting how often each is lowest among resampled means overrates the lowest one: it was partly
    unlucky, and resampling repeats its luck. So the means are first drawn towards each other as far
    as their noise calls for: true means are taken as normal around a common one, their spread
    is learned from the data (half-Cauchy prior at the noise's own scale; Gelman, 2006, Bayesian
    Analysis 1:515), and each replicate is one draw of the truth given the data.

    Args:
        contest: The configurations.
        sign: 1 for the lowest, -1 for the highest.
        rng: Where the randomness comes from.
    """
    count = len(contest.means)
    if count == 1:
        return np.ones(1)
    errors = likely_errors(contest, rng)
    size = errors.shape[1]
    # Orthonormal contrasts: what is left of the means once their common level is taken away.
    basis = np.linalg.qr(np.eye(count) - 1 / count)[0][:, : count - 1]
    noise = basis.T @ errors
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(noise)))
    variances = np.maximum(variances, 0.0)
    seen = vectors.T @ (basis.T @ contest.means)
    noise = vectors.T @ noise
    spread = _drawn_spread(seen, variances, rng, size)
    prior = np.sqrt(spread) * rng.standard_normal((count - 1, size))
    # Matheron's rule: a draw of prior and noise, corrected by what was seen, is a posterior draw.
    total = spread + variances[:, None]
    gain = np.divide(spread, total, out=np.ones_like(total), where=total > 0)
    truth = basis @ (vectors @ (prior + gain * (seen[:, None] + noise - prior)))
    lowest = np.argmin(sign * truth, axis=0)
    return np.asarray(np.bincount(lowest, minlength=count) / size)


def _drawn_spread(seen: Floats, variances: Floats, rng: np.random.Generator, size: int) -> Floats:
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
