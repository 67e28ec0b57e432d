"""NumPy archives with `x_train`, `y_train`, `x_test` and `y_test`, as Keras stores MNIST."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep import safe_files
from mnist_sweep.data.arrays import ARRAY_FILE_ERRORS, Examples, as_bytes, class_count
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES, MAX_RATIO = 2**30, 200
"""An archive that unpacks to more bytes, and more than so many times its own size, is refused:
images shrink to a fifth, and a file that shrinks to a thousandth is zeros alone."""
NAMES = ("x_train", "y_train", "x_test", "y_test")
CLASSES = "classes"
"""May be there too: their number, or an array of their names."""


def recognises(path: Path) -> bool:
    """Whether the path is a file whose name ends in .npz."""
    return path.suffix.lower() == ".npz" and path.is_file()


def find(path: Path) -> list[Path]:
    """The archive itself.

    Raises:
        DataError: There is no such file.
    """
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"Expected an .npz file with {', '.join(NAMES)}, but {path} {found}.")
    return [path]


def read(path: Path) -> tuple[Examples, Examples | None]:
    """Training and test examples of an archive; nothing in it is unpickled.

    Raises:
        DataError: It cannot be read, is damaged, lacks an array, or an array is not of whole
            numbers from 0 to 255.
    """
    find(path)
    with opened(path, f"plain arrays {', '.join(NAMES)}") as archive:
        missing = [name for name in NAMES if name not in archive.files]
        if missing:
            raise DataError(
                f"{path} lacks {', '.join(missing)}: expected the arrays {', '.join(NAMES)}, "
                f"found {', '.join(archive.files) or 'none'}."
            )
        x, y, x_test, y_test = (as_bytes(archive[name], f"{name} in {path}") for name in NAMES)
        classes = None
        if CLASSES in archive.files:
            classes = class_count(archive[CLASSES], f"{CLASSES} in {path}")
    names = [f"{name} in {path}" for name in NAMES]
    train = Examples(x, y, names[0], names[1], classes=classes)
    return train, Examples(x_test, y_test, names[2], names[3])


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
