"""CSV files of images, one image a line, as Kaggle's Digit Recognizer has them.

The header is `label,pixel0,pixel1,…`, counted from 0 or 1, or `label,1x1,1x2,…`; without a header
the label comes first. Under a header of numbers alone, which pandas writes for an array, the
first column is the label if the number of the others is a square. An index column before it,
semicolons or tabs, `5.0`, a delimiter at the end of lines, UTF-16, .gz and .zip are read too. Such
a file has no test split. Images are square if the number of pixels is a square (784 is 28x28), else
one row of pixels, (1, n), so that a network that needs two dimensions gets them.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.data.arrays import Bytes, Examples
from mnist_sweep.errors import DataError
from mnist_sweep.safe_files import opened

TRAIN_FILE = "train.csv"
SUFFIXES = (".csv", ".csv.gz", ".csv.zip", ".zip")
EXPECTED = (
    "a header label,pixel0,pixel1,… (test data: without label) and whole numbers from 0 to 255 "
    "below it"
)
MAX_BYTES = 2 * 2**30  # of the unpacked text; MNIST's has 0.11 GB
_LABELS = ("label", "labels", "class", "target", "digit", "y")
_INDEXES = ("", "index", "id", "imageid", "unnamed: 0")
_LEVEL = re.compile(r"[0-9]{1,20}(\.0*)?")
_ERRORS = (
    OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile,
    NotImplementedError, RuntimeError,  # zipfile: unknown compression, encrypted
)  # fmt: skip


@dataclass(frozen=True)
class _Layout:
    """What the columns of a file are, from its first line."""

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    label: int | None
    pixels: tuple[int, ...]


def recognises(path: Path) -> bool:
    """Whether the path is a CSV file, packed or not, or a folder with a train.csv."""
    file = _in_folder(path) if path.is_dir() else path
    return file.name.lower().endswith(SUFFIXES) and file.is_file()


def find(path: Path) -> list[Path]:
    """The CSV file: `path` itself, or `train.csv` (or `.gz`, `.zip`) if `path` is a folder."""
    chosen = _in_folder(path) if path.is_dir() else path
    if not chosen.is_file():
        raise DataError(
            f"Expected a Digit Recognizer CSV file ({EXPECTED}) or a folder with {TRAIN_FILE}, "
            f"but {chosen} does not exist or is not a file."
        )
    return [chosen]


def _in_folder(folder: Path) -> Path:
    names = (TRAIN_FILE, f"{TRAIN_FILE}.gz", f"{TRAIN_FILE}.zip")
    return next((folder / name for name in names if (folder / name).is_file()), folder / TRAIN_FILE)


def read(path: Path) -> tuple[Examples, Examples | None]:
    """All examples of the file; there is no test split."""
    file = find(path)[0]
    flat, labels = read_table(file)
    if labels is None:
        raise DataError(
            f"{file} has no labels: line 1 starts with a pixel. Expected {EXPECTED}. Is this the "
            f"competition's test.csv? Its {TRAIN_FILE} is needed."
        )
    side = math.isqrt(flat.shape[1])
    shape = (side, side) if side**2 == flat.shape[1] else (1, flat.shape[1])
    return Examples(flat.reshape(-1, *shape), labels, str(file), str(file)), None


def read_table(file: Path) -> tuple[Bytes, Bytes | None]:
    """Pixels and labels of a file, which may lack the labels, as the competition's test.csv.

    Returns:
        (n, pixels) uint8, and (n,) uint8 or None.
    """
    try:
        content = _content(file)
    except _ERRORS as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{file} cannot be read: {reason}.") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{file} is larger than {MAX_BYTES:,} bytes unpacked.")
    is_wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    # Latin-1 decodes any byte, so a stray one is reported with its line.
    text = content.decode("utf-16" if is_wide else "latin-1", errors="replace")
    text = text.removeprefix("ï»¿")  # UTF-8's byte order mark
    layout = _layout(text.partition("\n")[0].rstrip("\r"), file)
    table = _parse(text, layout, file)
    if layout.label is None:
        return table, None
    return np.ascontiguousarray(table[:, 1:]), np.ascontiguousarray(table[:, 0])


def _content(file: Path) -> bytes:
    with opened(file) as plain:
        if file.suffix.lower() == ".gz":
            return gzip.GzipFile(fileobj=plain).read(MAX_BYTES + 1)
        if file.suffix.lower() != ".zip":
            return plain.read(MAX_BYTES + 1)
        with zipfile.ZipFile(plain) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            names = [name for name in names if not name.startswith(("__MACOSX", "."))]
            wanted = TRAIN_FILE if TRAIN_FILE in names else names[0] if len(names) == 1 else None
            if wanted is None:
                found = ", ".join(names) or "none"
                raise OSError(f"expected one .csv file or {TRAIN_FILE} in it, found {found}")
            with archive.open(wanted) as packed:
                return packed.read(MAX_BYTES + 1)


def _layout(line: str, file: Path) -> _Layout:
    delimiter = max(",;\t", key=line.count)
    cells = _cells(line, delimiter)
    if len(cells) > 1 and not cells[-1]:
        cells.pop()  # a delimiter at the end of lines
    # `to_csv` writes the index as a first column without a name.
    first_is_index = bool(cells) and cells[0].lower() in _INDEXES
    columns = [*range(int(first_is_index), len(cells))]
    n, own = len(columns), [cells[i] for i in columns]
    # As pandas writes an array. Pixels that count up exist in examples of a few columns only.
    is_numbered = n > 10 and own in ([str(i + base) for i in range(n)] for base in (0, 1))
    if is_numbered:
        label = columns[0] if _is_square(n - 1) else None
    elif n > 1 and not first_is_index and all(_LEVEL.fullmatch(cell) for cell in own):
        label = None if _is_square(n) and not _is_square(n - 1) else 0
        names = ["label"][: int(label == 0)]
        names += [f"pixel{i}" for i in range(n - len(names))]
        return _Layout(delimiter, tuple(names), False, label, tuple(columns[label == 0 :]))
    else:
        label = next((i for i in columns if cells[i].lower() in _LABELS), None)
    pixels = tuple(i for i in columns if i != label)
    if not is_numbered and not _are_pixels([cells[i].lower() for i in pixels]):
        found = line if len(line) <= 60 else line[:57] + "..."
        raise DataError(f"Expected {EXPECTED} in {file}, but line 1 is {found!r}.")
    return _Layout(delimiter, tuple(cells), True, label, pixels)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.split(delimiter)]


def _is_square(number: int) -> bool:
    return math.isqrt(number) ** 2 == number


def _are_pixels(names: list[str]) -> bool:
    """Whether columns are named as pixels in their order: pixel0…, pixel1…, 0…, or 1x1, 1x2…."""
    side, count = range(math.isqrt(len(names))), range(len(names))
    expected = [
        *([f"{row + base}x{column + base}" for row in side for column in side] for base in (0, 1)),
        *([f"{start}{i + base}" for i in count] for start in ("pixel", "") for base in (0, 1)),
    ]
    return bool(names) and names in expected


def _parse(text: str, layout: _Layout, file: Path) -> Bytes:
    """The table below the header, (n, label and pixels) uint8."""
    lines = text.splitlines()[int(layout.has_header) :]
    chosen = [*([] if layout.label is None else [layout.label]), *layout.pixels]
    width = len(layout.names)
    reason = "its lines differ in length"
    delimiters = {line.count(layout.delimiter) for line in lines if line}
    ends = all(not line or line.endswith(layout.delimiter) for line in lines)
    if delimiters == {width - 1} or (delimiters <= {width - 1, width} and ends):
        for dtype in (np.uint8, np.float32):  # four times as fast where no number is like 5.0
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # "no data" is a warning
                    values: NDArray[Any] = np.loadtxt(
                        lines, dtype, delimiter=layout.delimiter, comments=None, quotechar='"',
                        usecols=chosen, ndmin=2,
                    )  # fmt: skip
                if ((values >= 0) & (values <= 255) & (values % 1 == 0)).all():
                    return values.astype(np.uint8)
            except (ValueError, OverflowError, Warning) as error:
                reason = str(error)
    raise DataError(_first_bad_line(text, file, layout, reason))


def _first_bad_line(text: str, file: Path, layout: _Layout, reason: str) -> str:
    """The message for the first line that is not as expected; `reason` if none is found."""
    names, lines = layout.names, 0
    chosen = {layout.label, *layout.pixels}
    for number, written in enumerate(io.StringIO(text, newline=""), start=1):
        line = written.rstrip("\r\n")
        if not line or (number == 1 and layout.has_header):
            continue
        lines += 1
        cells = _cells(line, layout.delimiter)
        if len(cells) == len(names) + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != len(names):
            return (
                f"Line {number} of {file} has {len(cells)} values; expected {len(names)}, one "
                f"for each column of line 1 ({names[0]} to {names[-1]}). Correct or remove "
                "the line."
            )
        for place, (column, cell) in enumerate(zip(names, cells, strict=True)):
            if place in chosen and not (_LEVEL.fullmatch(cell) and float(cell) <= 255):
                found = cell if len(cell) <= 30 else cell[:27] + "..."
                return (
                    f"Line {number} of {file} has {found!r} for {column}; expected a whole number "
                    "from 0 to 255. Correct or remove the line."
                )
    if not lines:
        return f"{file} holds a header and no images; expected {EXPECTED}."
    return f"{file} cannot be read: {reason}. Expected {EXPECTED}."
