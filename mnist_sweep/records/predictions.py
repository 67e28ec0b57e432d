"""`predictions.npz`: what a run predicted, example by example, without its model.

Read as a whole, or as the classes that several runs predicted on the same images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records import store
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS, npz_arrays, opened

# Arrays that would take more are refused before anything is unpacked: 60 million examples.
MAX_BYTES = 2**29

_SHA256 = "data_sha256"
_DTYPES: dict[str, Any] = {
    "test_true": np.uint8,
    "test_predicted": np.uint8,
    "test_probability": np.float16,
    "validation_true": np.uint8,
    "validation_predicted": np.uint8,
    "validation_probability": np.float16,
    "validation_index": np.int32,
}
CLASSES = ("test_true", "test_predicted", "validation_true", "validation_predicted")


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


@dataclass(frozen=True)
class Predicted:
    """The classes that some runs predicted on one split."""

    # (n_runs, n_examples) uint8, in the order in which the runs were requested.
    predicted: NDArray[np.uint8]
    true: NDArray[np.uint8]  # (n_examples,) uint8
    images: tuple[str, bytes]  # which images: the data's content hash and, for validation, the rows


def read_predictions(path: Path) -> Predictions:
    """A run's predictions, checked; a DirectoryError if they are missing or damaged."""
    arrays: dict[str, Any] = read_arrays(path, tuple(_DTYPES))
    return Predictions(**{**arrays, _SHA256: str(arrays[_SHA256])})


def read_predicted(directories: Sequence[str | Path], split: str) -> Predicted:
    """What runs (at least one) predicted on the validation or the test split.

    Raises:
        DirectoryError: A run's predictions are missing or damaged.
        DataError: The runs did not see the same images.
    """
    # Without the probabilities: a tenth of the time that all arrays take.
    names = [name for name in CLASSES if name.startswith(split)]
    names += ["validation_index"] * (split == "validation")
    found = [read_arrays(RunPaths(one).predictions, names) for one in directories]
    first = found[0]
    same = (names[0], *names[2:], _SHA256)
    for directory, one in zip(directories, found, strict=True):
        if not all(np.array_equal(one[name], first[name]) for name in same):
            raise DataError(
                f"Expected runs evaluated on the same {split} images, but "
                f"{Path(directory).name} and {Path(directories[0]).name} used different ones. "
                "Compare runs of the same data and the same split."
            )
    rows = first["validation_index"].tobytes() if len(names) > 2 else b""
    predicted = np.stack([one[names[1]] for one in found])
    return Predicted(predicted, first[names[0]], (str(first[_SHA256]), rows))


def read_arrays(path: Path, names: Sequence[str] = CLASSES) -> dict[str, NDArray[Any]]:
    """Some arrays of a run's predictions, and `data_sha256`, checked."""
    try:
        with opened(path) as file:
            arrays = npz_arrays(file, (*names, _SHA256), MAX_BYTES)
        _check(arrays, names)
    except FileNotFoundError as error:
        if _had_none(RunPaths(path.parent)):
            raise DirectoryError(
                "The run left no predictions (a task stores those that it returns)."
            ) from error
        raise DirectoryError(
            f"Expected a run's predictions at {path}, but there is no such file. "
            "Delete that run's directory and run the same command again to make it."
        ) from error
    except ARRAY_FILE_ERRORS as error:
        raise DirectoryError(
            f"Expected a run's predictions (NPZ) at {path}, but it cannot be used: {error}. "
            "Delete that run's directory and run the same command again."
        ) from error
    return arrays


def _had_none(paths: RunPaths) -> bool:
    # Imported here: reading a record checks its predictions, with this module.
    from mnist_sweep.records.reading import read_record

    with suppress(DirectoryError):
        record = read_record(paths.record)
        return record.task is not None and paths.predictions.name not in record.artefacts
    return False


def write_predictions(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a run's predictions to `path` atomically; if they do not fit, raise a ValueError."""
    _check(arrays, tuple(_DTYPES))
    hashed = arrays[_SHA256].astype("<U64")
    store.write_npz(path, {name: arrays[name] for name in _DTYPES} | {_SHA256: hashed})


def _check(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> None:
    if missing := [name for name in (*names, _SHA256) if name not in arrays]:
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
    sha256 = arrays[_SHA256]
    if sha256.dtype.kind != "U" or sha256.ndim != 0:
        raise ValueError(f"{_SHA256} is not one text")
