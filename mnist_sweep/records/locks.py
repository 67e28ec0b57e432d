"""Locks that the kernel drops when their holder dies, however it dies."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnist_sweep.records.store import cannot_write, make_directory

try:
    import fcntl
except ImportError:  # Windows has no flock; sweeps there do not share a directory
    fcntl = None  # type: ignore[assignment]

_held: set[int] = set()
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock file `path`; nothing is made or kept.

    Whoever tries to take the lock at the same moment may find it held.
    """
    if fcntl is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the block, waiting for it as long as it takes.

    Raises:
        DirectoryError: The lock file cannot be made.
    """
    lock = _take(path, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            release(lock)


def try_lock(path: Path) -> int | None:
    """Take the lock file `path` if nobody has it.

    Returns:
        An open file descriptor that holds the lock until `release` or the end of the process, or
        None where somebody else holds it.

    Raises:
        DirectoryError: The lock file cannot be made.
    """
    return _take(path, wait=False)


def _take(path: Path, *, wait: bool) -> int | None:
    descriptor = _open(path)
    try:
        taken = _flock(descriptor, wait=wait)
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
def held(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` for the block if nobody has it; yields whether it is held.

    Raises:
        DirectoryError: The lock file cannot be made.
    """
    lock = try_lock(path)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            release(lock)


def _not_a_childs() -> None:
    """In a forked process: a lock is its taker's, and must not outlive it in a child."""
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_not_a_childs)


def supported(directory: Path) -> bool:
    """Whether the file system of `directory` has locks; without, sweeps must not share it."""
    if fcntl is None:
        return False
    descriptor = _open(directory / ".locks" / "probe")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    finally:
        os.close(descriptor)
    return True


def _open(path: Path) -> int:
    make_directory(path.parent)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        raise cannot_write(path, error) from error


def _flock(descriptor: int, *, wait: bool) -> bool:
    """Lock; False where another holds it. A file system without locks lets everyone through."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True
