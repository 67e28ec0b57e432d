"""Pictures (PNG, JPEG, …) in a folder for each class, as torchvision's `ImageFolder` has them.

`PATH/CLASS/picture.png`, or `PATH/train/CLASS/…` with `PATH/test/CLASS/…`, `PATH/val/CLASS/…` or
both; validation pictures are added to the training pictures, from which `data.validation_fraction`
splits. Folders with whole numbers as names are these classes; other names are numbered in
alphabetical order. All pictures have one size; colours are converted to grey.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_sweep.data import pictures
from mnist_sweep.data.arrays import Examples
from mnist_sweep.errors import DataError
from mnist_sweep.metrics import MAX_CLASSES

_PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_EXPECTED = "pictures in a folder for each class, PATH/CLASS/picture.png"

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
    images = pictures.read([file for _, file in (*train, *test)])
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
    below = {_PARTS.get(child.name.lower()): child for child in path.iterdir() if child.is_dir()}
    if "train" not in below or len(below.keys() & {"val", "test"}) == 0:
        below = {"train": path}
    found = {name: _pictures(below[name]) if name in below else [] for name in _PARTS.values()}
    train = [*found["train"], *found["val"]]
    classes = {name for name, _ in train}
    if len(classes) < 2:
        raise DataError(
            f"Expected {_EXPECTED}; {below['train']} has {len(classes)} folders with pictures "
            f"({', '.join(pictures.SUFFIXES)})."
        )
    return sorted(train, key=lambda one: one[0]), found["test"]


def _pictures(folder: Path) -> Part:
    return [
        (child.name, file)
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
        for file in sorted(child.iterdir())
        if file.suffix.lower() in pictures.SUFFIXES and not file.name.startswith(".")
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
