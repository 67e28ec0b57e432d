"""A dataset's arrays: what readers return, the complete dataset, and its content hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.errors import DataError
from mnist_sweep.metrics import MAX_CLASSES

Bytes = NDArray[np.uint8]
ARRAY_NAMES = ("train_images", "train_labels", "test_images", "test_labels")
GREY_LEVELS = 255.0

# `content_sha256` of the original MNIST; a test checks the published hashes of its files.
MNIST_SHA256 = "6ebfb46173fde1e1197d61a68c53cc02658b17397a1c5ab72ee54bf211f313f0"


@dataclass(frozen=True)
class Examples:
    """Images with their labels as a reader found them."""

    images: Bytes  # (n, *shape) uint8, raw pixel values
    labels: Bytes  # (n,) uint8
    images_from: str  # the file (and array) of the images, for messages
    labels_from: str  # the same for the labels
    scale: float = GREY_LEVELS  # the raw pixel value that maps to 1.0
    # Number of classes, if the data say it; else the largest label counts.
    classes: int | None = None
    class_names: tuple[str, ...] = ()  # what they are called, by label, if the data say it


@dataclass(frozen=True)
class Arrays:
    """A whole dataset with a test split, checked: labels are below `classes`.

    Images are (n, *shape) uint8, labels (n,) uint8; `scale` is the raw pixel value that maps to 1.
    """

    train_images: Bytes
    train_labels: Bytes
    test_images: Bytes
    test_labels: Bytes
    classes: int
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image, as (28, 28)."""
        return self.train_images.shape[1:]

    def four(self) -> dict[str, Bytes]:
        """The arrays by name, in the order in which they are hashed."""
        return {name: getattr(self, name) for name in ARRAY_NAMES}


def parts_of(
    arrays: Sequence[NDArray[np.generic]], where: Sequence[str], stated: object, stated_in: str
) -> tuple[Examples, Examples | None]:
    """Training and test examples of arrays of any numeric type; labels may be one-hot.

    `arrays` are images and labels to train on, and perhaps of the test split; `where` says what
    each is called in messages. `stated` is the number of classes or their names, or None.
    """
    names = None if stated is None else np.asarray(stated)
    classes = None if names is None else class_count(names, stated_in)
    own = tuple(names.astype(str).tolist()) if names is not None and names.ndim == 1 else ()
    parts = []
    for i in range(0, len(arrays), 2):
        labels, width = as_labels(arrays[i + 1], where[i + 1])
        images = as_bytes(arrays[i], where[i])
        parts.append(
            Examples(
                images, labels, where[i], where[i + 1], classes=classes or width, class_names=own
            )
        )
    return parts[0], parts[1] if parts[1:] else None


def as_bytes(array: NDArray[np.generic], where: str) -> Bytes:
    """Whole numbers from 0 to 255 of any numeric type as uint8."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"Expected whole numbers from 0 to 255 in {where}, found the type {array.dtype}."
        )
    with np.errstate(invalid="ignore"):  # of NaN; the comparison below finds it
        result = array.astype(np.uint8)
    bad = np.flatnonzero(result != array)
    if bad.size:
        value = array.reshape(-1)[bad[0]]
        scaled = array.dtype.kind == "f" and 0 < value < 1
        hint = " Multiply pixels scaled to 0..1 by 255 and round them." if scaled else ""
        raise DataError(
            f"Expected whole numbers from 0 to 255 in {where}, found {value} "
            f"(type {array.dtype}).{hint}"
        )
    return np.ascontiguousarray(result)


def as_labels(array: NDArray[np.generic], where: str) -> tuple[Bytes, int | None]:
    """Classes as (n,) uint8, also of a column (n, 1) or of one-hot rows (n, classes).

    Returns:
        The classes, and how many there are if the rows are one-hot.
    """
    classes = None
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in "biuf":
        is_one_hot = ((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()
        if is_one_hot:
            classes = class_count(np.asarray(array.shape[1]), where)
            array = array.argmax(axis=1)
    return as_bytes(array, where), classes


def content_sha256(arrays: Arrays) -> str:
    """SHA-256 (64 hex digits) of dtype, shape and bytes of all four arrays, classes and scale."""
    # The same bytes are other images under another scale: runs on them must not share a run id.
    head = {"classes": arrays.classes, "scale": arrays.scale}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for name, array in arrays.four().items():
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def class_count(stated: NDArray[Any], where: str) -> int:
    """The number of classes that data state: a whole number (0-d), or the classes' names (1-d)."""
    count = len(stated) if stated.ndim == 1 else stated.item() if stated.ndim == 0 else None
    if not isinstance(count, int) or isinstance(count, bool) or not 2 <= count <= MAX_CLASSES:
        raise DataError(
            f"{where} must be the number of classes, from 2 to {MAX_CLASSES}, or a list of their "
            f"names; it is {str(stated)[:100]}."
        )
    return count
