"""`predictions.npz`: what a run predicted, example by example, without its model."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.reading import content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MAX_BYTES = 2**30
"""A file that would unpack to more than this is refused before anything is unpacked."""

_DTYPES = {
    "test_true": np.uint8,
    "test_predicted": np.uint8,
    "test_probability": np.float16,
    "validation_true": np.uint8,
    "validation_predicted": np.uint8,
    "validation_probability": np.float16,
    "validation_index": np.int32,
}
_Read = TypeVar("_Read")
_DAMAGE = (
    OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError,
    SyntaxError, struct.error, zipfile.BadZipFile, zlib.error, MemoryError,
)  # fmt: skip


@dataclass(frozen=True)
class Predictions:
    """What a run predicted.

    `*_true` and `*_predicted` are classes, (n,) uint8; `*_probability` is the network's probability
    of the predicted class, (n,) float16; `validation_index` holds rows of the training images,
    (n_validation,) int32; `data_sha256` is the data's content hash.
    """

    test_true: NDArray[np.uint8]
    test_predicted: NDArray[np.uint8]
    test_probability: NDArray[np.float16]
    validation_true: NDArray[np.uint8]
    validation_predicted: NDArray[np.uint8]
    validation_probability: NDArray[np.float16]
    validation_index: NDArray[np.int32]
    data_sha256: str

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All fields as arrays, the hash as a 0-d text array: what the file holds."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**values, "data_sha256": np.array(self.data_sha256, dtype="<U64")}


@dataclass(frozen=True)
class SplitPredictions:
    """The classes of one split: `true` and `predicted`, (n,) uint8.

    `images` says which images: the data's content hash and, for validation, the rows, (n,) int32.
    """

    true: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    images: tuple[str, bytes]


def read(path: Path) -> Predictions:
    """Read and check a run's predictions; nothing in the file is executed.

    Raises:
        DirectoryError: The file is missing, damaged, or holds something else.
    """
    return _read(path, (*_DTYPES, "data_sha256"), checked)


def read_split(path: Path, split: str) -> SplitPredictions:
    """Read and check one split's classes alone: a tenth of the time that all arrays take.

    Args:
        path: The run's predictions.
        split: "validation" or "test".

    Raises:
        DirectoryError: The file is missing, damaged, or holds something else.
    """
    names = [name for name in _DTYPES if name.startswith(split) and "probability" not in name]

    def chosen(arrays: Mapping[str, NDArray[Any]]) -> SplitPredictions:
        _check(arrays, names)
        true, predicted, *index = (arrays[name] for name in names)
        rows = index[0].tobytes() if index else b""
        return SplitPredictions(true, predicted, (str(arrays["data_sha256"]), rows))

    return _read(path, (*names, "data_sha256"), chosen)


def _read(
    path: Path, names: Sequence[str], build: Callable[[Mapping[str, NDArray[Any]]], _Read]
) -> _Read:
    try:
        packed = io.BytesIO(content(path, MAX_BYTES)[0])
        with zipfile.ZipFile(packed) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it would unpack to {size:,} bytes")
        with np.load(packed, allow_pickle=False) as file:
            return build({name: file[name] for name in names})
    except FileNotFoundError as error:
        raise DirectoryError(
            f"Expected a run's predictions at {path}, but there is no such file. "
            "Delete that run's directory and run the same command again to make it."
        ) from error
    except _DAMAGE as error:
        raise DirectoryError(
            f"Expected a run's predictions (NPZ) at {path}, but it cannot be used: {error}. "
            "Delete that run's directory and run the same command again."
        ) from error


def checked(arrays: Mapping[str, NDArray[Any]]) -> Predictions:
    """The arrays as `Predictions`.

    Raises:
        ValueError: An array is missing, of the wrong dtype or shape, or lengths differ.
    """
    _check(arrays, tuple(_DTYPES))
    return Predictions(
        **{name: arrays[name] for name in _DTYPES}, data_sha256=str(arrays["data_sha256"])
    )


def _check(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> None:
    missing = [name for name in (*names, "data_sha256") if name not in arrays]
    if missing:
        raise ValueError(f"without {', '.join(missing)}")
    for name in names:
        array, dtype = arrays[name], _DTYPES[name]
        if array.dtype != dtype or array.ndim != 1:
            raise ValueError(
                f"{name} is {array.dtype} of shape {array.shape}, not {np.dtype(dtype)} of (n,)"
            )
    for split in ("test", "validation"):
        lengths = {name: len(arrays[name]) for name in names if name.startswith(split)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"lengths differ: {lengths}")
    sha256 = arrays["data_sha256"]
    if sha256.dtype.kind != "U" or sha256.ndim != 0:
        raise ValueError("data_sha256 is not one text")
