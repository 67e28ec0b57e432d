"""Paths as given, and the errors of damaged array files."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
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
