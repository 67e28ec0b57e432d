"""What two sides predicted, image by image: the images that flipped, the confusions that moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.metrics import confusion_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_sweep.records.predictions import Predicted

MAX_FLIPS = 1000
"""Flipped images kept by number; their counts are always exact."""


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


def flips(first: Predicted, second: Predicted) -> Flips:
    """Images that flipped from one side to the other; both sides saw the same ones."""
    before, after, true = _majority(first.predicted), _majority(second.predicted), first.true
    lost = (before == true) & (after != true)
    gained = (before != true) & (after == true)
    order = np.flatnonzero(lost | gained)[:MAX_FLIPS]
    return Flips(
        lost=int(lost.sum()),
        gained=int(gained.sum()),
        changed=int((before != after).sum()),
        images=len(true),
        examples=tuple(Flip(int(i), int(true[i]), int(before[i]), int(after[i])) for i in order),
    )


def confusion_change(
    first: Predicted, second: Predicted, classes: int
) -> tuple[tuple[float, ...], ...]:
    """Mean confusion matrix of the second side's runs less the first's, (classes, classes)."""
    change = _mean_confusion(second, classes) - _mean_confusion(first, classes)
    return tuple(tuple(row) for row in change.tolist())


def _majority(predicted: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The most frequent answer of the runs for each image; of equals the lowest class."""
    if len(predicted) == 1:
        return np.asarray(predicted[0])
    classes = int(predicted.max()) + 1
    votes = np.stack([(predicted == k).sum(axis=0) for k in range(classes)])
    return np.asarray(np.argmax(votes, axis=0), dtype=np.uint8)


def _mean_confusion(side: Predicted, classes: int) -> NDArray[np.float64]:
    return confusion_matrix(side.true, side.predicted, classes) / len(side.predicted)
