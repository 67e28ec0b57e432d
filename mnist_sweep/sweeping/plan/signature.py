"""Which commands in a `sweep.json` this user gave: each is signed with a key of the user's own.

The key lies in the user's state directory and never in a sweep's. A directory that came from
elsewhere, or whose words were edited, has no valid signature.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import platformdirs

KEY_BYTES = 32


def signature(words: Sequence[str]) -> str:
    """Of a command's words; empty where no key can be kept."""
    key = _key()
    return hmac.new(key, "\0".join(words).encode(), hashlib.sha256).hexdigest() if key else ""


def is_signed(words: Sequence[str], signed: str) -> bool:
    """Whether this user gave a command."""
    return bool(signed) and hmac.compare_digest(signature(words).encode(), signed.encode())


def _key() -> bytes:
    path = Path(platformdirs.user_state_dir("mnist_sweep")) / "key"
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"key.{os.getpid()}")
            new.touch(mode=0o600)
            new.write_bytes(secrets.token_bytes(KEY_BYTES))
            new.replace(path)
        found = path.read_bytes()
    except OSError:
        return b""
    return found if len(found) == KEY_BYTES else b""
