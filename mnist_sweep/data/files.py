"""Paths as given, and files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
import tokenize
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from mnist_sweep.errors import DataError

NOT_AN_ARRAY = (
    OSError,
    ValueError,  # NumPy: a bad header, an object array, a truncated member
    EOFError,
    KeyError,
    TypeError,
    MemoryError,  # a header that tells an absurd shape
    RuntimeError,  # zipfile: encrypted, unknown compression
    SyntaxError,  # NumPy parses a header as Python's literals
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged .npy or .npz may raise, nothing in it being unpickled."""


def absolute(path: str, because: str) -> Path:
    """A path as somebody gave it, made absolute, with `~` for a home directory.

    Args:
        path: The path.
        because: The setting or variable it was given by, for the message.

    Raises:
        DataError: `~name` names nobody.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"{because}={path} is not a usable path: {error}.") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by a temporary one beside it, flushed and renamed.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    fsync_directory(path.parent)


def fsync_directory(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    with suppress(OSError):  # some file systems, and Windows, cannot open a directory for this
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
