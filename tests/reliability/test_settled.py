"""When a record is kept, when a run is carried out again, and whose a lock is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.records import locks, store
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.job_record import failed_at, is_up_to_date, record_of
from support.factories import make_run, write_run
from support.sweep_parts import job_of


def job_with_record(sweep: Path, status: str | None, **more: Any) -> Job:
    run = make_run(status=status or "finished")
    job = job_of(sweep, run, **more)
    if status:
        write_run(run, job.paths.directory)
    return job


@pytest.mark.parametrize(
    ("status", "rerun_failed", "kept"),
    [
        ("finished", True, True), ("finished", False, True), ("diverged", True, True),
        ("failed", True, False), ("failed", False, True), (None, True, False),
        (None, False, False),
    ],
)  # fmt: skip
def test_which_records_are_kept(tmp_path: Path, status: str | None, rerun_failed: bool, kept: bool):
    job = job_with_record(tmp_path, status, rerun_failed=rerun_failed)
    # The failed record, if any, was there when the job was made.
    job = replace(job, failed_at=failed_at(record_of(job)))
    assert is_up_to_date(job) is kept


def test_a_failure_of_another_sweep_after_the_planning_is_not_tried_again(tmp_path: Path):
    job = job_with_record(tmp_path, "failed")
    assert is_up_to_date(job)
    # One that was there when the sweep was planned is.
    assert not is_up_to_date(replace(job, failed_at=failed_at(record_of(job))))


def test_a_record_of_another_run_is_nobodys(tmp_path: Path):
    job = job_with_record(tmp_path, "finished")
    assert record_of(job)
    other = job_of(tmp_path, make_run(seed=1))
    other.paths.directory.parent.mkdir(exist_ok=True)
    job.paths.directory.rename(other.paths.directory)
    assert record_of(other) is None
    assert not is_up_to_date(other)


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
