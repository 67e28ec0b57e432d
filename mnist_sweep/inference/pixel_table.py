"""Digit Recognizer's CSV without labels (`pixel0,pixel1,…`), or with `label` first."""

from __future__ import annotations

import csv
import warnings
from typing import TYPE_CHECKING, TextIO

import numpy as np

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.data.readers import csv as csv_reader
from mnist_sweep.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = "a header pixel0,pixel1,… (or label,pixel0,…) and whole numbers from 0 to 255 below it"
LONGEST_HEADER = 16 * 2**20
"""Bytes; a first line longer than this is no header, and is not read into memory."""
BYTE_ORDER_MARK = "ï»¿"  # UTF-8's, read as Latin-1


def read(path: Path) -> tuple[Bytes, Bytes | None]:
    """Images of a CSV file, and labels if it has them.

    Returns:
        (n, pixels) uint8, and (n,) uint8 or None.

    Raises:
        DataError: The file cannot be read, or a line is wrong (its number is told).
    """
    try:
        # Latin-1 decodes any byte, so a stray one is reported with its line, not as a bad codec.
        with path.open(encoding="latin-1", newline="") as stream:
            names = _header(stream.readline(LONGEST_HEADER))
            if names[0] != "label":
                return _pixels(stream, path, names), None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    examples, _ = csv_reader.read(path)
    return examples.images.reshape(len(examples.images), -1), examples.labels


def _header(line: str) -> list[str]:
    text = line.removeprefix(BYTE_ORDER_MARK).rstrip("\r\n")
    return [name.strip() for name in next(csv.reader([text]), [])] or [""]


def _pixels(stream: TextIO, path: Path, names: list[str]) -> Bytes:
    if names != [f"pixel{i}" for i in range(len(names))]:
        line = ",".join(names)
        found = line if len(line) <= 60 else line[:57] + "..."
        raise DataError(f"Expected {EXPECTED} in {path}, but line 1 is {found!r}.")
    start = stream.tell()
    try:
        with warnings.catch_warnings():
            # "no data" and "an integer parsed via a float" are warnings; both are faults here.
            warnings.simplefilter("error")
            table = np.loadtxt(
                stream, dtype=np.uint8, delimiter=",", comments=None, quotechar='"', ndmin=2
            )
        if table.shape[1] == len(names):
            return table
        reason = f"{table.shape[1]} columns below a header of {len(names)}"
    except (ValueError, OverflowError, Warning) as error:
        reason = str(error)
    stream.seek(start)
    raise DataError(_first_bad_line(stream, path, len(names), reason))


def _first_bad_line(stream: TextIO, path: Path, pixels: int, reason: str) -> str:
    """The message for the first line that is not as expected; `reason` if none is found."""
    lines = 0
    for number, text in enumerate(stream, start=2):
        line = text.rstrip("\r\n")
        if not line:
            continue
        lines += 1
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if len(cells) != pixels:
            return (
                f"Line {number} of {path} has {len(cells)} values; expected {pixels}, as line 1 "
                "names. Mend or remove the line."
            )
        for column, cell in enumerate(cells):
            if not (cell.isascii() and cell.isdigit() and len(cell) <= 20 and int(cell) <= 255):
                shown = cell if len(cell) <= 30 else cell[:27] + "..."
                return (
                    f"Line {number} of {path} has {shown!r} for pixel{column}; expected a whole "
                    "number from 0 to 255. Mend or remove the line."
                )
    if not lines:
        return f"{path} holds a header and no images; expected {EXPECTED}."
    return f"{path} cannot be read: {reason}. Expected {EXPECTED}."
