"""Images to predict, from a CSV, IDX or NPZ file, a picture, or a folder of any of these kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.data.files import NOT_AN_ARRAY
from mnist_sweep.data.readers import idx, npz
from mnist_sweep.errors import DataError
from mnist_sweep.inference import pictures, pixel_table
from mnist_sweep.inference.expected import Expected, Inputs
from mnist_sweep.inference.normalise import Frame

__all__ = ["Expected", "Inputs", "read"]

KINDS = (
    "a CSV file (pixel0,pixel1,… with or without label first), an IDX file of images (gzipped or "
    "not) or a folder with a dataset's four, an .npz file, or PNG or JPEG pictures, one or a folder"
)
IMAGE_ARRAYS = ("x_test", "images", "x")
LABEL_ARRAYS = {"x_test": "y_test", "images": "labels", "x": "y"}
TEST_FILE = "test.csv"


def read(
    path: Path, expected: Expected, on_picture: Callable[[int], None] = lambda _: None
) -> Inputs:
    """The images in a file or folder, its kind told by what is there.

    Args:
        path: Where they are. Of a whole dataset the test split is meant.
        expected: What the network was trained on.
        on_picture: Called after each PNG or JPEG file with how many are done.

    Raises:
        DataError: There is no such file, it is damaged, or its images are not as expected.
    """
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # a directory above it may not be entered, a name is too long
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
    if suffix == ".csv":
        images, labels = pixel_table.read(path)
        return _inputs(images, labels, (str(path), f"the label column of {path}"), expected)
    if suffix == ".npz":
        return _npz(path, expected)
    if suffix == ".gz" or "ubyte" in path.name or suffix == ".idx":
        return _idx(path, None, expected)
    raise DataError(f"{path} is of no known kind (by the end of its name). Expected {KINDS}.")


def _folder(path: Path, expected: Expected, on_picture: Callable[[int], None]) -> Inputs:
    try:
        if idx.holds_idx(path):
            _, _, images, labels = idx.files(path)
            return _idx(images, labels, expected)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    found = pictures.files(path)
    if found:
        return _pictures(found, str(path), expected, on_picture)
    if (path / TEST_FILE).is_file():
        return read(path / TEST_FILE, expected)
    raise DataError(f"The folder {path} holds nothing to predict. Expected {KINDS}.")


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
            f"Pictures are fitted to grey images, but the network wants the shape {shape}. "
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
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} holds a single array; expected an .npz archive.")
            name = _image_array(archive.files, path)
            images = npz.as_bytes(archive[name], f"{name} in {path}")
            label_name = LABEL_ARRAYS.get(name, "labels")
            labels = None
            if label_name in archive.files:
                labels = npz.as_bytes(archive[label_name], f"{label_name} in {path}")
    except NOT_AN_ARRAY as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path} cannot be read as an .npz archive of plain arrays: {reason}. Fetch or write "
            "the file again."
        ) from error
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
        f"{IMAGE_ARRAYS[-1]}; found {', '.join(names) or 'none'}. Name it so."
    )
