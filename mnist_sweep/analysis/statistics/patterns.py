"""Identical columns of predictions collapsed into patterns with counts.

An image matters to a bootstrap only through its true class and what every run answered. Images that
agree in both are interchangeable, so resampling `n_examples` images with replacement is a draw of
pattern counts from a multinomial distribution: the same replicates, exactly, on far fewer columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_sweep.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Patterns:
    """What some runs answered on the same images, each distinct column kept once.

    Attributes:
        true: True class of each pattern, (n_patterns,) uint8.
        predicted: Predicted class of each run, (n_runs, n_patterns) uint8.
        counts: How many images show the pattern, (n_patterns,) int64.
        pattern_of: The pattern of each image, (n_examples,) intp.
        classes: How many classes there are.
    """

    true: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    counts: NDArray[np.int64]
    pattern_of: NDArray[np.intp]
    classes: int

    @property
    def n_examples(self) -> int:
        """How many images the patterns stand for."""
        return len(self.pattern_of)

    @property
    def n_runs(self) -> int:
        """How many runs answered."""
        return len(self.predicted)


def checked_predictions(
    predicted: ArrayLike, true: ArrayLike, classes: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Predictions and true classes as uint8 arrays that fit together.

    Args:
        predicted: (n_runs, n_examples) integers, or (n_examples,) for one run.
        true: (n_examples,) integers.
        classes: How many classes there are; labels run from 0 to `classes - 1`.

    Returns:
        `predicted` as (n_runs, n_examples) and `true` as (n_examples,), both uint8.

    Raises:
        DataError: Shapes do not fit, there is nothing to look at, or a label is not a class.
    """
    if not 1 <= classes <= 256:
        raise DataError(f"There must be 1 to 256 classes, got {classes}.")
    answers, truth = np.atleast_2d(np.asarray(predicted)), np.asarray(true)
    if answers.ndim != 2 or truth.ndim != 1 or answers.shape[1] != len(truth) or not answers.size:
        raise DataError(
            "Predictions must be (runs, images) beside one true class per image: got "
            f"{answers.shape} and {truth.shape}. Runs can be compared only on the same images."
        )
    for name, labels in (("Predicted", answers), ("True", truth)):
        if not np.issubdtype(labels.dtype, np.integer):
            raise DataError(f"{name} classes must be integers, got {labels.dtype}.")
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{name} classes must lie between 0 and {classes - 1}, "
                f"got {labels.min()} to {labels.max()}."
            )
    return answers.astype(np.uint8), truth.astype(np.uint8)


def collapse(predicted: ArrayLike, true: ArrayLike, classes: int = 10) -> Patterns:
    """Collapse images with the same true class and the same answers of every run.

    Args:
        predicted: (n_runs, n_examples) integers, or (n_examples,) for one run.
        true: (n_examples,) integers.
        classes: How many classes there are.

    Raises:
        DataError: See `checked_predictions`.
    """
    answers, truth = checked_predictions(predicted, true, classes)
    columns = np.ascontiguousarray(np.vstack([truth[None], answers]).T)
    # One opaque value per image: sorting bytes is far faster than np.unique over an axis.
    keys = columns.view(np.dtype((np.void, columns.shape[1]))).ravel()
    _, first, pattern_of, counts = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    return Patterns(
        true=truth[first],
        predicted=np.ascontiguousarray(answers[:, first]),
        counts=counts.astype(np.int64),
        pattern_of=pattern_of.astype(np.intp).ravel(),
        classes=classes,
    )
