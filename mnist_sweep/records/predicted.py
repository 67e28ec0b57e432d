"""What several runs predicted on the same images: one matrix of classes, made from their files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.errors import DataError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import read_split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predicted:
    """The classes that some runs predicted on one split.

    Attributes:
        predicted: (n_runs, n_examples) uint8, in the order in which the runs were requested.
        true: (n_examples,) uint8.
        images: Which images: the data's content hash and, for validation, the rows.
    """

    predicted: NDArray[np.uint8]
    true: NDArray[np.uint8]
    images: tuple[str, bytes]


def read_predicted(directories: Sequence[Path], split: str) -> Predicted:
    """Read what runs predicted on one split.

    Args:
        directories: Of the runs, at least one.
        split: "validation" or "test".

    Raises:
        DirectoryError: A run's predictions are missing or damaged.
        DataError: The runs did not see the same images.
    """
    found = [read_split(RunPaths(directory).predictions, split) for directory in directories]
    first = found[0]
    for directory, one in zip(directories, found, strict=True):
        if one.images != first.images or not np.array_equal(one.true, first.true):
            raise DataError(
                f"Expected runs evaluated on the same {split} images, but {directory.name} and "
                f"{directories[0].name} saw different ones. Compare runs of the same data and "
                "the same split."
            )
    return Predicted(np.stack([one.predicted for one in found]), first.true, first.images)
