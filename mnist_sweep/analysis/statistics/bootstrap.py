"""Bootstrap replicates of metrics over images, for many runs at once.

An image matters only through its true class and what every run answered. Images that agree in both
are collapsed into one pattern with a count, and resampling images is a multinomial draw of counts.
Only wrong answers are counted, as sparse matrices: a class's hits are its images less those missed,
and it is predicted as often as it is hit or wrongly named. So a study of 50 configurations with 20
repeats on 10,000 images takes seconds; replicates go through in blocks to bound memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_sweep.errors import DataError, SelectionError
from mnist_sweep.metrics import MAX_CLASSES, Metric, resolve

Floats = NDArray[np.float64]

# Counts of one block, for all runs and classes, should stay in a few megabytes.
BLOCK_CELLS = 1_000_000
MAX_BLOCK = 256
# Images: more do not fit in a core's cache.
DRAWN_AT_ONCE = 2**15
# Fewer give no usable variance.
MIN_REPLICATES = 100


@dataclass(frozen=True)
class Resampled:
    """A metric of some runs: as observed, and in each bootstrap replicate of the images."""

    observed: Floats  # (n_runs,)
    # (n_runs, n_replicates); all runs share each one's images, so their differences are paired.
    replicates: Floats
    n_examples: int
    # On how many of them the metric rests: for one class's metric those of the class, for `f1_min`
    # those of the rarest class.
    n_relevant: int
    metric: str = ""

    def rows(self, chosen: NDArray[np.intp] | Sequence[int]) -> Resampled:
        """The same for some of the runs."""
        rows = np.asarray(chosen, dtype=np.intp)
        return replace(self, observed=self.observed[rows], replicates=self.replicates[rows])


@dataclass(frozen=True)
class Patterns:
    """What some runs answered on the same images, each distinct column kept once."""

    true: NDArray[np.uint8]  # class of each pattern, (n_patterns,)
    predicted: NDArray[np.uint8]  # class of each run, (n_runs, n_patterns)
    counts: NDArray[np.int64]  # how many images show the pattern, (n_patterns,)
    pattern_of: NDArray[np.intp]  # of each image, (n_examples,)
    classes: int


def resample_predictions(
    predicted: ArrayLike,
    true: ArrayLike,
    metrics: Sequence[str],
    rng: np.random.Generator,
    *,
    replicates: int = 2000,
    classes: int = 10,
) -> dict[str, Resampled]:
    """Bootstrap metrics over images; all runs and metrics see the same resampled images.

    `predicted` is (n_runs, n_examples), `true` (n_examples,), integers from 0 to `classes - 1`.
    Returns a table of all runs for each of `metrics`, which follow from predictions: f1_min, f1.8.

    Raises:
        SelectionError: A metric does not exist or cannot be computed from predictions.
        DataError: The arrays do not fit together, or there are too few replicates.
    """
    patterns = collapse(predicted, true, classes)
    checked_replicates(replicates)
    wanted = [resolve(name, classes=classes) for name in metrics]
    for name, metric in zip(metrics, wanted, strict=True):
        if not metric.is_from_counts:
            raise SelectionError(f"{name} cannot be computed from predictions.")
    lowest = {place: _LowestF1() for place, one in enumerate(wanted) if one.name == "f1_min"}
    block = min(MAX_BLOCK, max(8, BLOCK_CELLS // (len(patterns.predicted) * classes)))

    def blocks() -> Iterator[NDArray[np.float32]]:
        yield patterns.counts.astype(np.float32)[:, None]
        for start in range(0, replicates, block):
            yield image_weights(patterns, min(block, replicates - start), rng)

    computed = [lowest.get(place, metric) for place, metric in enumerate(wanted)]
    tables = metrics_under(patterns, computed, blocks())
    for place, one in lowest.items():
        tables[place][:, 1:] = one.widened(tables[place][:, 1:])
    support = np.bincount(patterns.true, weights=patterns.counts, minlength=classes)
    found = {}
    for name, metric, table in zip(metrics, wanted, tables, strict=True):
        relevant = support[support > 0].min() if metric.name == "f1_min" else support.sum()
        if metric.class_index is not None:
            relevant = max(support[metric.class_index], 1)
        found[name] = Resampled(
            table[:, 0].copy(), table[:, 1:], len(patterns.pattern_of), int(relevant), name
        )
    return found


def collapse(predicted: ArrayLike, true: ArrayLike, classes: int = 10) -> Patterns:
    """Collapse images with the same true class and the same answers of every run."""
    if not 1 <= classes <= MAX_CLASSES:
        raise DataError(f"There must be 1 to {MAX_CLASSES} classes, got {classes}.")
    answers, truth = np.atleast_2d(np.asarray(predicted)), np.asarray(true)
    if answers.ndim != 2 or truth.ndim != 1 or answers.shape[1] != len(truth) or not answers.size:
        raise DataError(
            "Predictions must be (runs, images) beside one true class per image: got "
            f"{answers.shape} and {truth.shape}. Runs can be compared only on the same images."
        )
    for name, labels in (("Predicted", answers), ("True", truth)):
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{name} classes must lie between 0 and {classes - 1}, "
                f"got {labels.min()} to {labels.max()}."
            )
    columns = np.ascontiguousarray(np.vstack([truth[None], answers]).T.astype(np.uint8))
    # One opaque value per image: sorting bytes is far faster than np.unique over an axis.
    keys = columns.view(np.dtype((np.void, columns.shape[1]))).ravel()
    _, first, pattern_of, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    kept = np.ascontiguousarray(columns[first].T)
    return Patterns(kept[0], kept[1:], counts, pattern_of.ravel(), classes)


def image_weights(
    patterns: Patterns, replicates: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Pattern counts of bootstrap samples of the images, (n_patterns, replicates) float32."""
    size, images = len(patterns.counts), len(patterns.pattern_of)
    # Drawing the counts costs a binomial for each pattern; beyond this many, drawing images wins.
    if size * 20 < images:
        drawn = rng.multinomial(images, patterns.counts / images, size=replicates)
        return np.ascontiguousarray(drawn.T.astype(np.float32))
    weights = np.empty((replicates, size), dtype=np.float32)
    step = max(1, DRAWN_AT_ONCE // images)
    for start in range(0, replicates, step):
        rows = weights[start : start + step]
        cells = patterns.pattern_of[rng.integers(images, size=(len(rows), images))]
        cells += np.arange(0, rows.size, size)[:, None]
        rows[:] = np.bincount(cells.ravel(), minlength=rows.size).reshape(rows.shape)
    return np.ascontiguousarray(weights.T)


def metrics_under(
    patterns: Patterns,
    metrics: Sequence[Metric | _LowestF1],
    blocks: Iterable[NDArray[np.float32]],
) -> list[Floats]:
    """Each metric of each run, (n_runs, sum of all b), under pattern weights, (n_patterns, b)."""
    from scipy.sparse import csr_array

    n_runs, classes = len(patterns.predicted), patterns.classes
    run, pattern = np.nonzero(patterns.predicted != patterns.true)
    n_patterns = len(patterns.counts)
    ones = np.ones(len(run), dtype=np.float32)
    matrices = [
        csr_array((ones, (run * classes + label, pattern)), shape=(n_runs * classes, n_patterns))
        for label in (patterns.true[pattern], patterns.predicted[run, pattern])
    ]
    # Sparse too: BLAS would wait for its threads longer than it computes.
    each = np.ones(n_patterns, dtype=np.float32)
    is_class = csr_array((each, (patterns.true, np.arange(n_patterns))), (classes, n_patterns))
    found = []
    for weights in blocks:
        # float32 holds whole numbers to 16.7 million exactly: more than any count here.
        missed, mistaken = (
            np.asarray(one @ weights).reshape(n_runs, classes, -1).swapaxes(1, 2).astype(np.float64)
            for one in matrices
        )
        support = np.asarray(is_class @ weights).T.astype(np.float64)
        hits = support - missed
        found.append([metric.compute(support, hits + mistaken, hits) for metric in metrics])
    return [np.concatenate(values, axis=1) for values in zip(*found, strict=True)]


class _LowestF1:
    """`f1_min` under weights, which keeps what the variance of its estimate is computed from.

    The minimum of classes that are nearly equal varies less than each of them, but its estimate
    less the bias does not: the bias is an estimate too. Its variance is about that of one class:
    the mean over the classes, weighted by how often each is the lowest. Where that is less than the
    minimum's own variance, as with few images, the latter stands.
    """

    def __init__(self) -> None:
        self._n = 0
        self._is_lowest, self._sum, self._squares = np.zeros((3, 1, 1))

    def compute(self, support: Floats, predicted: Floats, hits: Floats) -> Floats:
        """As `Metric.compute`, for weights (n_runs, b, classes)."""
        # As a share it is at most 1, so that a class without images is never the lowest.
        f1 = np.where(support > 0, 2 * hits / np.maximum(support + predicted, 1), 1.0)
        runs, weights, classes = f1.shape
        lowest = f1.argmin(axis=-1)
        cells = (lowest + classes * np.arange(runs)[:, None]).ravel()
        counts = np.bincount(cells, minlength=runs * classes).reshape(runs, classes)
        self._n += weights  # the observed sample, one of thousands, is counted as well
        self._is_lowest = self._is_lowest + counts
        self._sum = self._sum + f1.sum(axis=1)
        self._squares = self._squares + np.einsum("rwc,rwc->rc", f1, f1)
        return np.take_along_axis(f1, lowest[..., None], axis=-1)[..., 0]

    def widened(self, replicates: Floats) -> Floats:
        """The replicates of all runs with at least that variance, (n_runs, n_replicates)."""
        of_classes = self._squares / self._n - np.square(self._sum / self._n)
        variance = (self._is_lowest / self._n * of_classes).sum(axis=-1)
        mean, std = replicates.mean(axis=1), replicates.std(axis=1)
        wider = np.divide(np.sqrt(variance), std, out=np.ones_like(std), where=std > 0)
        around, wider = mean[:, None], np.maximum(wider, 1.0)[:, None]
        return np.asarray(np.clip(around + wider * (replicates - around), 0.0, 1.0))


def checked_replicates(replicates: int) -> int:
    """The number of bootstrap replicates; too few are a DataError."""
    if replicates < MIN_REPLICATES:
        raise DataError(
            f"At least {MIN_REPLICATES} bootstrap replicates are needed, got {replicates}."
        )
    return replicates
