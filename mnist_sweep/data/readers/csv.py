"""Digit Recognizer's CSV: a header `label,pixel0,pixel1,…`, then one image a line.

Such a file has no test split of its own. Images are square where the number of pixels is a
square (784 is 28x28), else one row of pixels, (1, n), so that a network that wants two
dimensions still gets them.
"""

from __future__ import annotations

import csv
import math
import warnings
from typing import TYPE_CHECKING, TextIO

import numpy as np

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_FILE = "train.csv"
EXPECTED = "a header label,pixel0,pixel1,… and whole numbers from 0 to 255 below it"


def files(path: Path) -> list[Path]:
    """The CSV file: `path` itself, or `train.csv` if `path` is a folder.

    Raises:
        DataError: There is no such file.
    """
    chosen = path / TRAIN_FILE if path.is_dir() else path
    if not chosen.is_file():
        raise DataError(
            f"Expected a Digit Recognizer CSV file ({EXPECTED}) or a folder with {TRAIN_FILE}, "
            f"but {chosen} does not exist or is not a file."
        )
    return [chosen]


def read(path: Path) -> tuple[Examples, Examples | None]:
    """All examples of the file; there is no test split.

    Raises:
        DataError: The file cannot be read, or a line is wrong (its number is told).
    """
    file = files(path)[0]
    try:
        # Latin-1 decodes any byte, so a stray one is reported with its line, not as a bad codec.
        with file.open(encoding="latin-1", newline="") as stream:
            pixels = _pixels_of_header(stream.readline(), file)
            table = _parse(stream, file, pixels)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    side = math.isqrt(pixels)
    shape = (side, side) if side * side == pixels else (1, pixels)
    images = np.ascontiguousarray(table[:, 1:]).reshape(-1, *shape)
    return Examples(images, np.ascontiguousarray(table[:, 0]), str(file), str(file)), None


def _pixels_of_header(line: str, file: Path) -> int:
    text = line.removeprefix("ï»¿").rstrip("\r\n")  # a UTF-8 byte order mark, read as Latin-1
    names = [name.strip() for name in next(csv.reader([text]), [])]
    if names and names[0] == "pixel0":
        raise DataError(
            f"{file} has no labels: line 1 starts with pixel0. Expected {EXPECTED}. Is this the "
            f"competition's test.csv? Its {TRAIN_FILE} is needed."
        )
    pixels = len(names) - 1
    if pixels < 1 or names != ["label", *(f"pixel{i}" for i in range(pixels))]:
        found = text if len(text) <= 60 else text[:57] + "..."
        raise DataError(f"Expected {EXPECTED} in {file}, but line 1 is {found!r}.")
    return pixels


def _parse(stream: TextIO, file: Path, pixels: int) -> Bytes:
    """The table below the header, (n, 1 + pixels) uint8."""
    start = stream.tell()
    try:
        with warnings.catch_warnings():
            # "no data" and "an integer parsed via a float" are warnings; both are faults here.
            warnings.simplefilter("error")
            table = np.loadtxt(
                stream, dtype=np.uint8, delimiter=",", comments=None, quotechar='"', ndmin=2
            )
        if table.shape[1] == pixels + 1:
            return table
        reason = f"{table.shape[1]} columns below a header of {pixels + 1}"
    except (ValueError, OverflowError, Warning) as error:
        reason = str(error)
    stream.seek(start)
    raise DataError(_first_bad_line(stream, file, pixels, reason))


def _first_bad_line(stream: TextIO, file: Path, pixels: int, reason: str) -> str:
    """The message for the first line that is not as expected; `reason` if none is found."""
    lines = 0
    for number, text in enumerate(stream, start=2):
        line = text.rstrip("\r\n")
        if not line:
            continue
        lines += 1
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if len(cells) != pixels + 1:
            return (
                f"Line {number} of {file} has {len(cells)} values; expected {pixels + 1}, "
                f"a label and {pixels} pixels. Mend or remove the line."
            )
        for column, cell in enumerate(cells):
            if not (cell.isascii() and cell.isdigit()) or int(cell[-20:]) > 255 or len(cell) > 20:
                name = "label" if column == 0 else f"pixel{column - 1}"
                shown = cell if len(cell) <= 30 else cell[:27] + "..."
                return (
                    f"Line {number} of {file} has {shown!r} for {name}; expected a whole number "
                    "from 0 to 255. Mend or remove the line."
                )
    if not lines:
        return f"{file} holds a header and no images; expected {EXPECTED}."
    return f"{file} cannot be read: {reason}. Expected {EXPECTED}."
