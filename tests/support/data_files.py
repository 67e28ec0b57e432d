"""Small datasets and the files they come in, made from the formats' descriptions for tests."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Result = TypeVar("Result")
Bytes = NDArray[np.uint8]
IDX_NAMES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")


def as_idx(array: Bytes) -> bytes:
    """An array of unsigned bytes in the IDX format, by the format's description."""
    head = struct.pack(">HBB", 0, 0x08, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def write_idx(folder: Path, arrays: tuple[Bytes, ...], *, zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        content = as_idx(array)
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


def small_arrays(
    n_train: int = 60, n_test: int = 24, shape: tuple[int, ...] = (4, 5), classes: int = 3
) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Train images and labels, test images and labels; every class about equally often."""
    rng = np.random.default_rng(5)
    parts: list[Bytes] = []
    for n in (n_train, n_test):
        parts.append(rng.integers(0, 256, (n, *shape), dtype=np.uint8))
        parts.append((np.arange(n) % classes).astype(np.uint8))
    return parts[0], parts[1], parts[2], parts[3]


def write_npz(path: Path, arrays: tuple[NDArray[np.generic], ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **dict(zip(NPZ_NAMES, arrays, strict=True)))  # type: ignore[arg-type]
    return path


def csv_text(images: Bytes, labels: Bytes) -> str:
    """Digit Recognizer's form of images and labels."""
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    header = ",".join(["label", *(f"pixel{i}" for i in range(rows.shape[1] - 1))])
    return "\n".join([header, *(",".join(map(str, row)) for row in rows.tolist())]) + "\n"


def result_or_message(action: Callable[[], Result]) -> Result | str:
    """What `action` returns, or the text of its DataError; any other error is one of the test."""
    try:
        return action()
    except DataError as error:
        return str(error)
