"""Images to predict, from a CSV, IDX or NPZ file, a picture, or a folder of any of these."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.data.arrays import Bytes, as_bytes
from mnist_sweep.data.readers import csv, idx, npz
from mnist_sweep.errors import DataError
from mnist_sweep.inference import pictures
from mnist_sweep.inference.normalise import Frame

KINDS = (
    "a CSV file (pixel0,pixel1,… with or without label first), an IDX file of images (gzipped or "
    "not) or a folder with a dataset's four, an .npz file, or PNG or JPEG pictures, one or a folder"
)
IMAGE_ARRAYS = ("x_test", "images", "x")
LABEL_ARRAYS = {"x_test": "y_test", "images": "labels", "x": "y"}
TEST_FILE = "test.csv"


@dataclass(frozen=True)
class Expected:
    """The images a network was trained on.

    Attributes:
        shape: One image's, as (28, 28).
        scale: The raw pixel value that maps to 1.0: 255, or 16 for the bundled digits.
        classes: Number of classes; labels in the input must be below it.
    """

    shape: tuple[int, ...]
    scale: float
    classes: int

    def fit(self, images: Bytes, where: str) -> Bytes:
        """The images in the expected shape.

        Args:
            images: (n, *any shape) uint8 of as many pixels an image.
            where: Their file (and array), for the message.

        Raises:
            DataError: There are none, they have another size, or a pixel is above the scale.
        """
        pixels = math.prod(self.shape)
        found = images.shape[1:]
        if not len(images):
            raise DataError(f"{where} holds no images: its shape is {images.shape}.")
        flat = (pixels,)
        channel = (*self.shape, 1)
        if found not in (self.shape, flat, channel) and (*found, 1) != self.shape:
            raise DataError(
                f"The network was trained on images of shape {self.shape}, but those in {where} "
                f"are {found}. Give images of that size, or a picture file (PNG or JPEG), "
                "which is fitted to it."
            )
        fitted = images.reshape(len(images), *self.shape)
        largest = int(fitted.max(initial=0))
        if largest > self.scale:
            raise DataError(
                f"The network was trained on pixels from 0 to {self.scale:g}, but {where} has one "
                f"of {largest}. Give pixels on that scale, or a run trained on such data."
            )
        return fitted

    def check_labels(self, labels: Bytes, n_images: int, where: str) -> Bytes:
        """The labels, if there is one for each image and each is a class.

        Raises:
            DataError: Otherwise.
        """
        if labels.ndim != 1 or len(labels) != n_images:
            raise DataError(
                f"There must be one label for each of {n_images} images, but {where} has the "
                f"shape {labels.shape}. Do these belong together?"
            )
        largest = int(labels.max(initial=0))
        if largest >= self.classes:
            raise DataError(
                f"The network knows the classes 0 to {self.classes - 1}, but {where} has the label "
                f"{largest}. Leave the labels out, or give a run trained on such data."
            )
        return labels


@dataclass(frozen=True)
class Inputs:
    """Images to predict.

    Attributes:
        images: (n, *shape) uint8, raw pixel values as the network's training images had.
        labels: (n,) uint8, the true classes if the file has them.
        names: File names of pictures, one each; None if images are only numbered.
        source: Where they come from, for people.
    """

    images: Bytes
    source: str
    labels: Bytes | None = None
    names: tuple[str, ...] | None = None


def read(
    path: Path, expected: Expected, on_picture: Callable[[int], None] = lambda _: None
) -> Inputs:
    """The images in a file or folder of any supported kind.

    Args:
        path: Where they are. Of a whole dataset the test split is read.
        expected: What the network was trained on.
        on_picture: Called after each PNG or JPEG file with the number of files done.

    Raises:
        DataError: The file is missing or damaged, or its images are not as expected.
    """
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # no permission for a directory above it, a name is too long
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Expected {KINDS}."
        ) from error
    if not exists:
        raise DataError(f"{path} does not exist. Expected {KINDS}.")
    if is_folder:
        return _folder(path, expected, on_picture)
    if not path.is_file():
        raise DataError(f"{path} is not a regular file. Expected {KINDS}.")
    suffix = path.suffix.lower()
    if suffix in pictures.SUFFIXES:
        return _pictures([path], str(path), expected, on_picture)
    if csv.recognises(path):
        images, labels = csv.read_table(path)
        return _inputs(images, labels, (str(path), f"the label column of {path}"), expected)
    if suffix == ".npz":
        return _npz(path, expected)
    if suffix == ".gz" or "ubyte" in path.name or suffix == ".idx":
        return _idx(path, None, expected)
    raise DataError(f"{path} is of no known kind, by the end of its name. Expected {KINDS}.")


def _folder(path: Path, expected: Expected, on_picture: Callable[[int], None]) -> Inputs:
    try:
        if idx.recognises(path):
            _, _, images, labels = idx.find(path)
            return _idx(images, labels, expected)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    found = pictures.find(path)
    if found:
        return _pictures(found, str(path), expected, on_picture)
    if (path / TEST_FILE).is_file():
        return read(path / TEST_FILE, expected)
    raise DataError(f"The folder {path} contains nothing to predict. Expected {KINDS}.")


def _inputs(
    images: Bytes, labels: Bytes | None, where: tuple[str, str], expected: Expected
) -> Inputs:
    fitted = expected.fit(images, where[0])
    if labels is not None:
        labels = expected.check_labels(labels, len(fitted), where[1])
    return Inputs(fitted, where[0], labels)


def _pictures(
    paths: list[Path], source: str, expected: Expected, on_picture: Callable[[int], None]
) -> Inputs:
    shape = expected.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 1):
        raise DataError(
            f"Pictures are fitted to grey images, but the network needs the shape {shape}. "
            "Give the pixels themselves, as CSV or NPZ."
        )
    images = pictures.read(paths, Frame.of(shape, expected.scale), on_picture)
    names = tuple(path.name for path in paths)
    return Inputs(expected.fit(images, source), source, names=names)


def _idx(images: Path, labels: Path | None, expected: Expected) -> Inputs:
    array = idx.read_file(images)
    if array.ndim < 2:
        raise DataError(
            f"{images} holds {len(array):,} single values, as a file of labels does; expected "
            "images, such as t10k-images-idx3-ubyte."
        )
    known = idx.read_file(labels) if labels else None
    return _inputs(array, known, (str(images), str(labels)), expected)


def _npz(path: Path, expected: Expected) -> Inputs:
    with npz.opened(path, "plain arrays") as archive:
        name = _image_array(archive.files, path)
        images = as_bytes(archive[name], f"{name} in {path}")
        label_name = LABEL_ARRAYS.get(name, "labels")
        labels = None
        if label_name in archive.files:
            labels = as_bytes(archive[label_name], f"{label_name} in {path}")
    if images.ndim < 2:
        raise DataError(
            f"{name} in {path} has the shape {images.shape}; expected images, (n, height, width)."
        )
    return _inputs(images, labels, (f"{name} in {path}", f"{label_name} in {path}"), expected)


def _image_array(names: list[str], path: Path) -> str:
    for name in IMAGE_ARRAYS:
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    raise DataError(
        f"Expected one array of images in {path}, or one named {', '.join(IMAGE_ARRAYS[:-1])} or "
        f"{IMAGE_ARRAYS[-1]}; found {', '.join(names) or 'none'}. Rename it."
    )
