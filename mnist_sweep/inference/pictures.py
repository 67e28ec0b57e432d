"""PNG and JPEG files of one digit each, photographed, scanned or drawn, fitted to a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.data.pictures import decode
from mnist_sweep.errors import DataError, listed
from mnist_sweep.inference.normalise import Frame, NoDigitError, normalise

SUFFIXES = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
# Pictures are first reduced to this many pixels per side: enough for a digit, and fast.
WORKING_SIDE = 256


def find(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The pictures in a folder, in natural order of their names (2.png before 10.png)."""
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in suffixes and not path.name.startswith(".")
        ]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from error

    def natural(path: Path) -> list[str | int]:
        # Text and numbers alternate, so that equal places of two keys have the same type.
        parts = re.split(r"([0-9]+)", path.name.lower())
        return [int(part) if place % 2 else part for place, part in enumerate(parts)]

    return sorted(found, key=natural)


def read(
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
            levels, lossy = decode(path, FORMATS)
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
