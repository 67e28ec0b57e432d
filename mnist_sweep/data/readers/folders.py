"""Pictures (PNG, JPEG, …) in a folder for each class, as torchvision's `ImageFolder` has them.

`PATH/CLASS/picture.png`, or `PATH/train/CLASS/…` with `PATH/test/CLASS/…`, `PATH/val/CLASS/…` or
both; validation pictures are added to the training pictures, from which `data.validation_fraction`
splits. Folders with whole numbers as names are these classes; other names are numbered in
alphabetical order. All pictures have one size. They are read as grey levels: upright, on paper
where they are transparent. `predict` reads its pictures with this module, so both see the same.
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

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.errors import DataError
from mnist_sweep.metrics import MAX_CLASSES
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

_PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_EXPECTED = "pictures in a folder for each class, PATH/CLASS/picture.png"

Levels = NDArray[np.uint8] | NDArray[np.uint16]
Part = list[tuple[str, Path]]  # the name of its class, and the file, of each picture


def find(path: Path) -> list[Path]:
    """All pictures of the training part, then those of the test part."""
    return [file for part in _parts(path) for _, file in part]


def read(path: Path) -> tuple[Examples, Examples | None]:
    """Training and test examples; no test examples where there is no test folder."""
    train, test = _parts(path)
    labels = _labels(sorted({name for name, _ in train}), path)
    strange = sorted({name for name, _ in test} - set(labels))
    if strange:
        raise DataError(
            f"{path} has test pictures of {', '.join(strange)}, but no training pictures of it."
        )
    images = read_pictures([file for _, file in (*train, *test)])
    known = np.array([labels[name] for name, _ in (*train, *test)], np.uint8)
    where, classes = f"the pictures in {path}", max(labels.values()) + 1
    n = len(train)
    names = () if all(name.isdigit() for name in labels) else tuple(labels)
    parts = [
        Examples(images[rows], known[rows], where, where, classes=classes, class_names=names)
        for rows in (slice(n), slice(n, None))
    ]
    return parts[0], parts[1] if test else None


def _parts(path: Path) -> tuple[Part, Part]:
    """The pictures of the training and of the test part."""
    if not path.is_dir():
        raise DataError(f"Expected {_EXPECTED}; {path} is not a folder.")
    # A folder that is called train among others may also be a class of that name.
    below = {_PARTS.get(child.name.lower()): child for child in path.iterdir() if child.is_dir()}
    if "train" not in below or len(below.keys() & {"val", "test"}) == 0:
        below = {"train": path}
    found = {name: _pictures(below[name]) if name in below else [] for name in _PARTS.values()}
    train = [*found["train"], *found["val"]]
    classes = {name for name, _ in train}
    if len(classes) < 2:
        raise DataError(
            f"Expected {_EXPECTED}; {below['train']} has {len(classes)} folders with pictures "
            f"({', '.join(SUFFIXES)})."
        )
    return sorted(train, key=lambda one: one[0]), found["test"]


def _pictures(folder: Path) -> Part:
    return [
        (child.name, file)
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
        for file in sorted(child.iterdir())
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    ]


def _labels(names: list[str], path: Path) -> dict[str, int]:
    if not all(name.isascii() and name.isdigit() for name in names):
        if len(names) > MAX_CLASSES:
            raise DataError(
                f"{path} has {len(names)} classes; at most {MAX_CLASSES} are supported."
            )
        return {name: place for place, name in enumerate(names)}
    labels = {name: int(name) for name in names}
    for name, label in labels.items():
        if label >= MAX_CLASSES:
            raise DataError(
                f"Folders named by numbers are these classes, from 0 to {MAX_CLASSES - 1}, but "
                f"{path} has a folder {name}. Rename it, or give it a name that is not a number."
            )
        same = next(one for one in labels if labels[one] == label)
        if same != name:
            raise DataError(
                f"{path} has the folders {same} and {name}, which are one class. Merge or rename "
                "them."
            )
    return labels


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


def read_pictures(
    paths: Sequence[Path], on_picture: Callable[[int], None] = lambda _: None
) -> Bytes:
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
