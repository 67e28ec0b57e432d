"""IDX files, MNIST's own format, gzipped or not; also QMNIST's, EMNIST's and torchvision's folders.

The format (http://yann.lecun.com/exdb/mnist): two zero bytes, a byte for the type (0x08 is
unsigned byte), a byte for the number of dimensions, each dimension as a big-endian 32-bit
integer, then the values, the last dimension fastest.

EMNIST's images lie on their side: `data=emnist` turns them upright. torchvision keeps the files in
`MNIST/raw` below the folder that it is given.
"""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import IO, cast

import numpy as np

from mnist_sweep.data.arrays import Bytes, Examples, as_bytes
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import opened

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
CHUNK = 1 << 24
QMNIST_COLUMNS = 8

# train-images-idx3-ubyte, train-images.idx3-ubyte, emnist-letters-test-labels-idx1-ubyte.gz
_NAME = re.compile(
    r"(?P<prefix>.*?)(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-(ubyte|int)"
    r"(?P<gz>\.gz)?",
    re.IGNORECASE,
)
_WANTED = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte (with any prefix, gzipped or not; test- does for t10k-)"
)
_ROLES = tuple((part, kind) for part in ("train", "test") for kind in ("images", "labels"))


def recognises(path: Path) -> bool:
    """Whether the path is a folder with a file that is named like an IDX file of a dataset."""
    return path.is_dir() and any(_NAME.fullmatch(file.name) for file in _place(path).iterdir())


def _place(folder: Path) -> Path:
    """The folder of the files: `folder`, or the only `raw` or `NAME/raw` below it."""
    below = [*folder.glob("raw"), *folder.glob("*/raw")]
    has_files = any(_NAME.fullmatch(file.name) for file in folder.iterdir())
    return below[0] if len(below) == 1 and below[0].is_dir() and not has_files else folder


def find(folder: Path) -> list[Path]:
    """The four files of the dataset in `folder`: train images, labels, test images, labels.

    If a file exists both gzipped and not, the latter is used.
    """
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise DataError(
            f"Expected a folder with the IDX files {_WANTED}, but {folder} {found}. "
            "Give the folder that contains them."
        )
    try:
        folder = _place(folder)
        files = (path for path in folder.iterdir() if not path.name.startswith("."))  # macOS's ._
        names = sorted(files, key=lambda path: (path.suffix == ".gz", path.name))
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    candidates: dict[tuple[str, str], dict[str, Path]] = {role: {} for role in _ROLES}
    for path in names:
        if match := _NAME.fullmatch(path.name):
            part = "train" if match["part"].lower() == "train" else "test"
            stem = f"{match['prefix']}{match['part']}"
            candidates[part, match["kind"].lower()].setdefault(stem, path)
    if missing := [" ".join(role) for role, found_files in candidates.items() if not found_files]:
        present = ", ".join(path.name for path in names[:6]) or "nothing"
        raise DataError(
            f"Expected the IDX files {_WANTED} in {folder}, but found none for the "
            f"{' and the '.join(missing)}. The folder holds {present}."
        )
    for role, found_files in candidates.items():
        if len(found_files) > 1:
            several = ", ".join(path.name for path in found_files.values())
            raise DataError(
                f"Expected one dataset in {folder}, but found more than one file for the "
                f"{' '.join(role)}: {several}. Put each dataset into a folder of its own."
            )
    return [next(iter(candidates[role].values())) for role in _ROLES]


def read(folder: Path) -> tuple[Examples, Examples | None]:
    """Training and test examples of the IDX files in `folder`."""
    paths = find(folder)
    arrays = [read_file(path) for path in paths]
    train, test = (
        Examples(arrays[i], arrays[i + 1], str(paths[i]), str(paths[i + 1])) for i in (0, 2)
    )
    return train, test


def read_emnist(folder: Path) -> tuple[Examples, Examples | None]:
    """As `read`, with the images of EMNIST turned upright."""
    train, test = (replace(part, images=upright(part.images)) for part in read(folder) if part)
    return train, test


def upright(images: Bytes) -> Bytes:
    """EMNIST's images turned upright, (n, width, height) to (n, height, width)."""
    return np.ascontiguousarray(images.swapaxes(1, 2))


def read_file(path: Path) -> Bytes:
    """One IDX file as an array of the shape in its header."""
    try:
        with opened(path) as raw:
            # By content: browsers unpack a file and leave the name that it had.
            if not raw.peek(2).startswith(GZIP_MAGIC):
                return _parse(raw, path)
            with gzip.GzipFile(fileobj=raw) as unzipped:
                return _parse(cast("IO[bytes]", unzipped), path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} is a damaged gzip file: {error}. Fetch or copy the file again."
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}. A readable IDX "
            "file was expected."
        ) from error


def _parse(stream: IO[bytes], path: Path) -> Bytes:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in DTYPES or head[3] == 0:
        raise DataError(
            f"{path} is not an IDX file: expected it to start with 00 00 08 and the number of "
            f"dimensions, found {head.hex(' ') or 'an empty file'}."
        )
    dimensions = stream.read(4 * head[3])
    if len(dimensions) < 4 * head[3]:
        raise DataError(
            f"{path} is truncated: its header of {head[3]} dimensions ends after "
            f"{4 + len(dimensions)} bytes. Fetch or copy the file again."
        )
    shape = struct.unpack(f">{head[3]}I", dimensions)
    dtype = np.dtype(DTYPES[head[2]])
    expected = math.prod(shape)
    body = bytearray()
    # In pieces: one read of the size in a damaged header would reserve that much memory.
    while piece := stream.read(min(CHUNK, expected * dtype.itemsize + 1 - len(body))):
        body += piece
    if len(body) != expected * dtype.itemsize:
        left = len(body) // dtype.itemsize
        found = f"only {left}" if left < expected else "more"
        raise DataError(
            f"{path} has the wrong length: its header says the shape {shape}, that is {expected} "
            f"values, but {found} follow. Fetch or copy the file again."
        )
    array = np.frombuffer(body, dtype=dtype).reshape(shape)
    # QMNIST's labels also tell writers and such, beyond a byte; the first column is the class.
    if array.ndim == 2 and array.shape[1] == QMNIST_COLUMNS and dtype != np.uint8:
        array = array[:, 0]
    return as_bytes(array, str(path))
