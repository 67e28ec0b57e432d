"""Readers of datasets: one module per file format, found by name.

`data=NAME data.path=PATH` reads PATH by the reader NAME. To add a format, write a module with
`find` and `read` and an entry in `_BUILT_IN`, and name it in `FORMATS` of the settings' schema and
in `conf/data`; another package declares a `Reader` as an entry point of the group
`mnist_sweep.readers`. A single dataset needs neither: `data._target_` names a function that returns
its arrays (see `function`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_sweep.data.arrays import Examples
from mnist_sweep.data.readers import csv, folders, idx, npz
from mnist_sweep.plugins import plugins


@dataclass(frozen=True)
class Reader:
    """How datasets of one format are read.

    Attributes:
        read: A path to the training and the test examples; None for the latter if the format has no
            test split. Raises DataError, naming the file.
        find: A path to the files that `read` opens. Raises DataError if one is missing.
        description: The format, as in "IDX files in" PATH; the whole text if there is no path.
        recognises: Whether a path is of this format, where only a path is given (MNIST_SWEEP_DATA).
        needs_path: Whether `data.path` is needed; `read` and `find` ignore it otherwise.
        version: Increased whenever `read` returns other examples for the same files. None reads
            the files again for every sweep.
        has_test_split: Whether all data of the format have a test split of their own. It must be
            right if there is a `version`; otherwise what `read` returns counts.
    """

    read: Callable[[Path], tuple[Examples, Examples | None]]
    find: Callable[[Path], list[Path]] = lambda _: []
    description: str = "data in"
    recognises: Callable[[Path], bool] = lambda _: False
    needs_path: bool = True
    version: int | None = None
    has_test_split: bool = False


def _read_digits(_path: Path) -> tuple[Examples, Examples | None]:
    # Imported here: it takes most of a second, and the arrays are read once and then cached.
    from sklearn.datasets import load_digits

    bunch = load_digits()
    where = "sklearn.datasets.load_digits"
    # float64 in scikit-learn, all of them whole numbers: counts of inked dots in 4x4 blocks, 0 to
    # 16 (UCI, Alpaydin and Kaynak 1998).
    images = np.ascontiguousarray(bunch.images.astype(np.uint8))
    return Examples(images, bunch.target.astype(np.uint8), where, where, scale=16.0), None


_DIGITS = "scikit-learn's bundled digits (1,797 real handwritten 8x8 digits)"
_BUILT_IN = {
    "idx": Reader(
        idx.read, idx.find, "IDX files in", idx.recognises, version=1, has_test_split=True
    ),
    "emnist": Reader(
        idx.read_emnist, idx.find, "EMNIST's IDX files in", version=1, has_test_split=True
    ),
    "folders": Reader(folders.read, folders.find, "pictures in"),
    "npz": Reader(
        npz.read, npz.find, "the NumPy archive", npz.recognises, version=4, has_test_split=True
    ),
    "csv": Reader(csv.read, csv.find, "the CSV file", csv.recognises, version=2),
    "digits": Reader(_read_digits, description=_DIGITS, needs_path=False, version=1),
}


def readers() -> dict[str, Reader]:
    """All readers by name: the built-in ones, then those of other packages."""
    return _BUILT_IN | plugins("readers")
