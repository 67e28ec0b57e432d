"""A prepared dataset: its description, which travels as plain values, and its arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.data.arrays import ARRAY_NAMES, Arrays, Bytes, content_sha256
from mnist_sweep.data.cache import Stamp, map_arrays, stamp
from mnist_sweep.data.split import Rows, validation_rows
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS


@dataclass(frozen=True)
class DatasetInfo:
    """The description of a prepared dataset."""

    name: str  # `mnist`, `digits`, or the name of the file or folder
    source: str  # where it came from, for people
    sha256: str  # hash of the content (64 hex digits): the four arrays, `classes` and `scale`
    shape: tuple[int, ...]  # the shape of one image, as (28, 28)
    classes: int
    scale: float  # the raw pixel value that maps to 1.0
    n_train: int
    n_validation: int  # examples to validate on, split off the training data; `n_train` are left
    n_test: int
    validation_fraction: float
    split_seed: int  # seed of the splits
    test_fraction: float | None  # share of the test split; None if the data has its own
    cache: str  # the directory of the arrays
    notice: str | None  # what must be shown, as that bundled digits replace MNIST; or None
    # What the classes are called, by label; empty where they have no names.
    class_names: tuple[str, ...] = ()
    # Identity of the files of the arrays when their hash was last computed, see `cache.stamp`; None
    # where the description comes from a file.
    stamp: Stamp | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, without the stamp."""
        names = ("shape", "class_names")
        values = {**asdict(self), **{name: [*getattr(self, name)] for name in names}}
        del values["stamp"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetInfo:
        """The reverse of `to_dict`; fields it does not know are ignored.

        Raises:
            DataError: A field is missing.
        """
        values = {"class_names": (), **values}  # earlier versions did not write it
        names = {f.name for f in fields(cls)} - {"stamp"}
        if missing := sorted(names - values.keys()):
            raise DataError(f"A dataset's description lacks {', '.join(missing)}.")
        known: dict[str, Any] = {name: values[name] for name in names}
        return cls(**known | {name: tuple(known[name]) for name in ("shape", "class_names")})

    def record_fields(self) -> dict[str, Any]:
        """The `data` object of a record."""
        others = ("validation_fraction", "split_seed", "test_fraction", "cache")
        return {name: value for name, value in self.to_dict().items() if name not in others}

    def deciding(self) -> dict[str, Any]:
        """What of the data affects a run's result, for its run id."""
        kept = ("sha256", "validation_fraction", "split_seed", "test_fraction")
        return {name: getattr(self, name) for name in kept}


# Of a task of the user's own that uses no prepared data.
NO_DATA = DatasetInfo(
    name="", source="", sha256="", shape=(), classes=0, scale=1.0, n_train=0, n_validation=0,
    n_test=0, validation_fraction=0.0, split_seed=0, test_fraction=None, cache="", notice=None,
)  # fmt: skip


@dataclass
class Dataset:
    """The arrays of a dataset, memory-mapped and shared between processes; never write to them."""

    info: DatasetInfo
    train_images: Bytes  # (n_train + n_validation, *shape) uint8, raw pixels from 0 to `info.scale`
    train_labels: Bytes  # (n_train + n_validation,) uint8
    test_images: Bytes  # (n_test, *shape) uint8
    test_labels: Bytes  # (n_test,) uint8
    train_index: Rows  # (n_train,) int32, sorted rows of `train_images` to train on
    validation_index: Rows  # (n_validation,) int32, sorted rows of `train_images` to validate on


def load(info: DatasetInfo) -> Dataset:
    """Map the arrays of a prepared dataset into memory, and check that they are the right ones.

    Raises:
        DataError: A file is missing, unreadable or not as described.
    """
    directory = Path(info.cache)
    rows = {"train": info.n_train + info.n_validation, "test": info.n_test}
    try:
        arrays = map_arrays(directory)
    except ARRAY_FILE_ERRORS as error:
        raise _damaged(directory, str(error)) from error
    for name, array in arrays.items():
        part, _, kind = name.partition("_")
        shape = (rows[part], *(info.shape if kind == "images" else ()))
        if array.shape != shape:
            raise _damaged(directory, f"{name}.npy is {array.shape}, not {shape}")
    train_index, validation_index = validation_rows(
        directory, arrays["train_labels"], info.validation_fraction, info.split_seed
    )
    if len(validation_index) != info.n_validation:
        raise _damaged(directory, f"{len(validation_index)} validation rows")
    dataset = Dataset(info, **arrays, train_index=train_index, validation_index=validation_index)
    check_unchanged(dataset)
    return dataset


def check_unchanged(dataset: Dataset) -> None:
    """Check that a dataset has the content of its hash; call it after the arrays were used, too.

    Raises:
        DataError: Somebody wrote into its files: what was computed from it is of other data.
    """
    info = dataset.info
    directory = Path(info.cache)
    if info.stamp is not None and info.stamp == stamp(directory):
        return  # cheap enough for every run: the files are those that `prepare` has hashed
    four = {name: getattr(dataset, name) for name in ARRAY_NAMES}
    for name, array in four.items():
        path = directory / f"{name}.npy"
        # Reading what was cut off a mapped file kills the process (SIGBUS).
        whole = getattr(array, "offset", 0) + array.nbytes
        if path.exists() and path.stat().st_size < whole:
            raise _damaged(directory, f"{path.name} was cut")
    found = content_sha256(Arrays(**four, classes=info.classes, scale=info.scale))
    if found != info.sha256:
        raise _damaged(
            directory, f"its content is {found[:12]}, not {info.sha256[:12]}: it was changed"
        )


def class_counts(info: DatasetInfo) -> dict[str, list[int]]:
    """How many examples each class has in `train`, `validation` and `test`, by label."""
    data = load(info)
    labels = {
        "train": data.train_labels[data.train_index],
        "validation": data.train_labels[data.validation_index],
        "test": data.test_labels,
    }
    return {
        name: np.bincount(values, minlength=info.classes).tolist()
        for name, values in labels.items()
    }


def _damaged(directory: Path, reason: str) -> DataError:
    return DataError(
        f"The prepared data in {directory} is missing or damaged: {reason}. Run the command "
        "again: it is rebuilt from its source."
    )
