"""What two sides predicted, image by image: the images that flipped, the confusions that moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mnist_sweep.analysis.compare.sides import ComparedRun

MOST_FLIPS = 1000
"""Flipped images kept by number; their counts are always exact."""
SHOWN_CELLS = 8


@dataclass(frozen=True)
class Flip:
    """An image that only one side has right; repeats answer with their most frequent class."""

    image: int
    true: int
    first: int
    second: int


@dataclass(frozen=True)
class Flips:
    """Images that flipped: `lost` is right on the first side alone, `gained` on the second alone.

    `changed` counts all images with another answer, whether right or wrong.
    """

    lost: int
    gained: int
    changed: int
    images: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True)
class MovedConfusion:
    """How many more examples per run of class `true` the second side takes for `predicted`."""

    true: int
    predicted: int
    change: float


def flips(first: NDArray[np.uint8], second: NDArray[np.uint8], true: NDArray[np.uint8]) -> Flips:
    """Images that flipped from one side to the other.

    Args:
        first: (n_first, n_examples) uint8, predictions of the first side's runs.
        second: (n_second, n_examples) uint8.
        true: (n_examples,) uint8.
    """
    before, after = _majority(first), _majority(second)
    lost = (before == true) & (after != true)
    gained = (before != true) & (after == true)
    order = np.flatnonzero(lost | gained)[:MOST_FLIPS]
    return Flips(
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        changed=int((before != after).sum()),
        images=len(true),
        examples=tuple(Flip(int(i), int(true[i]), int(before[i]), int(after[i])) for i in order),
    )


def confusion_change(
    first: Sequence[ComparedRun], second: Sequence[ComparedRun]
) -> tuple[tuple[float, ...], ...] | None:
    """Mean confusion matrix of the second side's runs less the first's, (classes, classes).

    None where a side has none, or where the sides hold different numbers of examples by class.
    """
    means = [_mean([run.confusion for run in runs]) for runs in (first, second)]
    if means[0] is None or means[1] is None or means[0].shape != means[1].shape:
        return None
    if not np.array_equal(means[0].sum(axis=1), means[1].sum(axis=1)):
        return None
    return tuple(tuple(row) for row in (means[1] - means[0]).tolist())


def most_moved(change: Sequence[Sequence[float]]) -> tuple[MovedConfusion, ...]:
    """The confusions (off the diagonal) that moved most, largest first."""
    cells = [
        MovedConfusion(true, predicted, value)
        for true, row in enumerate(change)
        for predicted, value in enumerate(row)
        if true != predicted and value != 0
    ]
    cells.sort(key=lambda cell: (-abs(cell.change), cell.true, cell.predicted))
    return tuple(cells[:SHOWN_CELLS])


def _majority(predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent answer of the runs for each image; of equals the lowest class."""
    if len(predicted) == 1:
        return np.asarray(predicted[0])
    classes = int(predicted.max()) + 1
    votes = np.stack([(predicted == k).sum(axis=0) for k in range(classes)])
    return np.asarray(np.argmax(votes, axis=0), dtype=np.uint8)


def _mean(matrices: Sequence[Any]) -> NDArray[np.float64] | None:
    shapes = {len(matrix) if matrix is not None else None for matrix in matrices}
    if None in shapes or len(shapes) != 1:
        return None
    return np.asarray(np.mean(np.asarray(matrices, dtype=np.float64), axis=0))
