"""Temporary directories that outlive no process for long: locked while in use, else removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.locks import release, try_lock

ABANDONED_AFTER_S = 60.0
"""A younger directory may belong to a process that has not locked it yet."""


@contextmanager
def locked_directory(prefix: str, folder: Path | None = None) -> Iterator[Path]:
    """Make a directory, and remove it at the end of the block.

    Directories of the same prefix that killed processes left are removed first.

    Args:
        prefix: Of the directory's name.
        folder: Where it is made; None for the system's temporary folder.
    """
    folder = folder or Path(tempfile.gettempdir())
    _remove_abandoned(folder, prefix)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    lock = try_lock(directory / ".used")
    try:
        yield directory
    finally:
        if lock is not None:
            release(lock)
        shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError, MnistSweepError):
            state = path.lstat()
            mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
            if not mine or time.time() - state.st_mtime < ABANDONED_AFTER_S:
                continue
            lock = try_lock(path / ".used")
            if lock is not None:
                shutil.rmtree(path, ignore_errors=True)
                release(lock)
