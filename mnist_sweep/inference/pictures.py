"""PNG and JPEG files of one digit each, photographed, scanned or drawn."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.errors import DataError
from mnist_sweep.inference.normalise import Frame, NoDigitError, normalise

SUFFIXES = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
WORKING_SIDE = 256
"""Pictures are first reduced to this many pixels per side: enough for a digit, and fast."""
MAX_PIXELS = 100_000_000
"""A larger picture is refused without decoding it: it could fill the memory."""

_DAMAGE = (
    OSError,  # Pillow's own, for a truncated or broken file
    ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, MemoryError,
    SyntaxError,  # Pillow: a broken PNG
    NotImplementedError, struct.error, zlib.error,
    UserWarning,  # Pillow: damaged metadata
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def find(folder: Path) -> list[Path]:
    """The pictures in a folder, in natural order of their names (2.png before 10.png).

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        ]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return sorted(found, key=lambda path: _natural(path.name))


def read(
    paths: Sequence[Path], frame: Frame, on_picture: Callable[[int], None] = lambda _: None
) -> Bytes:
    """Pictures of one digit each, fitted to the frame.

    Args:
        paths: PNG or JPEG files, at least one.
        frame: Size and scale of the images.
        on_picture: Called after each with the number done.

    Returns:
        (n, frame.height, frame.width) uint8.

    Raises:
        DataError: Files cannot be read or show no digit; the message names the first five.
    """
    images = np.zeros((len(paths), frame.height, frame.width), dtype=np.uint8)
    faults = []
    for row, path in enumerate(paths):
        try:
            values, lossy = grey(path)
            images[row] = normalise(values, frame, lossy=lossy)
        except NoDigitError as error:
            faults.append(f"{path} shows no digit: {error}")
        except DataError as error:
            faults.append(str(error).rstrip("."))
        on_picture(row + 1)
    if faults:
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise DataError(
            f"Expected PNG or JPEG pictures of one digit each, but {'; '.join(faults[:5])}{more}. "
            "Correct or remove them."
        )
    return images


def grey(path: Path) -> tuple[NDArray[np.float64], bool]:
    """A picture's brightness, upright and reduced to `WORKING_SIDE`.

    Transparent parts become background: white for dark ink, black for light ink.

    Returns:
        (height, width) float64 from 0 (black) to 1 (white), and whether it was compressed with
        loss.

    Raises:
        DataError: The file is not a complete PNG or JPEG picture, or is too large.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path} is not a file")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{path} has {image.width} x {image.height} pixels, more than "
                        f"{MAX_PIXELS:,}"
                    )
                return _brightness(ImageOps.exif_transpose(image)), image.format != "PNG"
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is neither a PNG nor a JPEG picture") from error
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{path} is a damaged picture: {reason}") from error


def _brightness(image: Image.Image) -> NDArray[np.float64]:
    if image.mode.startswith("I"):  # 16 bits a pixel, which convert("L") would clip
        values = np.asarray(image, dtype=np.float64)
        values /= 65535 if values.max() > 255 else 255  # some programs put 8 bits into 16
    elif image.has_transparency_data:
        colour = image.convert("RGBA")
        opacity = np.asarray(colour.getchannel("A"), dtype=np.float64) / 255
        ink = np.asarray(colour.convert("RGB").convert("L"), dtype=np.float64) / 255
        shown = opacity.sum()
        paper = 1.0 if not shown or (ink * opacity).sum() / shown < 0.5 else 0.0
        values = ink * opacity + paper * (1 - opacity)
    else:
        values = np.asarray(image.convert("L"), dtype=np.float64) / 255
    if max(values.shape) > WORKING_SIDE:
        reduced = Image.fromarray(values.astype(np.float32))
        reduced.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
        values = np.asarray(reduced, dtype=np.float64)
    return np.clip(values, 0, 1)


def _natural(name: str) -> list[str | int]:
    """A sort key by which img2 comes before img10."""
    # Text and numbers alternate, so that equal places of two keys have the same type.
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]
