"""Locks that the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from mnist_sweep.records.store import cannot_write, make_directory

try:
    import fcntl
except ImportError:  # Windows has no flock; sweeps there do not share a directory
    fcntl = None  # type: ignore[assignment]

_held: set[int] = set()
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def _close_in_child() -> None:
    # flock belongs to the open file, which a child shares: it would outlive its taker there.
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def try_lock(path: Path, *, wait: bool = False) -> int | None:
    """Take the lock file `path` if nobody has it, or wait for it as long as it takes.

    Returns a file descriptor that holds the lock until `release` or the end of the process, or None
    where somebody else holds it.
    """
    descriptor = _open(path)
    try:
        # A file system without locks lets everyone through.
        taken = _flock(descriptor, exclusive=True, wait=wait) is not False
    except BaseException:
        os.close(descriptor)
        raise
    if taken:
        _held.add(descriptor)
        return descriptor
    os.close(descriptor)
    return None


def release(descriptor: int) -> None:
    """Give a lock of `try_lock` back."""
    _held.discard(descriptor)
    os.close(descriptor)


@contextmanager
def held(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock file `path` for the block if nobody has it; yields whether it is held.

    With `wait`, or by `locked`, it waits as long as it takes.
    """
    lock = try_lock(path, wait=wait)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            release(lock)


locked = partial(held, wait=True)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock file `path`; nothing is made or kept."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            # Whoever tries to take the lock at this moment may find it held.
            return _flock(descriptor) is False
        finally:
            os.close(descriptor)
    return False


def supported(directory: Path) -> bool:
    """Whether the file system of `directory` has locks; without, sweeps must not share it."""
    descriptor = _open(directory / ".locks" / "probe")
    try:
        return _flock(descriptor) is not None
    except OSError:  # a failure of the moment (EIO, ESTALE): locks there are
        return True
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    make_directory(path.parent)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error


def _flock(descriptor: int, *, exclusive: bool = False, wait: bool = False) -> bool | None:
    """Whether the kernel gave the lock; None where there are no locks."""
    if fcntl is None:
        return None
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    return True
