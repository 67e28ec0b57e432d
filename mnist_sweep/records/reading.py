"""One record's file: its bytes, the record in them, or in a few words why there is none."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.record import Record

MAX_BYTES = 256 * 2**20
"""A larger record is refused unread: 100,000 epochs need about 10 MB."""


class Unread(NamedTuple):
    """Why a run's directory gave no record.

    `kind` is stray for a file that is no run's directory at all, begun where there is no record
    (yet), and problem for a record that is damaged.
    """

    kind: Literal["stray", "begun", "problem"]
    reason: str


def read_record(path: Path) -> Record:
    """Read one record strictly.

    Raises:
        DirectoryError: The file is missing or is not a whole, valid record; the text says why.
    """
    try:
        return parse(content(path)[0])
    except (OSError, ValueError) as error:
        raise DirectoryError(f"Expected a run's record at {path}: {reason(error)}.") from error


def try_record(path: Path) -> tuple[Record, os.stat_result | None] | Unread:
    """The record of a run's directory and its file's status, or why there is none.

    The status is None where the file was being written to: then the bytes may be of no one state.
    """
    try:
        read, status = content(path)
        return parse(read), status
    except NotADirectoryError as error:
        return Unread("stray", reason(error))
    except FileNotFoundError as error:
        return Unread("begun", reason(error))
    except (OSError, ValueError) as error:
        return Unread("problem", reason(error))


def content(path: Path, max_bytes: int = MAX_BYTES) -> tuple[bytes, os.stat_result | None]:
    """The bytes of a regular file, and its status unless it changed while it was read.

    Everything that this room reads is read here: a pipe of that name does not block the reader, and
    a huge file does not fill the memory.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not a regular file, or larger than `max_bytes`.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise ValueError("not a regular file")
        if before.st_size > max_bytes:
            raise ValueError(f"{before.st_size:,} bytes is too large")
        read = file.read()
        after = os.fstat(descriptor)
    same = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size, after.st_mtime_ns, after.st_ctime_ns,
    )  # fmt: skip
    return read, after if same else None


def parse(read: bytes) -> Record:
    """The record in a file's bytes.

    Raises:
        ValueError: They hold no valid record; `reason` puts it into words.
    """
    if not read.strip():
        raise ValueError("the file is empty")
    read.decode("utf-8")  # or UnicodeDecodeError, which is a ValueError
    if b"NaN" in read or b"Infinity" in read:
        # pydantic's parser takes these words as numbers; strict JSON has no such numbers.
        try:
            json.loads(read, parse_constant=_refuse)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    return Record.model_validate_json(read)


def reason(error: Exception) -> str:  # noqa: PLR0911  (one return per kind of error)
    """One short line about why a file could not be taken."""
    if isinstance(error, ValidationError):
        first, *others = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
        text = text.replace("Value error, ", "").replace("Invalid JSON:", "not valid JSON:")
        more = f" (and {len(others)} more)" if others else ""
        return " ".join(text.split())[:300] + more
    if isinstance(error, IsADirectoryError):
        return "a directory stands in its place"
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON: {error}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:300]


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON; a value that is not finite must be null")
