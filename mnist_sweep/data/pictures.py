"""Pictures (PNG, JPEG, …) as grey levels: upright, on paper where they are transparent.

`data=folders` reads its images with this module and `predict` its digits, so both see the same.
"""

from __future__ import annotations

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
from mnist_sweep.safe_files import opened

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
LOSSY = ("JPEG", "WEBP")
# A larger picture is refused without decoding it: it could fill the memory.
MAX_PIXELS = 100_000_000
MAX_BYTES = 2**30

_DAMAGE = (
    OSError,  # Pillow's own, for a truncated or broken file
    ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, MemoryError,
    SyntaxError,  # Pillow: a broken PNG
    NotImplementedError, AttributeError, struct.error, zlib.error, UserWarning,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

Levels = NDArray[np.uint8] | NDArray[np.uint16]


def decode(path: Path, formats: tuple[str, ...] | None = None) -> tuple[Levels, bool]:
    """A picture's grey levels, and whether it was compressed with loss.

    `formats` are Pillow's names of the formats that are accepted; None accepts all. The levels are
    (height, width) uint8, or uint16 of a picture of 16 bits.
    """
    if path.is_dir():
        raise DataError(f"{path} is not a file.")
    try:
        with warnings.catch_warnings(), opened(path, MAX_BYTES) as file:
            warnings.simplefilter("ignore")  # damaged metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=formats) as image:
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width} x {image.height}"
                    raise DataError(f"{path} has {size} pixels, more than {MAX_PIXELS:,}.")
                # Pillow opens a PNG of 16 bits as I;16 or, in older versions, as I.
                is_deep = image.mode.startswith("I;16") or (
                    image.format == "PNG" and image.mode == "I"
                )
                if image.mode[0] in "IF" and not is_deep:
                    raise DataError(
                        f"{path} has grey levels of 32 bits (mode {image.mode}), whose range is "
                        "unknown. Save it with 8 or 16 bits."
                    )
                upright = ImageOps.exif_transpose(image)
                levels = np.asarray(upright).astype(np.uint16) if is_deep else _grey(upright)
                return levels, image.format in LOSSY
    except UnidentifiedImageError as error:
        kind = " nor ".join(f"a {one}" for one in formats or ())
        said = f"is neither {kind} picture" if formats else "cannot be read as a picture"
        raise DataError(f"{path} {said}.") from error
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{path} is a damaged picture: {reason}.") from error


def _grey(image: Image.Image) -> NDArray[np.uint8]:
    if not image.has_transparency_data:
        return np.array(image.convert("L"))
    colour = image.convert("RGBA")
    opacity = np.asarray(colour.getchannel("A"), dtype=np.float64) / 255
    ink = np.asarray(colour.convert("RGB").convert("L"), dtype=np.float64)
    # Transparent parts become background: white for dark ink, black for light ink.
    shown = opacity.sum()
    paper = 255.0 if not shown or (ink * opacity).sum() / shown < 127.5 else 0.0
    return np.rint(ink * opacity + paper * (1 - opacity)).astype(np.uint8)


def read(paths: Sequence[Path], on_picture: Callable[[int], None] = lambda _: None) -> Bytes:
    """Pictures of one size as they are, (n, height, width) uint8; at least one.

    `on_picture` is called after each with the number done.
    """
    found: list[Levels] = []
    for path in paths:
        levels = decode(path)[0]
        if found and levels.shape != found[0].shape:
            raise DataError(
                f"Pictures must have one size, but {path} has {levels.shape} pixels and "
                f"{paths[0]} has {found[0].shape}. Resize them."
            )
        found.append(levels)
        on_picture(len(found))
    # Some programs put 8 bits into 16. Whether the 16 bits are used is decided for all pictures
    # together, since a single one may be dark.
    factor = 257 if any(one.max(initial=0) > 255 for one in found) else 1
    return np.stack([
        one.astype(np.uint8) if one.dtype == np.uint8 else np.rint(one / factor).astype(np.uint8)
        for one in found
    ])  # fmt: skip
