"""NumPy archives of arrays: Keras's, MedMNIST's, and KMNIST's four files of one array each.

Keras's `mnist.npz` holds `x_train`, `y_train`, `x_test` and `y_test`. MedMNIST's hold
`train_images`, `train_labels`, `val_images`, `val_labels`, `test_images` and `test_labels`; their
validation images are added to the training images, from which `data.validation_fraction` splits.
KMNIST is a folder of `kmnist-train-imgs.npz`, `kmnist-train-labels.npz`, `kmnist-test-imgs.npz` and
`kmnist-test-labels.npz`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep import safe_files
from mnist_sweep.data.arrays import (
    ARRAY_FILE_ERRORS,
    Bytes,
    Examples,
    class_count,
)
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


MAX_BYTES, MAX_RATIO = 2**30, 200
"""An archive that unpacks to more bytes, and more than so many times its own size, is refused:
images shrink to a fifth, and a file that shrinks to a thousandth is zeros alone."""
NAMES = ("x_train", "y_train", "x_test", "y_test")
CLASSES = "classes"
"""May be there too: their number, or an array of their names."""
MEDMNIST = ("train_images", "train_labels", "test_images", "test_labels")
_ENDS = ("train-imgs.npz", "train-labels.npz", "test-imgs.npz", "test-labels.npz")


def recognises(path: Path) -> bool:
    """Whether the path is a file whose name ends in .npz, or a folder of KMNIST's."""
    if path.is_dir():
        return any(file.name.endswith(_ENDS) for file in path.iterdir())
    return path.suffix.lower() == ".npz" and path.is_file()


def find(path: Path) -> list[Path]:
    """The archive itself, or KMNIST's four: train images, labels, test images, labels.

    Raises:
        DataError: There is no such file, or not exactly one of each kind in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(
            f"Expected an .npz file with {', '.join(NAMES)}, but {path} does not exist."
        )
    files = sorted(path.glob("[!.]*.npz"))
    found = [[file for file in files if file.name.endswith(end)] for end in _ENDS]
    if any(len(one) != 1 for one in found):
        raise DataError(
            f"Expected an .npz file, or a folder with one file named …-{', …-'.join(_ENDS)} each; "
            f"{path} holds {', '.join(file.name for file in files) or 'no .npz file'}."
        )
    return [one for (one,) in found]


def read(path: Path) -> tuple[Examples, Examples | None]:
    """Training and test examples of an archive; nothing in it is unpickled.

    Raises:
        DataError: It cannot be read, is damaged, lacks an array, or an array is not of whole
            numbers from 0 to 255.
    """
    files = find(path)
    classes = None
    if len(files) > 1:
        arrays, where = [_single(file) for file in files], [str(file) for file in files]
    else:
        arrays, where, classes = _named(path)
    train, test = (
        Examples.of(arrays[i], arrays[i + 1], where[i], where[i + 1], classes) for i in (0, 2)
    )
    return train, test


def _named(path: Path) -> tuple[list[Bytes], list[str], int | None]:
    """Train images and labels, test images and labels of one archive; their names; classes."""
    with opened(path, f"plain arrays {', '.join(NAMES)}") as archive:
        names = MEDMNIST if set(MEDMNIST) <= set(archive.files) else NAMES
        missing = [name for name in names if name not in archive.files]
        if missing:
            raise DataError(
                f"{path} lacks {', '.join(missing)}: expected the arrays {', '.join(NAMES)} or "
                f"{', '.join(MEDMNIST)}, found {', '.join(archive.files) or 'none'}."
            )
        arrays = [archive[name] for name in names]
        if names is MEDMNIST and {"val_images", "val_labels"} <= set(archive.files):
            for i, name in enumerate(("val_images", "val_labels")):
                arrays[i] = np.concatenate([arrays[i], archive[name]])
        stated = archive[CLASSES] if CLASSES in archive.files else None
    classes = None if stated is None else class_count(stated, f"{CLASSES} in {path}")
    return arrays, [f"{name} in {path}" for name in names], classes


def _single(file: Path) -> Bytes:
    with opened(file, "one plain array") as archive:
        if len(archive.files) != 1:
            found = ", ".join(archive.files) or "none"
            raise DataError(f"Expected one array in {file}, found {found}.")
        return archive[archive.files[0]]


@contextmanager
def opened(path: Path, expected: str) -> Iterator[np.lib.npyio.NpzFile]:
    """An archive whose arrays are read within the block; nothing in it is unpickled.

    Args:
        path: An .npz file.
        expected: What it should contain, for messages.

    Raises:
        DataError: It is not an archive, or it or an array read within the block is damaged.
    """
    try:
        # Opened here, because NumPy does not close a damaged file.
        with safe_files.opened(path) as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(
                    f"{path} holds a single array; expected an .npz archive of {expected}."
                )
            packed = path.stat().st_size
            entries = archive.zip.infolist() if archive.zip else []
            unpacked = sum(int(entry.file_size) for entry in entries)
            if unpacked > max(MAX_BYTES, MAX_RATIO * packed):
                raise ValueError(f"its {packed:,} bytes would unpack to {unpacked:,}")
            yield archive
    except ARRAY_FILE_ERRORS as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path} cannot be read as an .npz archive of {expected}: {reason}. Copy or write "
            "the file again."
        ) from error
