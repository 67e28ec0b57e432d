"""Compiled programs kept on disk, so that the next run of the same network need not compile.

Repeats of a configuration differ in their seed only and compile to the same program; compiling is
most of the duration of a short run. XLA's key of an entry is a hash of the whole program; the
directory's name covers what else the machine code depends on: TensorFlow's version, the compiler's
flags, the processor and the GPUs. The stored code equals what compiling would give, so results do
not depend on whether a program was stored.

Entries are executable code, like Python's bytecode cache, so only the user may write there.
"""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from mnist_sweep.data.cache import cache_root

MAX_BYTES = 500_000_000
# An environment variable; if it is 0, nothing is kept.
SWITCH = "MNIST_SWEEP_PROGRAMS"


def directory(flags: str) -> Path | None:
    """Where programs compiled with these `XLA_FLAGS` are kept; None if they cannot be."""
    if os.environ.get(SWITCH) == "0":
        return None
    parts = [metadata.version("tensorflow"), flags, platform.machine(), _processor(), *_gpus()]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    path = cache_root(os.environ) / "programs" / key
    if any(c.isspace() or c in "'\"" for c in str(path)):
        return None  # TensorFlow splits its flags at spaces and would use another directory
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path.stat()
    except OSError:
        return None
    mine = not hasattr(os, "getuid") or (state.st_uid == os.getuid() and not state.st_mode & 0o022)
    return path if mine and os.access(path, os.W_OK) else None


def forget(path: Path) -> None:
    """Remove all programs in a directory, as one of them is damaged."""
    for entry in path.iterdir():
        with suppress(OSError):
            entry.unlink()


def prune(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Remove the oldest programs beyond `max_bytes`."""
    entries = []
    for entry in path.iterdir():
        with suppress(OSError):
            state = entry.stat()
            entries.append((state.st_mtime, state.st_size, entry))
    total = 0
    for _, size, entry in sorted(entries, reverse=True):
        total += size
        if total > max_bytes:
            with suppress(OSError):
                entry.unlink()


def _processor() -> str:
    """The processor's instruction sets: code compiled for one may not run on another."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("flags", "Features")):
                return line.partition(":")[2].strip()
    return platform.processor()


def _gpus() -> list[str]:
    """NVIDIA's driver and its GPUs, if there are any."""
    driver, found = Path("/proc/driver/nvidia"), []
    for path in (driver / "version", *sorted(driver.glob("gpus/*/information"))):
        with suppress(OSError):
            found.append(path.read_text(encoding="utf-8", errors="replace"))
    return found
