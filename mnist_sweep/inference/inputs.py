"""Images to predict, from a CSV, IDX or NPZ file, a picture, or a folder of any of these.

Pictures are PNG and JPEG files of one digit each, photographed, scanned or drawn, fitted to a
network.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_sweep.data.arrays import Bytes, as_bytes, as_labels
from mnist_sweep.data.readers import csv, folders, idx, npz
from mnist_sweep.errors import DataError, listed
from mnist_sweep.inference.normalise import Frame, NoDigitError, normalise

KINDS = (
    "a CSV file (pixel0,pixel1,… with or without label first), an IDX file of images (gzipped or "
    "not) or a folder with a dataset's four, an .npz file or a folder with KMNIST's four, or PNG "
    "or JPEG pictures, one or a folder"
)
TEST_FILE = "test.csv"
SUFFIXES = (".png", ".jpg", ".jpeg")
# Pictures are first reduced to this many pixels per side: enough for a digit, and fast.
WORKING_SIDE = 256


@dataclass(frozen=True)
class Expected:
    """The images a network was trained on."""

    shape: tuple[int, ...]  # one image's, as (28, 28)
    scale: float  # the raw pixel value that maps to 1.0: 255, or 16 for the bundled digits
    classes: int  # number of classes; labels in the input must be below it
    # How its data were read (`data.name`): images are prepared as that does. EMNIST's IDX files are
    # turned upright; pictures of a network that was trained on a folder of pictures are taken as
    # they are, others are made to look like MNIST's.
    reader: str = ""


@dataclass(frozen=True)
class Inputs:
    """Images to predict."""

    images: Bytes  # (n, *shape) uint8, raw pixel values as the network's training images had
    source: str  # where they come from, for people
    labels: Bytes | None = None  # (n,) uint8, the true classes if the file has them
    # File names of pictures, one each; None if images are only numbered.
    names: tuple[str, ...] | None = None


def read(
    path: Path, expected: Expected, on_picture: Callable[[int], None] = lambda _: None
) -> Inputs:
    """The images in a file or folder of any supported kind; of a whole dataset the test split.

    `on_picture` is called after each picture with the number of files done.

    Raises:
        DataError: The file is missing or damaged, or its images are not as expected.
    """
    try:
        return _read(path, expected, on_picture)
    except OSError as error:  # no permission for it or a directory above it, a name is too long
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. Expected {KINDS}."
        ) from error


def _read(path: Path, expected: Expected, on_picture: Callable[[int], None]) -> Inputs:
    is_folder, is_file = path.is_dir(), path.is_file()
    if not is_folder and not is_file:
        found = "is not a regular file" if path.exists() else "does not exist"
        raise DataError(f"{path} {found}. Expected {KINDS}.")
    if idx.recognises(path):
        _, _, images, labels = idx.find(path)
        return _idx(images, labels, expected)
    if npz.recognises(path):
        return _npz(path, expected)
    suffixes = folders.SUFFIXES if expected.reader == "folders" else SUFFIXES
    shown = _visible_files(path) if is_folder else [path]
    if shown := [one for one in shown if one.suffix.lower() in suffixes]:
        return _pictures(shown, str(path), expected, on_picture)
    table = path / TEST_FILE if is_folder else path
    if table.is_file() and csv.recognises(table):
        pixels, known = csv.read_table(table)
        return _inputs(pixels, known, (str(table), f"the label column of {table}"), expected)
    if is_file and (path.suffix.lower() in (".gz", ".idx") or "ubyte" in path.name):
        return _idx(path, None, expected)
    if is_file:
        raise DataError(f"{path} has an unknown file extension. Expected {KINDS}.")
    if expected.reader == "folders" and any(child.is_dir() for child in path.iterdir()):
        train, test = folders.read(path)
        chosen = test or train
        return _inputs(chosen.images, chosen.labels, (chosen.images_from,) * 2, expected)
    raise DataError(f"The folder {path} contains nothing to predict. Expected {KINDS}.")


def _pictures(
    paths: list[Path], source: str, expected: Expected, on_picture: Callable[[int], None]
) -> Inputs:
    shape = expected.shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 1):
        raise DataError(
            f"Pictures are fitted to grey images, but the network needs the shape {shape}. "
            "Give the pixels themselves, as CSV or NPZ."
        )
    if expected.reader == "folders":
        images = folders.read_pictures(paths, on_picture)
    else:
        images = read_digits(paths, Frame.of(shape, expected.scale), on_picture)
    names = tuple(path.name for path in paths)
    return Inputs(_fitted(images, source, expected), source, names=names)


def _idx(images: Path, labels: Path | None, expected: Expected) -> Inputs:
    array = idx.read_file(images)
    if array.ndim < 2:
        raise DataError(
            f"{images} holds {len(array):,} single values, as a file of labels does; expected "
            "images, such as t10k-images-idx3-ubyte."
        )
    if expected.reader == "emnist" and array.ndim == 3:
        array = idx.upright(array)
    known = idx.read_file(labels) if labels else None
    return _inputs(array, known, (str(images), str(labels)), expected)


def _npz(path: Path, expected: Expected) -> Inputs:
    array, labels, where = npz.read_images(path)
    images = as_bytes(array, where[0])
    if images.ndim < 2:
        raise DataError(
            f"{where[0]} has the shape {images.shape}; expected images, (n, height, width)."
        )
    known = None if labels is None else as_labels(labels, where[1])[0]
    return _inputs(images, known, where, expected)


def _inputs(
    images: Bytes, labels: Bytes | None, where: tuple[str, str], expected: Expected
) -> Inputs:
    """Images of any shape, and their labels, checked; `where` names the files of both."""
    fitted = _fitted(images, where[0], expected)
    if labels is not None and (labels.ndim != 1 or len(labels) != len(fitted)):
        raise DataError(
            f"There must be one label for each of {len(fitted)} images, but {where[1]} has the "
            f"shape {labels.shape}. Do these belong together?"
        )
    if labels is not None and labels.max(initial=0) >= expected.classes:
        raise DataError(
            f"The network knows the classes 0 to {expected.classes - 1}, but {where[1]} has the "
            f"label {labels.max()}. Leave the labels out, or give a run trained on such data."
        )
    return Inputs(fitted, where[0], labels)


def _fitted(images: Bytes, where: str, expected: Expected) -> Bytes:
    shape, found = expected.shape, images.shape[1:]
    if not len(images):
        raise DataError(f"{where} holds no images: its shape is {images.shape}.")
    # The same pixels in another form: in one row, or with an axis for a single channel.
    same = found in (shape, (math.prod(shape),), (*shape, 1)) or (*found, 1) == shape
    if not same:
        others = ", or a picture file (PNG or JPEG), which is fitted to it"
        raise DataError(
            f"The network was trained on images of shape {shape}, but those in {where} are "
            f"{found}. Give images of that size{'' if expected.reader == 'folders' else others}."
        )
    if images.max(initial=0) > expected.scale:
        raise DataError(
            f"The network was trained on pixels from 0 to {expected.scale:g}, but {where} has one "
            f"of {images.max()}. Give pixels on that scale, or a run trained on such data."
        )
    return images.reshape(len(images), *shape)


def _visible_files(folder: Path) -> list[Path]:
    """The visible files in a folder, in natural order of their names (2.png before 10.png)."""

    def natural(path: Path) -> list[str | int]:
        # Text and numbers alternate, so that equal places of two keys have the same type.
        parts = re.split(r"([0-9]+)", path.name.lower())
        return [int(part) if place % 2 else part for place, part in enumerate(parts)]

    return sorted((one for one in folder.iterdir() if one.name[0] != "."), key=natural)


def read_digits(
    paths: Sequence[Path], frame: Frame, on_picture: Callable[[int], None] = lambda _: None
) -> Bytes:
    """Pictures of one digit each, PNG or JPEG, as (n, frame.height, frame.width) uint8.

    `on_picture` is called after each with the number done.
    """
    images = np.zeros((len(paths), frame.height, frame.width), dtype=np.uint8)
    faults: dict[int, str] = {}
    deep: dict[int, NDArray[np.float64]] = {}
    factor = 257.0

    def put(row: int, grey: NDArray[np.float64], *, lossy: bool = False) -> None:
        try:
            images[row] = normalise(np.clip(grey, 0, 1), frame, lossy=lossy)
        except NoDigitError as error:
            faults[row] = f"{paths[row]} shows no digit: {error}"

    for row, path in enumerate(paths):
        try:
            levels, lossy = folders.decode(path, ("PNG", "JPEG"))
        except DataError as error:
            faults[row] = str(error).rstrip(".")
        else:
            if levels.dtype == np.uint8:
                put(row, _reduced(levels / 255), lossy=lossy)
            else:
                # Some programs put 8 bits into 16; a single dark picture would not tell.
                factor = 1.0 if levels.max() > 255 else factor
                deep[row] = _reduced(levels / 65535)
        on_picture(row + 1)
    for row, grey in deep.items():
        put(row, grey * factor)
    if faults:
        first = listed([faults[row] for row in sorted(faults)], 5)
        raise DataError(
            f"Expected PNG or JPEG pictures of one digit each, but {first}. Correct or remove them."
        )
    return images


def _reduced(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    if max(grey.shape) <= WORKING_SIDE:
        return grey
    image = Image.fromarray(grey.astype(np.float32))
    # A box filter averages: noise shrinks, and no ring appears around a stroke.
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.float64)
