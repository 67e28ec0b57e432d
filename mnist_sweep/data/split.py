"""The stratified split of examples in two, by a seed that is not the run's.

The validation split of a dataset is computed once and kept beside its arrays.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.atomic_files import atomic
from mnist_sweep.data.arrays import Bytes
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS, npz_arrays, opened

Rows = NDArray[np.int32]


def split(
    labels: Bytes, fraction: float, seed: int, *, part: str = "validation"
) -> tuple[Rows, Rows]:
    """Split rows in two, with the share of every class kept, each sorted, (n,) int32.

    `part` is the second one's name in messages: its share is the setting `data.{part}_fraction`.
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
    # Imported here: it takes most of a second, and a split is computed once and then kept.
    from sklearn.model_selection import train_test_split

    rows = np.arange(len(labels), dtype=np.int32)
    rest, held_out = train_test_split(rows, test_size=fraction, random_state=seed, stratify=labels)
    for name, chosen in (("training", rest), (part, held_out)):
        missing = np.setdiff1d(present, labels[chosen])
        if missing.size:
            # A class without examples would have F1 0 and be reported as the network's worst.
            label = int(missing[0])
            raise DataError(
                f"{setting} leaves no example of class {label} for {name}: it has only "
                f"{int(counts[label])} of {len(labels)} examples. {way_out}"
            )
    return np.sort(rest), np.sort(held_out)


def validation_rows(
    directory: Path, labels: Bytes, fraction: float, seed: int
) -> tuple[Rows, Rows]:
    """Rows to train on and rows to validate on, each sorted, int32.

    The split is kept in `directory`, which saves every run the import of scikit-learn.
    """
    if fraction == 0:
        return np.arange(len(labels), dtype=np.int32), np.empty(0, np.int32)
    # Another version of scikit-learn may split differently.
    version = importlib.metadata.version("scikit-learn")
    key = hashlib.sha256(json.dumps([1, fraction, seed, version]).encode()).hexdigest()[:16]
    path = directory / f"split-{key}.npz"  # an archive for its checksums
    kept = None
    # One that is missing or damaged is computed again.
    with suppress(*ARRAY_FILE_ERRORS), opened(path) as file:
        kept = npz_arrays(file, ["validation_index"])["validation_index"]
    if kept is None or not _are_rows(kept, len(labels)):
        train_index, kept = split(labels, fraction, seed)
        # A read-only cache costs time, nothing else.
        with suppress(OSError), atomic(path) as file:
            np.savez(file, validation_index=kept)
        return train_index, kept
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[kept] = True
    return np.flatnonzero(~chosen).astype(np.int32), kept


def _are_rows(rows: NDArray[Any], n_rows: int) -> bool:
    if rows.dtype != np.int32 or rows.ndim != 1 or not 0 < len(rows) < n_rows:
        return False
    return bool(np.all(np.diff(rows) > 0) and rows[0] >= 0 and rows[-1] < n_rows)
