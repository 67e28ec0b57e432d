"""Writing what a sweep leaves: records, predictions, JSON and text, whole or not at all.

Every package but `data` writes its files with these functions. Each raises a DirectoryError that
tells the user why it cannot write (a full disk, no permission) and what to do.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mnist_sweep import atomic_files
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.record import Record, build
from mnist_sweep.safe_files import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray


_MARK = ',\n  "sha256": "'
_END = '"\n}\n'

clean_temporary = atomic_files.clean_temporary

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of that path is a file, not a directory",
    errno.EEXIST: "a file of that name is in the way",
    errno.EISDIR: "a directory of that name is in the way",
    errno.ENAMETOOLONG: "the name is too long for the file system",
}


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; missing parent directories are made."""
    with _atomic(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically as UTF-8, line ends as they are."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` atomically as strict JSON; NaN and Infinity are a ValueError."""
    write_text(path, json.dumps(value, allow_nan=False, ensure_ascii=False, indent=2) + "\n")


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays to `path` atomically, compressed; object arrays are refused."""
    import numpy as np

    with _atomic(path) as file:
        np.savez_compressed(file, allow_pickle=False, **dict(arrays))


def write_record(path: Path, record: Record | Mapping[str, Any]) -> None:
    """Write a run's record to `path` atomically, checked against the schema first."""
    write_text(path, to_json(record))


def to_json(record: Record | Mapping[str, Any]) -> str:
    """The record as strict JSON text, one line per top-level field, sealed."""
    checked = record if isinstance(record, Record) else build(record)
    return sealed(plain(checked.model_dump()))


def seal(values: Mapping[str, Any]) -> tuple[str, str]:
    """A record's text without its end, a line per field, and the hash of it."""
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, allow_nan=False, ensure_ascii=False)}"
        for key, value in values.items()
        if key != "sha256"
    ]
    text = ",\n".join(lines)
    return text, hashlib.sha256(text.encode()).hexdigest()


def sealed(values: Mapping[str, Any]) -> str:
    """A record as JSON text: one line per field, and at the end the hash of these lines."""
    text, digest = seal(values)
    return f"{{\n{text}{_MARK}{digest}{_END}"


def is_sealed(read: bytes) -> bool:
    """Whether a file's bytes are those of a record just as it was written."""
    # Without parsing: so 100,000 records are checked in a second.
    text, mark, digest = read.removeprefix(b"{\n").rpartition(_MARK.encode())
    return bool(mark) and digest == f"{hashlib.sha256(text).hexdigest()}{_END}".encode()


def make_directory(path: Path) -> None:
    """Make the directory `path` and its parents; one that exists is fine."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def check_no_link(path: Path) -> None:
    """Refuse a link in place of a directory that is written into: it may lead anywhere."""
    if path.is_symlink():
        raise DirectoryError(
            f"Cannot write into {path}: it is a link to {path.readlink()}, which may lead "
            "outside the sweep's directory. Remove the link, then run the same command again."
        )


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """A temporary directory in `directory`, for writers that choose their own file names."""
    path = atomic_files.temporary_beside(directory / "scratch")
    make_directory(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> DirectoryError:
    """The error for a file or directory that cannot be written."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return DirectoryError(
        f"Cannot write {path}: {reason}. Free the place or choose another directory "
        "(hydra.sweep.dir=…), then run the same command again: finished runs are kept."
    )


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    make_directory(path.parent)
    try:
        with atomic_files.atomic(path) as file:
            yield file
    except OSError as error:
        raise cannot_write(path, error) from error
