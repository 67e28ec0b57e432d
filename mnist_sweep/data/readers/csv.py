"""Digit Recognizer's CSV: a header `label,pixel0,pixel1,…`, then one image per line.

Such a file has no test split. Images are square if the number of pixels is a square (784 is
28x28), else one row of pixels, (1, n), so that a network that needs two dimensions gets them.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

import numpy as np

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

TRAIN_FILE = "train.csv"
EXPECTED = (
    "a header label,pixel0,pixel1,… (test data: without label) and whole numbers from 0 to 255 "
    "below it"
)
MAX_HEADER = 16 * 2**20
"""Characters; a longer first line is not a header and is not read into memory."""
_BYTE_ORDER_MARK = "ï»¿"  # UTF-8's, decoded as Latin-1


def recognises(path: Path) -> bool:
    """Whether the path is a .csv file or a folder with a train.csv."""
    file = path / TRAIN_FILE if path.is_dir() else path
    return file.suffix.lower() == ".csv" and file.is_file()


def find(path: Path) -> list[Path]:
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
        DataError: The file cannot be read, or a line is wrong (the message says which).
    """
    file = find(path)[0]
    flat, labels = read_table(file)
    if labels is None:
        raise DataError(
            f"{file} has no labels: line 1 starts with pixel0. Expected {EXPECTED}. Is this the "
            f"competition's test.csv? Its {TRAIN_FILE} is needed."
        )
    side = math.isqrt(flat.shape[1])
    shape = (side, side) if side**2 == flat.shape[1] else (1, flat.shape[1])
    return Examples(flat.reshape(-1, *shape), labels, str(file), str(file)), None


def read_table(file: Path) -> tuple[Bytes, Bytes | None]:
    """Pixels and labels of a file whose header may lack `label`, as the competition's test.csv.

    Returns:
        (n, pixels) uint8, and (n,) uint8 or None.

    Raises:
        DataError: The file cannot be read, or a line is wrong (the message says which).
    """
    try:
        # Latin-1 decodes any byte, so a stray one is reported with its line.
        with file.open(encoding="latin-1", newline="") as stream:
            header = stream.readline(MAX_HEADER)
            columns = _columns(header, file)
            if columns[0] == "pixel0":
                return _parse(stream, file, columns), None
            table = _parse(stream, file, columns)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    return np.ascontiguousarray(table[:, 1:]), np.ascontiguousarray(table[:, 0])


def _columns(line: str, file: Path) -> list[str]:
    text = line.removeprefix(_BYTE_ORDER_MARK).rstrip("\r\n")
    names = [name.strip() for name in next(csv.reader([text]), [])]
    pixels = names[1:] if names[:1] == ["label"] else names
    if not pixels or pixels != [f"pixel{i}" for i in range(len(pixels))]:
        found = text if len(text) <= 60 else text[:57] + "..."
        raise DataError(f"Expected {EXPECTED} in {file}, but line 1 is {found!r}.")
    return names


def _parse(stream: TextIO, file: Path, columns: Sequence[str]) -> Bytes:
    """The table below the header, (n, columns) uint8."""
    start = stream.tell()
    try:
        with warnings.catch_warnings():
            # "no data" and "an integer parsed via a float" are warnings; both are errors here.
            warnings.simplefilter("error")
            table = np.loadtxt(
                stream, dtype=np.uint8, delimiter=",", comments=None, quotechar='"', ndmin=2
            )
        if table.shape[1] == len(columns):
            return table
        reason = f"{table.shape[1]} columns below a header of {len(columns)}"
    except (ValueError, OverflowError, Warning) as error:
        reason = str(error)
    stream.seek(start)
    raise DataError(_first_bad_line(stream, file, columns, reason))


def _first_bad_line(stream: TextIO, file: Path, columns: Sequence[str], reason: str) -> str:
    """The message for the first line that is not as expected; `reason` if none is found."""
    lines = 0
    for number, text in enumerate(stream, start=2):
        line = text.rstrip("\r\n")
        if not line:
            continue
        lines += 1
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if len(cells) != len(columns):
            return (
                f"Line {number} of {file} has {len(cells)} values; expected {len(columns)}, one "
                f"for each column of line 1 ({columns[0]} to {columns[-1]}). Correct or remove "
                "the line."
            )
        for column, cell in zip(columns, cells, strict=True):
            if not (cell.isascii() and cell.isdigit() and len(cell) <= 20 and int(cell) <= 255):
                found = cell if len(cell) <= 30 else cell[:27] + "..."
                return (
                    f"Line {number} of {file} has {found!r} for {column}; expected a whole number "
                    "from 0 to 255. Correct or remove the line."
                )
    if not lines:
        return f"{file} holds a header and no images; expected {EXPECTED}."
    return f"{file} cannot be read: {reason}. Expected {EXPECTED}."
