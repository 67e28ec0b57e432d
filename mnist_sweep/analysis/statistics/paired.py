"""Two runs or configurations on the same images: is one better, by how much, and on which class.

Every resampled set of images is put to both sides, so what makes an image hard for everyone cancels
out. Differences are the second side less the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.bootstrap import Resampled, resample
from mnist_sweep.analysis.statistics.multiplicity import holm
from mnist_sweep.analysis.statistics.patterns import checked_predictions, collapse
from mnist_sweep.analysis.statistics.variance import (
    Uncertainty,
    checked_level,
    uncertainty_of_difference,
    uncertainty_of_mean,
)
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test of two runs' accuracy.

    Attributes:
        only_first: Images only the first run has right.
        only_second: Images only the second run has right.
        p_value: Two-sided, from the binomial distribution.
    """

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True)
class Difference:
    """A metric's difference, second side less first.

    Attributes:
        metric: The metric's name.
        first: The metric of the first side, the mean over its runs.
        second: The same of the second side.
        estimate: second - first.
        low: Lower end of the interval of the difference.
        high: Upper end.
        level: Confidence level.
        standard_error: Of the difference.
        p_value: Of no difference, two-sided; below 1 - level just where the interval leaves out 0.
        p_holm: The same corrected by Holm's method over its family; equal where it stands alone.
        repeats: How many runs each side has.
        images: How many images.
        covers: "images", or "images and seeds".
    """

    metric: str
    first: float
    second: float
    estimate: float
    low: float
    high: float
    level: float
    standard_error: float
    p_value: float
    p_holm: float
    repeats: tuple[int, int]
    images: int
    covers: str


@dataclass(frozen=True)
class Comparison:
    """Two sides compared: one metric over all classes, and every class's F1.

    Attributes:
        overall: The metric asked for.
        per_class: F1 of each class; `p_holm` is corrected over the classes.
        mcnemar: The exact test of accuracy where each side is one run, else None.
    """

    overall: Difference
    per_class: tuple[Difference, ...]
    mcnemar: McNemar | None


def mcnemar(first: ArrayLike, second: ArrayLike, true: ArrayLike, classes: int = 10) -> McNemar:
    """McNemar's exact test: are two runs right equally often on the images' kind?

    Args:
        first: Predicted classes of the first run, (n_examples,) integers.
        second: The same of the second.
        true: (n_examples,) integers.
        classes: How many classes there are.

    Raises:
        DataError: The arrays do not fit together.
    """
    from scipy.stats import binomtest

    answers_first, truth = checked_predictions(first, true, classes)
    answers_second, _ = checked_predictions(second, true, classes)
    if len(answers_first) != 1 or len(answers_second) != 1:
        raise DataError("McNemar's test compares one run with one other; compare repeats instead.")
    right_first, right_second = answers_first[0] == truth, answers_second[0] == truth
    only_first = int(np.count_nonzero(right_first & ~right_second))
    only_second = int(np.count_nonzero(right_second & ~right_first))
    apart = only_first + only_second
    p_value = float(binomtest(only_first, apart, 0.5).pvalue) if apart else 1.0
    return McNemar(only_first, only_second, p_value)


def compare_runs(
    first: ArrayLike,
    second: ArrayLike,
    true: ArrayLike,
    metric: str,
    rng: np.random.Generator,
    *,
    paired_seeds: bool = False,
    level: float = 0.95,
    replicates: int = 2000,
    classes: int = 10,
) -> Comparison:
    """Compare two runs, or two configurations with their repeats, on the same images.

    With one run on each side the intervals cover the images alone and speak of these two runs. With
    repeats they cover images and seeds and speak of the configurations' means over seeds.

    Args:
        first: (n_first, n_examples) or (n_examples,) integers, predictions of the first side.
        second: (n_second, n_examples) or (n_examples,) of the second.
        true: (n_examples,) integers.
        metric: The overall metric.
        rng: Where the randomness comes from.
        paired_seeds: Row i of both sides shares its seed: take differences seed by seed.
        level: Confidence level.
        replicates: How many bootstrap samples of the images to draw.
        classes: How many classes there are.

    Raises:
        DataError: The arrays do not fit together, or paired sides hold unequal numbers of runs.
        SelectionError: The metric does not exist.
    """
    checked_level(level)
    rows_first, _ = checked_predictions(first, true, classes)
    rows_second, _ = checked_predictions(second, true, classes)
    if paired_seeds and len(rows_first) != len(rows_second):
        raise DataError(
            "Paired by seed, both sides need the same seeds: "
            f"got {len(rows_first)} and {len(rows_second)} runs."
        )
    patterns = collapse(np.vstack([rows_first, rows_second]), true, classes)
    per_class = [f"f1.{label}" for label in range(classes)]
    tables = resample(patterns, [metric, *per_class], rng, replicates)
    cut = len(rows_first)
    sides = {
        name: (table.rows(range(cut)), table.rows(range(cut, len(table.observed))))
        for name, table in tables.items()
    }
    differences = {
        name: difference(name, *pair, paired_seeds=paired_seeds, level=level)
        for name, pair in sides.items()
    }
    single = len(rows_first) == len(rows_second) == 1
    return Comparison(
        overall=differences[metric],
        per_class=corrected([differences[name] for name in per_class]),
        mcnemar=mcnemar(rows_first, rows_second, true, classes) if single else None,
    )


def difference(
    metric: str, first: Resampled, second: Resampled, *, paired_seeds: bool, level: float
) -> Difference:
    """The difference of one metric, from both sides' replicates on the same images."""
    estimate = float(second.observed.mean() - first.observed.mean())
    uncertainty: Uncertainty = (
        uncertainty_of_mean(second.minus(first))
        if paired_seeds
        else uncertainty_of_difference(second, first)
    )
    half = uncertainty.half_width(level)
    p_value = uncertainty.p_value(estimate)
    return Difference(
        metric=metric,
        first=float(first.observed.mean()),
        second=float(second.observed.mean()),
        estimate=estimate,
        low=estimate - half,
        high=estimate + half,
        level=level,
        standard_error=uncertainty.standard_error,
        p_value=p_value,
        p_holm=p_value,
        repeats=(len(first.observed), len(second.observed)),
        images=first.n_examples,
        covers=uncertainty.covers,
    )


def corrected(family: list[Difference]) -> tuple[Difference, ...]:
    """The same differences with `p_holm` corrected over all of them."""
    adjusted = holm([member.p_value for member in family])
    return tuple(replace(member, p_holm=p) for member, p in zip(family, adjusted, strict=True))
