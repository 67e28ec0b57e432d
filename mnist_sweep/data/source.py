"""Where a dataset can come from, and reading it from there once."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.data.arrays import Examples, assemble
from mnist_sweep.data.readers import csv, digits, idx, npz
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    from mnist_sweep.data.cache import Cache
    from mnist_sweep.data.stored import Stored

READER_VERSION = 1
"""Raised when a reader would make other arrays of the same file, so that nothing old is used."""
GREYLEVELS = 255.0
SETTLED_AFTER_S = 2.0
"""A file younger than this may change again within its time stamp's resolution."""

_READ: dict[str, Callable[[Path], tuple[Examples, Examples | None]]] = {
    "idx": idx.read, "npz": npz.read, "csv": csv.read,
}  # fmt: skip
_FILES: dict[str, Callable[[Path], list[Path]]] = {
    "idx": idx.files, "npz": npz.files, "csv": csv.files,
}  # fmt: skip
_WORDS = {"idx": "IDX files in", "npz": "the NumPy archive", "csv": "the CSV file"}


@dataclass(frozen=True)
class Source:
    """One place to read a dataset from.

    Attributes:
        kind: `idx`, `npz`, `csv` or `digits`.
        path: The folder or file; None for the bundled digits.
        because: How it was found, for the record ("MNIST_SWEEP_DATA"); may be empty.
    """

    kind: str
    path: Path | None = None
    because: str = ""

    @property
    def own_test_split(self) -> bool:
        """Whether this kind of data tells which examples are for testing."""
        return self.kind in ("idx", "npz")

    @property
    def name(self) -> str:
        """What to call the data if it is not MNIST: the file's or folder's name."""
        if self.path is None:
            return "digits"
        if self.path.is_dir():
            return self.path.name or "data"
        if self.path.name == csv.TRAIN_FILE:
            return self.path.parent.name or "train"
        return self.path.stem

    @property
    def text(self) -> str:
        """Where the data comes from, for people."""
        if self.path is None:
            return digits.ORIGIN
        because = f" ({self.because})" if self.because else ""
        return f"{_WORDS[self.kind]} {self.path}{because}"

    def fetch(self, cache: Cache, *, test_fraction: float, split_seed: int) -> Stored:
        """The dataset, from the cache if its files are those that were read before.

        Args:
            cache: Where prepared data is kept.
            test_fraction: Share of the test split for kinds that have none.
            split_seed: Seed of that split.

        Raises:
            DataError: A file is missing or wrong; the message names it.
        """
        key = self._key(test_fraction, split_seed)
        known = cache.remembered(key)
        if known:
            return known
        train, test = self._read()
        scale = digits.SCALE if self.path is None else GREYLEVELS
        arrays = assemble(
            train, test, scale=scale, test_fraction=test_fraction, split_seed=split_seed
        )
        stored = cache.store(arrays)
        if self._settled() and self._key(test_fraction, split_seed) == key:
            cache.remember(key, stored)
        return stored

    def _files(self) -> list[Path]:
        if self.path is None:
            return []
        try:
            return _FILES[self.kind](self.path)
        except OSError as error:  # a directory above it may not be entered, a name is too long
            raise _unreadable(self.path, error) from error

    def _read(self) -> tuple[Examples, Examples | None]:
        return digits.read() if self.path is None else _READ[self.kind](self.path)

    def _key(self, test_fraction: float, split_seed: int) -> str:
        """A hash that changes whenever reading again could give something else."""
        parts: list[Any] = [READER_VERSION, self.kind]
        if not self.own_test_split:
            # The split is scikit-learn's, and so are the bundled digits.
            parts += [test_fraction, split_seed, importlib.metadata.version("scikit-learn")]
        for path in self._files():
            status = _stat(path)
            parts.append([
                str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns,
                status.st_ino,
            ])  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _settled(self) -> bool:
        now = time.time()
        stamps = [_stat(path) for path in self._files()]
        return all(now - max(s.st_mtime, s.st_ctime) > SETTLED_AFTER_S for s in stamps)


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be read: {error.strerror or error}. Is it the right path?")


def at(path: Path, because: str = "") -> Source:
    """The source at `path`, its kind told by what is there.

    Raises:
        DataError: Nothing is there, or nothing of a known kind.
    """
    expected = (
        "a folder of IDX files (gzipped or not), an .npz file, a Digit Recognizer CSV file or a "
        "folder with train.csv"
    )
    where = f"{because}={path}" if because else str(path)
    try:
        if path.is_dir():
            if idx.holds_idx(path):
                return Source("idx", path, because)
            if (path / csv.TRAIN_FILE).is_file():
                return Source("csv", path, because)
        elif path.suffix.lower() in (".npz", ".csv") and path.is_file():
            return Source(path.suffix.lower()[1:], path, because)
        exists = path.exists()
    except OSError as error:
        raise DataError(
            f"{where} cannot be read: {error.strerror or error}. Expected {expected}."
        ) from error
    found = "holds none of these" if path.is_dir() else "is not one of these"
    raise DataError(f"{where} {found if exists else 'does not exist'}. Expected {expected}.")
