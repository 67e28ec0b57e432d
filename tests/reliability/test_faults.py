"""File systems that cannot do what is asked of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support.real_sweeps import Place

NO_LOCKS = """
import errno, fcntl
def flock(descriptor, operation):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""


def test_a_file_system_without_locks_is_warned_of_and_the_sweep_runs(place: Place):
    (place.path / "modules" / "sitecustomize.py").write_text(NO_LOCKS)
    ended = place.sweep("seed=1,2", "name=unlocked", "epochs=1")
    assert ended.code == 0, ended
    assert "has no locks: start one sweep at a time there" in ended.err
    assert len(place.records("unlocked")) == 2


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a directory nobody can write")
def test_a_directory_that_cannot_be_written_is_one_short_error(place: Place):
    if os.geteuid():
        closed = place.path / "closed"
        closed.mkdir(mode=0o555)
        where = str(closed)
    else:
        where = "/sys/kernel"  # not even root makes a directory here
    ended = place.sweep(f"hydra.sweep.dir={where}/here", "epochs=1")
    assert ended.code == 2
    assert ended.out == ""
    assert len(ended.err.strip().splitlines()) == 1
    assert where in ended.err
    assert place.executions() == []


FULL = """
import errno, os
from pathlib import Path
_fsync = os.fsync
def fsync(descriptor):
    place = Path(f"/proc/self/fd/{descriptor}").readlink()
    if any(word in str(place) for word in ("/.record.json.", "/tables/")):
        raise OSError(errno.ENOSPC, "No space left on device")
    _fsync(descriptor)
os.fsync = fsync
"""


def test_a_full_disk_fails_runs_and_still_shows_what_there_is(place: Place):
    assert place.sweep("seed=1", "name=full").code == 0
    (place.path / "modules" / "sitecustomize.py").write_text(FULL)
    before = place.record_files("full")
    ended = place.sweep("seed=1,2", "name=full")
    assert ended.code == 1, ended
    assert ended.account == "1 of 2 runs finished (1 earlier), 1 failed"
    assert ended.err.count("the disk is full") == 2
    assert "No tables written" in ended.err
    assert "Val [%]" in ended.out
    assert "Traceback" not in ended.err
    assert place.record_files("full") == before
    assert [p for p in place.directory("full").rglob("*") if ".partial" in p.name] == []
