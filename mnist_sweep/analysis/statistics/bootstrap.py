"""Bootstrap replicates of metrics over images, for many runs at once.

Only wrong answers are counted, as sparse matrices: a class's hits are its images less those missed,
and it is predicted as often as it is hit or wrongly named. A study of 50 configurations with 20
repeats on 10,000 images therefore takes seconds; replicates go through in blocks to bound memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.patterns import Floats, Patterns, collapse
from mnist_sweep.errors import DataError, SelectionError
from mnist_sweep.metrics import Metric, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array


# Counts of one block, for all runs and classes, should stay in a few megabytes.
BLOCK_CELLS = 1_000_000
MAX_BLOCK = 256
MIN_REPLICATES = 100
"""Fewer give no usable variance."""


@dataclass(frozen=True)
class Resampled:
    """A metric of some runs: as observed, and in each bootstrap replicate of the images.

    All runs share each replicate's images, so differences between runs are paired.

    Attributes:
        observed: (n_runs,) float64.
        replicates: (n_runs, n_replicates) float64.
        n_examples: How many images were resampled.
        n_relevant: On how many of them the metric rests: for one class's metric those of the
            class, for `f1_min` those of the rarest class.
        metric: The metric's name.
    """

    observed: Floats
    replicates: Floats
    n_examples: int
    n_relevant: int
    metric: str = ""

    def rows(self, chosen: NDArray[np.intp] | Sequence[int]) -> Resampled:
        """The same for some of the runs."""
        rows = np.asarray(chosen, dtype=np.intp)
        return replace(self, observed=self.observed[rows], replicates=self.replicates[rows])

    def beside(self, other: Resampled) -> Resampled:
        """These runs and then the other's, as one table."""
        return replace(
            self,
            observed=np.concatenate([self.observed, other.observed]),
            replicates=np.concatenate([self.replicates, other.replicates]),
            n_examples=min(self.n_examples, other.n_examples),
        )

    def minus(self, other: Resampled) -> Resampled:
        """Run by run, this metric less the other's; both must hold as many runs."""
        return replace(
            self,
            observed=self.observed - other.observed,
            replicates=self.replicates - other.replicates,
        )


class _ErrorCounter:
    """Counts of each run's classes under weights of the patterns, from its wrong answers."""

    def __init__(self, patterns: Patterns) -> None:
        from scipy.sparse import csr_array

        self.runs, self.classes = patterns.n_runs, patterns.classes
        run, pattern = np.nonzero(patterns.predicted != patterns.true)
        size = (self.runs * self.classes, len(patterns.counts))
        ones = np.ones(len(run), dtype=np.float32)

        def matrix(label: NDArray[np.uint8]) -> csr_array:
            row = run * self.classes + label
            return csr_array((ones, (row, pattern)), shape=size)

        self.missed = matrix(patterns.true[pattern])
        self.mistaken = matrix(patterns.predicted[run, pattern])
        self.indicator = np.equal.outer(np.arange(self.classes), patterns.true).astype(np.float64)

    def __call__(self, weights: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
        """Support, predicted and hits under weights (n_patterns, b), each (n_runs, b, classes).

        Support is (b, classes), the same for every run.
        """
        support = (self.indicator @ weights).T
        hits = support - self._per_class(self.missed, weights)
        return support, hits + self._per_class(self.mistaken, weights), hits

    def _per_class(self, matrix: csr_array, weights: NDArray[np.float32]) -> Floats:
        # float32 holds whole numbers to 16.7 million exactly: more than any count here.
        counted = np.asarray(matrix @ weights)
        shape = (self.runs, self.classes, weights.shape[1])
        return counted.reshape(shape).transpose(0, 2, 1).astype(np.float64)


def image_weights(
    patterns: Patterns, replicates: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Pattern counts of bootstrap samples of the images.

    Args:
        patterns: The collapsed images.
        replicates: How many samples to draw.
        rng: Where the randomness comes from.

    Returns:
        (n_patterns, replicates) float32; each column sums to `patterns.n_examples`.
    """
    size = len(patterns.counts)
    # Drawing the counts costs a binomial for each pattern; beyond this many, drawing images wins.
    if size * 20 < patterns.n_examples:
        shares = patterns.counts / patterns.n_examples
        drawn = rng.multinomial(patterns.n_examples, shares, size=replicates)
        return np.ascontiguousarray(drawn.T.astype(np.float32))
    weights = np.empty((replicates, size), dtype=np.float32)
    for row in weights:
        images = rng.integers(patterns.n_examples, size=patterns.n_examples)
        row[:] = np.bincount(patterns.pattern_of[images], minlength=size)
    return np.ascontiguousarray(weights.T)


def metrics_under(
    patterns: Patterns, metrics: Sequence[Metric], blocks: Iterable[NDArray[np.float32]]
) -> list[Floats]:
    """Each metric of each run under given pattern weights.

    Args:
        patterns: The collapsed images.
        metrics: Metrics that follow from counts.
        blocks: Weights, (n_patterns, b) float32 each.

    Returns:
        For each metric (n_runs, sum of all b) float64.
    """
    counter = _ErrorCounter(patterns)
    parts: list[list[Floats]] = [[] for _ in metrics]
    for weights in blocks:
        counts = counter(weights)
        for metric, values in zip(metrics, parts, strict=True):
            values.append(metric.compute(*counts))
    return [np.concatenate(values, axis=1) for values in parts]


def counted(name: str, classes: int) -> Metric:
    """The metric of a name, on whichever split the predictions are of.

    Raises:
        SelectionError: There is none, or counts of classes do not give it.
    """
    metric = resolve(name, classes=classes)
    if not metric.is_from_counts:
        raise SelectionError(f"{name} does not follow from predictions.")
    return metric


def relevant_images(metric: Metric, patterns: Patterns) -> int:
    """On how many images a metric rests, at least 1; see `Resampled.n_relevant`."""
    support = np.bincount(patterns.true, weights=patterns.counts, minlength=patterns.classes)
    if metric.class_index is not None:
        return max(int(support[metric.class_index]), 1)
    if metric.name != "f1_min":
        return patterns.n_examples
    return max(int(support[support > 0].min(initial=patterns.n_examples)), 1)


def resample(
    patterns: Patterns, metrics: Sequence[str], rng: np.random.Generator, replicates: int = 2000
) -> dict[str, Resampled]:
    """Bootstrap metrics over images; all runs and metrics see the same resampled images.

    Args:
        patterns: The collapsed images.
        metrics: Names of metrics that follow from predictions: accuracy, f1_min, f1.8.
        rng: Where the randomness comes from.
        replicates: How many bootstrap samples to draw.

    Raises:
        SelectionError: A metric does not exist.
        DataError: Fewer than `MIN_REPLICATES` replicates.
    """
    checked_replicates(replicates)
    wanted = [counted(name, patterns.classes) for name in metrics]
    block = min(MAX_BLOCK, max(8, BLOCK_CELLS // (patterns.n_runs * patterns.classes)))

    def blocks() -> Iterator[NDArray[np.float32]]:
        yield patterns.counts.astype(np.float32)[:, None]
        for start in range(0, replicates, block):
            yield image_weights(patterns, min(block, replicates - start), rng)

    tables = metrics_under(patterns, wanted, blocks())
    return {
        name: Resampled(
            table[:, 0].copy(),
            table[:, 1:],
            patterns.n_examples,
            relevant_images(metric, patterns),
            name,
        )
        for name, metric, table in zip(metrics, wanted, tables, strict=True)
    }


def resample_predictions(
    predicted: ArrayLike,
    true: ArrayLike,
    metrics: Sequence[str],
    rng: np.random.Generator,
    *,
    replicates: int = 2000,
    classes: int = 10,
) -> dict[str, Resampled]:
    """Bootstrap metrics of some runs' predictions over images: a table of all runs per metric.

    Args:
        predicted: (n_runs, n_examples) integers.
        true: (n_examples,) integers.
        metrics: See `resample`.
        rng: Where the randomness comes from.
        replicates: How many bootstrap samples to draw.
        classes: How many classes there are.

    Raises:
        SelectionError: A metric does not exist or does not follow from predictions.
        DataError: The arrays do not fit together, or there are too few replicates.
    """
    return resample(collapse(predicted, true, classes), metrics, rng, replicates)


def checked_replicates(replicates: int) -> int:
    """The number of bootstrap replicates.

    Raises:
        DataError: They are too few.
    """
    if replicates < MIN_REPLICATES:
        raise DataError(
            f"At least {MIN_REPLICATES} bootstrap replicates are needed, got {replicates}."
        )
    return replicates
