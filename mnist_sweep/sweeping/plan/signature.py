"""Which commands in a `sweep.json` this user gave: each is signed with a key of the user's own.

The key lies in the user's state directory and never in a sweep's. A directory that came from
elsewhere, or whose words were edited, has no valid signature.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import platformdirs

KEY_BYTES = 32


def signature(words: Sequence[str]) -> str:
    """Of a command's words; empty where no key can be kept."""
    key = _key()
    return hmac.new(key, "\0".join(words).encode(), hashlib.sha256).hexdigest() if key else ""


def is_signed(words: Sequence[str], signed: str) -> bool:
    """Whether this user gave a command."""
    # A signature of no words would cover whatever an edited file has in their place.
    return bool(words and signed) and hmac.compare_digest(
        signature(words).encode(), signed.encode()
    )


def _key() -> bytes:
    path = platformdirs.user_state_path("mnist-sweep", appauthor=False) / "key"
    try:
        found = path.read_bytes() if path.exists() else b""
        if len(found) != KEY_BYTES:
            path.parent.mkdir(parents=True, exist_ok=True)
            if found:  # damaged
                path.unlink(missing_ok=True)
            _create(path)
            found = path.read_bytes()
    except OSError:
        return b""
    return found


def _create(path: Path) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        # Another process that has just made a key keeps it: what it signed must stay valid.
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
