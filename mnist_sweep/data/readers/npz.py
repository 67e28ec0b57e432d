"""NumPy archives of arrays: Keras's, MedMNIST's, and KMNIST's four files of one array each.

Keras's `mnist.npz` holds `x_train`, `y_train`, `x_test` and `y_test`. MedMNIST's hold
`train_images`, `train_labels`, `val_images`, `val_labels`, `test_images` and `test_labels`; their
validation images are added to the training images, from which `data.validation_fraction` splits.
KMNIST is a folder of `kmnist-train-imgs.npz`, `kmnist-train-labels.npz`, `kmnist-test-imgs.npz` and
`kmnist-test-labels.npz`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.data.arrays import Examples, parts_of
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import ARRAY_FILE_ERRORS, npz_arrays, npz_names, opened

# Arrays that unpack to more bytes, and more than so many times the file's size, are refused: images
# shrink to a fifth, and a file that shrinks to a thousandth is zeros alone.
MAX_BYTES, MAX_RATIO = 2**30, 200
NAMES = ("x_train", "y_train", "x_test", "y_test")
CLASSES = "classes"  # may be there too: their number, or an array of their names
MEDMNIST = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION = ("val_images", "val_labels")
# Arrays of images to predict, and of their labels.
_TO_PREDICT = {"x_test": "y_test", "test_images": "test_labels", "images": "labels", "x": "y"}
_ENDS = ("train-imgs.npz", "train-labels.npz", "test-imgs.npz", "test-labels.npz")


def recognises(path: Path) -> bool:
    """Whether the path is a file whose name ends in .npz, or a folder of KMNIST's."""
    if path.is_dir():
        return any(file.name.endswith(_ENDS) for file in path.iterdir())
    return path.suffix.lower() == ".npz" and path.is_file()


def find(path: Path) -> list[Path]:
    """The archive itself, or KMNIST's four: train images, labels, test images, labels."""
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
    """Training and test examples of an archive; nothing in it is unpickled."""
    files = find(path)
    stated = None
    if len(files) > 1:
        arrays, where = [_single(file) for file in files], [str(file) for file in files]
    else:
        found = _arrays(path, lambda names: _of_dataset(names, path), f"arrays {', '.join(NAMES)}")
        stated = found.pop(CLASSES, None)
        arrays, where = list(found.values()), [f"{name} in {path}" for name in found]
        for i, more in enumerate(arrays[4:]):  # MedMNIST's validation split
            arrays[i] = np.concatenate([arrays[i], more])
    return parts_of(arrays[:4], where, stated, f"{CLASSES} in {path}")


def read_images(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None, tuple[str, str]]:
    """Images to predict, their labels if there are any, and where both come from.

    Of a whole dataset these are the test images; else the archive has a single array.
    """
    files = find(path)
    if len(files) > 1:
        return _single(files[2]), _single(files[3]), (str(files[2]), str(files[3]))

    def choose(names: list[str]) -> list[str]:
        pairs = [(one, label) for one, label in _TO_PREDICT.items() if one in names]
        if pairs:
            return [name for name in pairs[0] if name in names]
        if len(names) == 1:
            return [*names, "labels"]
        *others, last = _TO_PREDICT
        raise DataError(
            f"Expected one array of images in {path}, or one named {', '.join(others)} or {last}; "
            f"found {', '.join(names) or 'none'}. Rename it."
        )

    found = _arrays(path, choose, "arrays")
    name, label, *_ = (*found, _TO_PREDICT.get(next(iter(found)), "labels"))
    return found[name], found.get(label), (f"{name} in {path}", f"{label} in {path}")


def _of_dataset(found: list[str], path: Path) -> list[str]:
    """Train images and labels, test images and labels; then the validation split's and classes."""
    names = MEDMNIST if set(MEDMNIST) <= set(found) else NAMES
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}: expected the arrays {', '.join(NAMES)} or "
            f"{', '.join(MEDMNIST)}, found {', '.join(found) or 'none'}."
        )
    more = _VALIDATION if names is MEDMNIST and set(_VALIDATION) <= set(found) else ()
    return [*names, *more, CLASSES]


def _single(file: Path) -> NDArray[Any]:
    arrays = list(_arrays(file, lambda names: names[:2], "array").values())
    if len(arrays) != 1:
        raise DataError(f"Expected one array in {file}, found {len(arrays) or 'none'}.")
    return arrays[0]


def _arrays(
    path: Path, choose: Callable[[list[str]], Sequence[str]], expected: str
) -> dict[str, NDArray[Any]]:
    """The arrays that `choose` takes from the names of all, as far as they are there."""
    try:
        with opened(path) as file:
            if file.peek(6).startswith(np.lib.format.MAGIC_PREFIX):
                raise DataError(
                    f"{path} holds a single array; expected an .npz archive of plain {expected}."
                )
            size = path.stat().st_size
            names = npz_names(file)
            return npz_arrays(file, choose(names), max(MAX_BYTES, MAX_RATIO * size))
    except ARRAY_FILE_ERRORS as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{path} cannot be read as an .npz archive of plain {expected}: {reason}. Copy or "
            "write the file again."
        ) from error
