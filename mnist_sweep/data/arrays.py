"""A dataset's four arrays: what readers bring, what must hold of them, and their content hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.data.split import split
from mnist_sweep.errors import DataError

Bytes = NDArray[np.uint8]
ARRAY_NAMES = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Examples:
    """Images with their labels as a reader found them, and where each came from.

    Attributes:
        images: (n, *shape) uint8, raw pixel values.
        labels: (n,) uint8.
        images_from: The file (and array) of the images, for messages.
        labels_from: The same for the labels.
    """

    images: Bytes
    labels: Bytes
    images_from: str
    labels_from: str


@dataclass(frozen=True)
class Arrays:
    """A whole dataset with a test split, checked.

    Attributes:
        train_images: (n, *shape) uint8.
        train_labels: (n,) uint8, each below `classes`.
        test_images: (m, *shape) uint8.
        test_labels: (m,) uint8, each below `classes`.
        classes: How many classes there are: the largest training label and one.
        scale: The raw pixel value that means 1.0.
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


def assemble(
    train: Examples,
    test: Examples | None,
    *,
    scale: float,
    test_fraction: float,
    split_seed: int,
) -> Arrays:
    """Check what a reader brought and make a dataset of it.

    Args:
        train: The examples to train and validate on; all examples if `test` is None.
        test: The data's own test split, if it has one.
        scale: The raw pixel value that means 1.0.
        test_fraction: How much becomes the test split where there is none, stratified.
        split_seed: Seed of that split.

    Raises:
        DataError: Images and labels do not fit together, a part is empty, the two parts differ
            in shape, a test label is outside the classes, or there are too few examples to split.
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
    classes = int(parts[1].max()) + 1
    if classes < 2:
        raise DataError(
            f"Labels of at least two classes are needed, but all labels in {train.labels_from} "
            "are 0. Is this the right file?"
        )
    if test is not None and int(test.labels.max()) >= classes:
        row = int(np.argmax(test.labels >= classes))
        raise DataError(
            f"Test labels must be among the training data's classes 0 to {classes - 1}, but "
            f"example {row} in {test.labels_from} has label {int(test.labels[row])}. "
            "Do these files belong to one dataset?"
        )
    return Arrays(
        train_images=np.ascontiguousarray(parts[0]),
        train_labels=np.ascontiguousarray(parts[1]),
        test_images=np.ascontiguousarray(test_parts[0]),
        test_labels=np.ascontiguousarray(test_parts[1]),
        classes=classes,
        scale=scale,
    )


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


def content_sha256(arrays: Arrays) -> str:
    """SHA-256 (64 hex digits) over dtype, shape and bytes of all four arrays, classes and scale.

    The scale counts because the same bytes mean other pictures under another one, and two runs on
    them must not share a run id.
    """
    digest = hashlib.sha256()
    head = {"classes": arrays.classes, "scale": arrays.scale}
    digest.update(json.dumps(head, sort_keys=True).encode())
    for name, array in arrays.four().items():
        text = json.dumps([name, array.dtype.str, list(array.shape)])
        digest.update(text.encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
