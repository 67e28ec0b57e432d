"""The stratified split of examples in two, by a seed that is not the run's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.errors import DataError

Rows = NDArray[np.int32]


def split(
    labels: NDArray[np.uint8], fraction: float, seed: int, *, part: str = "validation"
) -> tuple[Rows, Rows]:
    """Split rows in two with every class's share kept, by scikit-learn's `train_test_split`.

    Args:
        labels: (n,) uint8, the class of each example.
        fraction: The share of the second part, above 0 and below 1.
        seed: Seed of the shuffle.
        part: What the second part is called in messages: the setting is `data.{part}_fraction`.

    Returns:
        The rows that remain for training and the rows of the part, each sorted, int32.

    Raises:
        DataError: A class has too few examples to be in both parts.
    """
    setting = f"data.{part}_fraction={fraction:g}"
    counts = np.bincount(labels)
    present = np.flatnonzero(counts)
    size = math.ceil(fraction * len(labels))
    rarest = int(present[np.argmin(counts[present])])
    way_out = f"Give more examples or another data.{part}_fraction."
    if counts[rarest] < 2:
        raise DataError(
            f"Every class needs an example for training and one for {part}, but class {rarest} "
            f"has a single one among {len(labels)}. {way_out}"
        )
    if min(size, len(labels) - size) < len(present):
        raise DataError(
            f"{setting} of {len(labels)} examples leaves {len(labels) - size} for training and "
            f"{size} for {part}; each needs at least one of {len(present)} classes. {way_out}"
        )
    # Imported here: it takes most of a second, and a split is computed once and then cached.
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels), dtype=np.int32)
    rest, held_out = train_test_split(rows, test_size=fraction, random_state=seed, stratify=labels)
    for name, chosen in (("training", rest), (part, held_out)):
        missing = np.setdiff1d(present, labels[chosen])
        if missing.size:
            # A class of no support would have F1 0 and be taken for the network's worst.
            label = int(missing[0])
            raise DataError(
                f"{setting} leaves no example of class {label} for {name}: it has only "
                f"{int(counts[label])} of {len(labels)} examples. {way_out}"
            )
    return np.sort(rest), np.sort(held_out)
