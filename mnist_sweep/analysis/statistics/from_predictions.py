"""Intervals and comparisons straight from predictions, for those who hold no resampled tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.bootstrap import resample
from mnist_sweep.analysis.statistics.estimates import (
    Difference,
    Interval,
    corrected,
    difference,
    interval,
)
from mnist_sweep.analysis.statistics.patterns import checked_predictions, collapse, runs_of
from mnist_sweep.analysis.statistics.variance import checked_level
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


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
        name: difference(*pair, paired_seeds=paired_seeds, level=level)
        for name, pair in sides.items()
    }
    single = len(rows_first) == len(rows_second) == 1
    return Comparison(
        overall=differences[metric],
        per_class=corrected([differences[name] for name in per_class]),
        mcnemar=mcnemar(rows_first, rows_second, true, classes) if single else None,
    )
