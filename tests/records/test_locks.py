"""Locks end with their taker, and what a killed writer left is removed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from mnist_sweep.records import locks, store


def test_a_lock_ends_with_its_taker_and_not_with_a_child_it_left_behind(tmp_path: Path):
    lock = locks.try_lock(tmp_path / "lock")
    assert lock is not None
    assert locks.try_lock(tmp_path / "lock") is None
    done, proceed = os.pipe()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(proceed)
        os.write(tell, b"!")
        os.read(done, 1)  # lives until the parent closes its end
        os._exit(0)
    os.close(done)
    os.read(ready, 1)
    try:
        locks.release(lock)
        again = locks.try_lock(tmp_path / "lock")
        assert again is not None
        locks.release(again)
    finally:
        for descriptor in (proceed, ready, tell):
            os.close(descriptor)
        os.waitpid(child, 0)


def test_what_a_killed_writer_left_is_cleaned(tmp_path: Path):
    with store.scratch(tmp_path) as scratch:
        (scratch / "model.keras").write_bytes(b"half")
    assert list(tmp_path.iterdir()) == []
    left = tmp_path / "run" / ".scratch.0123456789abcdef.partial"
    left.mkdir(parents=True)
    (left / "model.keras").write_bytes(b"half")
    (tmp_path / ".sweep.json.0123456789abcdef.partial").write_bytes(b"half")
    (tmp_path / "run" / "record.json").write_bytes(b"whole")
    assert store.clean_temporary(tmp_path, below=False) == 1
    assert left.is_dir()
    assert store.clean_temporary(tmp_path) == 1
    assert [p.name for p in tmp_path.rglob("*")] == ["run", "record.json"]


def test_a_failure_of_the_moment_does_not_mean_that_there_are_no_locks(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(failure, "for now")

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    failure = errno.EIO
    assert locks.supported(tmp_path)
    failure = errno.ENOLCK
    assert not locks.supported(tmp_path)
