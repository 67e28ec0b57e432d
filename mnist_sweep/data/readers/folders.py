"""Pictures (PNG, JPEG, …) in a folder for each class, as torchvision's `ImageFolder` has them.

`PATH/CLASS/picture.png`, or `PATH/train/CLASS/…` and `PATH/test/CLASS/…`. Folders with whole
numbers as names are these classes; other names are numbered in alphabetical order. All pictures
have one size; colours are converted to grey.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_TRAIN, _TEST = ("train", "training"), ("test", "testing")
_EXPECTED = "pictures in a folder for each class, PATH/CLASS/picture.png"


def find(path: Path) -> list[Path]:
    """All pictures of the training part, then those of the test part.

    Raises:
        DataError: It is not a folder, or holds no folders of pictures.
    """
    return [file for part in _parts(path) if part for files in part.values() for file in files]


def read(path: Path) -> tuple[Examples, Examples | None]:
    """Training and test examples; no test examples where there are no train and test folders.

    Raises:
        DataError: A picture is damaged or of another size, or the classes of the parts differ.
    """
    train, test = _parts(path)
    labels = _labels(list(train), path)
    if test and not set(test) <= set(train):
        strange = ", ".join(sorted(set(test) - set(train)))
        raise DataError(f"{path} has test pictures of {strange}, but no training pictures of it.")
    return _examples(train, labels, path), _examples(test, labels, path) if test else None


def _parts(path: Path) -> tuple[dict[str, list[Path]], dict[str, list[Path]] | None]:
    """Class -> its pictures, of the training and of the test part."""
    if not path.is_dir():
        raise DataError(f"Expected {_EXPECTED}; {path} is not a folder.")
    below = {child.name.lower(): child for child in path.iterdir() if child.is_dir()}
    train = next((below[name] for name in _TRAIN if name in below), path)
    test = next((below[name] for name in _TEST if name in below), None)
    if train == path or test is None:
        train, test = path, None
    found = _classes(train)
    if len(found) < 2:
        raise DataError(
            f"Expected {_EXPECTED}; {train} has {len(found)} folders with pictures "
            f"({', '.join(SUFFIXES)})."
        )
    return found, _classes(test) if test else None


def _classes(folder: Path) -> dict[str, list[Path]]:
    found = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            files = [
                file
                for file in sorted(child.iterdir())
                if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            ]
            if files:
                found[child.name] = files
    return found


def _labels(names: list[str], path: Path) -> dict[str, int]:
    if all(name.isascii() and name.isdigit() and int(name) < 256 for name in names):
        return {name: int(name) for name in names}
    if len(names) > 256:
        raise DataError(f"{path} has {len(names)} classes; at most 256 are supported.")
    return {name: place for place, name in enumerate(names)}


def _examples(part: dict[str, list[Path]], labels: dict[str, int], path: Path) -> Examples:
    files = [(file, labels[name]) for name, some in part.items() for file in some]
    images = [_picture(file) for file, _ in files]
    for image, (file, _) in zip(images, files, strict=True):
        if image.shape != images[0].shape:
            raise DataError(
                f"Pictures must have one size, but {file} has {image.shape} pixels and "
                f"{files[0][0]} has {images[0].shape}. Resize them."
            )
    where = f"the pictures in {path}"
    return Examples(
        np.stack(images),
        np.array([label for _, label in files], np.uint8),
        where,
        where,
        classes=max(labels.values()) + 1,
    )


def _picture(file: Path) -> Bytes:
    """A picture's grey levels, (height, width) uint8.

    Raises:
        DataError: It is damaged or no picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                if not image.mode.startswith("I"):
                    return np.array(image.convert("L"))
                values = np.asarray(image, np.float64)  # 16 bits, which convert("L") would clip
    except Exception as error:  # a damaged picture raises anything
        raise DataError(f"{file} cannot be read as a picture: {error}.") from error
    return np.round(values if values.max() <= 255 else values / 257).astype(np.uint8)
