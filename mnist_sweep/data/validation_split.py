"""Which rows validate: computed once for a dataset, fraction and seed, and kept beside it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.data.files import NOT_AN_ARRAY
from mnist_sweep.data.split import Rows, split

if TYPE_CHECKING:
    from pathlib import Path

    from mnist_sweep.data.arrays import Bytes


def validation_rows(
    directory: Path, labels: Bytes, fraction: float, seed: int
) -> tuple[Rows, Rows]:
    """The split of the training data, read from beside the arrays or computed and kept there.

    Keeping it spares every run the import of scikit-learn. The file is an .npz for its checksums.

    Args:
        directory: The dataset's directory in the cache.
        labels: (n,) uint8, labels of all training data.
        fraction: Share of the validation rows.
        seed: Seed of the split.

    Returns:
        Rows to train on and rows to validate on, sorted, int32.

    Raises:
        DataError: A class has too few examples.
    """
    version = importlib.metadata.version("scikit-learn")
    key = hashlib.sha256(json.dumps([1, fraction, seed, version]).encode()).hexdigest()[:16]
    path = directory / f"split-{key}.npz"
    kept = _kept(path, len(labels))
    if kept is None:
        train_index, kept = split(labels, fraction, seed)
        buffer = io.BytesIO()
        np.savez(buffer, validation_index=kept)
        with suppress(OSError):  # a cache that can only be read costs time, nothing else
            write_bytes(path, buffer.getvalue())
        return train_index, kept
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[kept] = True
    return np.flatnonzero(~chosen).astype(np.int32), kept


def _kept(path: Path, n_rows: int) -> Rows | None:
    """The rows in the file, or None if it is missing or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            rows = archive["validation_index"]
    except NOT_AN_ARRAY:
        return None
    sound = (
        rows.dtype == np.int32
        and rows.ndim == 1
        and 0 < len(rows) < n_rows
        and rows[0] >= 0
        and rows[-1] < n_rows
        and bool(np.all(np.diff(rows) > 0))
    )
    return rows if sound else None
