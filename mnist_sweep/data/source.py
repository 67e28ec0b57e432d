"""Reading a dataset from where it is, once: the cache knows which files had which content."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.data.arrays import Arrays, Examples
from mnist_sweep.data.cache import Cache, Stored
from mnist_sweep.data.readers import Reader, csv, readers
from mnist_sweep.data.split import split
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import identity

MIN_AGE_S = 2.0  # a younger file may change again within the resolution of its time stamp
_EXPECTED = (
    "a folder of IDX files (gzipped or not), an .npz file, a folder of KMNIST's .npz files, a "
    "Digit Recognizer CSV file or a folder with train.csv"
)


@dataclass(frozen=True)
class Fetched:
    """A dataset that was read."""

    name: str  # its name if it is not MNIST: the file's or folder's, the function's, the format's
    text: str  # where it comes from, for people
    stored: Stored  # its arrays in the cache
    has_test_split: bool  # whether the data brought its own test split
    notice: str | None = None  # what has to be said about where the data was found; or None


Fetch = Callable[..., Fetched]  # `fetch` with the cache and the split filled in


def fetch(
    kind: str,
    reader: Reader,
    path: Path | None = None,
    found_by: str = "",
    *,
    cache: Cache,
    test_fraction: float,
    split_seed: int,
) -> Fetched:
    """A dataset, from the cache if its files have not changed since it was read.

    `kind` is the reader's name, or the dotted name of the user's function; `found_by` the setting
    or variable that named the path, for the record.
    """
    described = (reader.description, str(path) if path else "", found_by and f"({found_by})")
    text = " ".join(filter(None, described))

    def key() -> tuple[str | None, float]:
        return _state(kind, reader, path, (test_fraction, split_seed))

    before, changed_at = key()
    if before and (stored := cache.remembered(before)):
        return Fetched(_name(kind, path), text, stored, reader.has_test_split)
    train, test = reader.read(path or Path())
    arrays = assemble(train, test, test_fraction=test_fraction, split_seed=split_seed)
    stored = replace(cache.store(arrays), class_names=train.class_names)
    # Files that changed meanwhile, or may within a tick of the clock, are read again next time.
    if before and time.time() - changed_at > MIN_AGE_S and key()[0] == before:
        cache.remember(before, stored)
    return Fetched(_name(kind, path), text, stored, test is not None)


def _name(kind: str, path: Path | None) -> str:
    if path is None:
        return kind
    if path.is_dir():
        return path.name or "data"
    return (path.parent.name or "train") if path.name == csv.TRAIN_FILE else path.stem


def at(path: Path, found_by: str = "") -> tuple[str, Reader]:
    """The first reader that recognises `path`, with its name."""
    where = f"{found_by}={path}" if found_by else str(path)
    try:
        for kind, reader in readers().items():
            if reader.needs_path and reader.recognises(path):
                return kind, reader
        exists = path.exists()
    except OSError as error:
        raise DataError(
            f"{where} cannot be read: {error.strerror or error}. Expected {_EXPECTED}."
        ) from error
    found = "contains none of these" if path.is_dir() else "is not one of these"
    raise DataError(f"{where} {found if exists else 'does not exist'}. Expected {_EXPECTED}.")


def _state(
    kind: str, reader: Reader, path: Path | None, splitting: tuple[float, int]
) -> tuple[str | None, float]:
    """A hash that changes whenever reading again could give other arrays, and the newest change."""
    try:
        states = [(file, file.stat()) for file in (reader.find(path) if path else ())]
    except OSError as error:  # no permission for a directory above it, a name is too long
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Is it the right path?"
        ) from error
    changed_at = max((max(state.st_mtime, state.st_ctime) for _, state in states), default=0.0)
    if reader.version is None:
        return None, changed_at  # their files are always read
    parts: list[Any] = [reader.version, kind]
    if not reader.has_test_split:
        # The test split is scikit-learn's, and so are the bundled digits.
        parts += [*splitting, importlib.metadata.version("scikit-learn")]
    parts += [[str(file.resolve()), *identity(state)] for file, state in states]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32], changed_at


def assemble(
    train: Examples, test: Examples | None, *, test_fraction: float, split_seed: int
) -> Arrays:
    """Check what a reader returned and make a dataset of it.

    Where the data have no test split, `test_fraction` of them become one, stratified.
    """
    _check(train)
    if test is None:
        rows = split(train.labels, test_fraction, split_seed, part="test")
        four = [array[part] for part in rows for array in (train.images, train.labels)]
    else:
        _check(test)
        if test.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"Training and test images must have one shape. Found {train.images.shape[1:]} in "
                f"{train.images_from} and {test.images.shape[1:]} in {test.images_from}. "
                "Do these files belong to one dataset?"
            )
        four = [train.images, train.labels, test.images, test.labels]
    largest = int(four[1].max())
    classes = train.classes or largest + 1
    if largest >= classes:
        raise DataError(
            f"The data have {classes} classes, 0 to {classes - 1}, but {train.labels_from} has a "
            f"label {largest}. Correct the labels or the number of classes."
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
    x, y, x_test, y_test = map(np.ascontiguousarray, four)
    return Arrays(x, y, x_test, y_test, classes, train.scale)


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
