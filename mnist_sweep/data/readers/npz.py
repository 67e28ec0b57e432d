"""NumPy archives with `x_train`, `y_train`, `x_test` and `y_test`, as Keras stores MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.data.files import NOT_AN_ARRAY
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAMES = ("x_train", "y_train", "x_test", "y_test")


def files(path: Path) -> list[Path]:
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
    files(path)
    try:
        # Opened here, as NumPy leaves a damaged file open.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(
                    f"{path} holds a single array; expected an .npz archive of {', '.join(NAMES)}."
                )
            missing = [name for name in NAMES if name not in archive.files]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}: expected the arrays {', '.join(NAMES)}, "
                    f"found {', '.join(archive.files) or 'none'}."
                )
            arrays = {name: as_bytes(archive[name], f"{name} in {path}") for name in NAMES}
    except NOT_AN_ARRAY as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path} cannot be read as an .npz archive of plain arrays {', '.join(NAMES)}: "
            f"{reason}. Fetch or write the file again."
        ) from error
    parts = [
        Examples(
            arrays[f"x_{part}"], arrays[f"y_{part}"], f"x_{part} in {path}", f"y_{part} in {path}"
        )
        for part in ("train", "test")
    ]
    return parts[0], parts[1]


def as_bytes(array: NDArray[np.generic], where: str) -> Bytes:
    """Whole numbers from 0 to 255 of any numeric type as uint8.

    Raises:
        DataError: The type is not numeric, or a value is not such a number.
    """
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, dtype=np.uint8)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"Expected whole numbers from 0 to 255 in {where}, found the type {array.dtype}."
        )
    with np.errstate(invalid="ignore"):
        result = array.astype(np.uint8)
    bad = np.flatnonzero(result != array)
    if bad.size:
        value = array.reshape(-1)[bad[0]]
        hint = (
            " Pixels scaled to 0..1 must be multiplied by 255 and rounded."
            if array.dtype.kind == "f" and 0 < value < 1
            else ""
        )
        raise DataError(
            f"Expected whole numbers from 0 to 255 in {where}, found {value} "
            f"(type {array.dtype}).{hint}"
        )
    return np.ascontiguousarray(result)
