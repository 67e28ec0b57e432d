"""Files appear whole or not at all: the one writer of every result, cache and table.

A file is written beside its place under a name of its own, flushed, fsynced and renamed over the
place; then the directory is fsynced. After a crash or a power cut there is the old file or the new
one, never a part.
`data` calls this module, the other packages `records.store`, whose errors name the way out.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

# Names of files and directories that are being written.
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}\.partial")


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A new file that replaces `path` when the block ends without an exception.

    Raises:
        OSError: It cannot be written; the old file stays, and nothing else is left behind.
    """
    temporary = temporary_beside(path)
    try:
        # Mode x: never another writer's file. No mkstemp: the umask decides who may read.
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # an interrupt must not leave the temporary file either
        with suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically; errors are as of `atomic`."""
    with atomic(path) as file:
        file.write(content)


def sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut, where the file system can."""
    with suppress(OSError):  # Windows and some file systems cannot open a directory
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clean_temporary(directory: Path, *, below: bool = True) -> int:
    """Remove what interrupted writers left, and return how many files these were.

    Only where nothing writes at the moment; `below` looks into all directories below, too.
    """
    removed = 0
    # Not Path.rglob, which fails where a directory vanishes meanwhile.
    for parent, inner, names in os.walk(directory):
        for name in filter(TEMPORARY.fullmatch, [*inner, *names]):
            found = Path(parent, name)
            with suppress(OSError):
                if found.is_dir() and not found.is_symlink():
                    removed += len([*found.iterdir()])
                    shutil.rmtree(found, ignore_errors=True)
                else:
                    found.unlink()
                    removed += 1
        if not below:
            break
    return removed


def temporary_beside(path: Path) -> Path:
    """A name of one's own beside `path`, which `clean_temporary` recognises."""
    return path.parent / f".{path.name}.{secrets.token_hex(8)}.partial"
