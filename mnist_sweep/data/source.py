"""Reading a dataset from where it is, once: the cache knows which files had which content."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.data.arrays import Arrays, Examples
from mnist_sweep.data.readers import Reader, csv, readers
from mnist_sweep.data.split import split
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from mnist_sweep.data.cache import Cache, Stored

MIN_AGE_S = 2.0
"""A younger file may change again within the resolution of its time stamp."""
_NO_PATH = Path()


@dataclass(frozen=True)
class Source:
    """One place to read a dataset from.

    Attributes:
        kind: The reader's name, or the dotted name of the user's function.
        reader: How it is read.
        path: The file or folder; None if the reader needs none.
        found_by: The setting or variable that named it, for the record; may be empty.
    """

    kind: str
    reader: Reader
    path: Path | None = None
    found_by: str = ""

    @property
    def name(self) -> str:
        """The data's name if it is not MNIST: the file's or folder's, the function's, the kind."""
        if self.path is None:
            return self.kind
        if self.path.is_dir():
            return self.path.name or "data"
        if self.path.name == csv.TRAIN_FILE:
            return self.path.parent.name or "train"
        return self.path.stem

    @property
    def text(self) -> str:
        """Where the data comes from, for people."""
        found_by = f" ({self.found_by})" if self.found_by else ""
        path = f" {self.path}" if self.path else ""
        return f"{self.reader.description}{path}{found_by}"


@dataclass(frozen=True)
class Fetched:
    """A source that was read.

    Attributes:
        source: The source.
        stored: Its arrays in the cache.
        has_test_split: Whether the data brought its own test split.
        notice: What has to be said about where the data was found; or None.
    """

    source: Source
    stored: Stored
    has_test_split: bool
    notice: str | None = None


Fetch = Callable[[Source], Fetched]
"""`fetch` with all arguments but the source filled in."""


def fetch(source: Source, cache: Cache, test_fraction: float, split_seed: int) -> Fetched:
    """The dataset of a source, from the cache if its files have not changed since it was read.

    Args:
        source: Where it is.
        cache: Prepared data.
        test_fraction: Share of the test split if the data has none.
        split_seed: Seed of that split.

    Raises:
        DataError: A file is missing or wrong; the message names it.
    """
    key, changed_at = _state(source, test_fraction, split_seed)
    known = cache.remembered(key) if key else None
    if known:
        return Fetched(source, known, source.reader.has_test_split)
    train, test = source.reader.read(source.path or _NO_PATH)
    arrays = assemble(train, test, test_fraction=test_fraction, split_seed=split_seed)
    stored = cache.store(arrays)
    is_old = time.time() - changed_at > MIN_AGE_S
    if key and is_old and _state(source, test_fraction, split_seed)[0] == key:
        cache.remember(key, stored)
    return Fetched(source, stored, test is not None)


def at(path: Path, found_by: str = "") -> Source:
    """The source at `path`, of the first reader that recognises it.

    Raises:
        DataError: There is nothing, or nothing that a reader recognises.
    """
    expected = (
        "a folder of IDX files (gzipped or not), an .npz file, a folder of KMNIST's .npz files, a "
        "Digit Recognizer CSV file or a folder with train.csv"
    )
    where = f"{found_by}={path}" if found_by else str(path)
    try:
        for kind, reader in readers().items():
            if reader.needs_path and reader.recognises(path):
                return Source(kind, reader, path, found_by)
        exists = path.exists()
    except OSError as error:
        raise DataError(
            f"{where} cannot be read: {error.strerror or error}. Expected {expected}."
        ) from error
    found = "contains none of these" if path.is_dir() else "is not one of these"
    raise DataError(f"{where} {found if exists else 'does not exist'}. Expected {expected}.")


def _state(source: Source, test_fraction: float, split_seed: int) -> tuple[str | None, float]:
    """A hash that changes whenever reading again could give other arrays, and the newest change.

    The hash is None for readers without a version: their files are always read.
    """
    try:
        files = source.reader.find(source.path) if source.path else []
        states = [(path, path.stat()) for path in files]
    except OSError as error:  # no permission for a directory above it, a name is too long
        raise DataError(
            f"{source.path} cannot be read: {error.strerror or error}. Is it the right path?"
        ) from error
    changed_at = max((max(state.st_mtime, state.st_ctime) for _, state in states), default=0.0)
    if source.reader.version is None:
        return None, changed_at
    parts: list[Any] = [source.reader.version, source.kind]
    if not source.reader.has_test_split:
        # The test split is scikit-learn's, and so are the bundled digits.
        parts += [test_fraction, split_seed, importlib.metadata.version("scikit-learn")]
    for path, state in states:
        parts.append([
            str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino,
        ])  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32], changed_at


def assemble(
    train: Examples, test: Examples | None, *, test_fraction: float, split_seed: int
) -> Arrays:
    """Check what a reader returned and make a dataset of it.

    Args:
        train: The examples to train and validate on; all examples if `test` is None.
        test: The data's own test split, if it has one.
        test_fraction: Share of the test split otherwise, stratified.
        split_seed: Seed of that split.

    Raises:
        DataError: Images and labels do not match, a part is empty, the two parts differ in shape,
            a test label is not a class, or there are too few examples to split.
    """
    _check(train)
    if test is None:
        train_index, test_index = split(train.labels, test_fraction, split_seed, part="test")
        parts = (train.images[train_index], train.labels[train_index])
        test_parts = (train.images[test_index], train.labels[test_index])
    else:
        _check(test)
        if test.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"Training and test images must have one shape. Found {train.images.shape[1:]} in "
                f"{train.images_from} and {test.images.shape[1:]} in {test.images_from}. "
                "Do these files belong to one dataset?"
            )
        parts, test_parts = (train.images, train.labels), (test.images, test.labels)
    classes = train.classes or int(parts[1].max()) + 1
    if int(parts[1].max()) >= classes:
        raise DataError(
            f"The data have {classes} classes, 0 to {classes - 1}, but {train.labels_from} has a "
            f"label {int(parts[1].max())}. Correct the labels or the number of classes."
        )
    if classes < 2:
        raise DataError(
            f"Labels of at least two classes are needed, but all labels in {train.labels_from} "
            "are 0. Is this the right file?"
        )
    if test is not None and int(test.labels.max()) >= classes:
        row = int(np.argmax(test.labels >= classes))
        raise DataError(
            f"Test labels must be among the classes 0 to {classes - 1}, but "
            f"example {row} in {test.labels_from} has label {int(test.labels[row])}. "
            "Do these files belong to one dataset?"
        )
    images, labels, test_images, test_labels = map(np.ascontiguousarray, (*parts, *test_parts))
    return Arrays(images, labels, test_images, test_labels, classes, train.scale)


def _check(examples: Examples) -> None:
    images, labels = examples.images, examples.labels
    if images.ndim < 2 or labels.ndim != 1:
        raise DataError(
            f"Images need the shape (examples, height, width) and labels (examples,), but "
            f"{examples.images_from} has {images.shape} and {examples.labels_from} has "
            f"{labels.shape}. Are images and labels swapped?"
        )
    if len(images) != len(labels):
        raise DataError(
            f"There must be one label for each image, but {examples.images_from} has "
            f"{len(images)} images and {examples.labels_from} has {len(labels)} labels. "
            "Do these belong together?"
        )
    if images.size == 0:
        raise DataError(
            f"{examples.images_from} holds no pixels: its shape is {images.shape}. "
            "At least one image of at least one pixel is needed."
        )
