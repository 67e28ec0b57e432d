"""When a job's record is kept, and when the job is run again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.sweeping.launch.job import Job, failed_at, is_up_to_date, record_of
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
    assert is_up_to_date(job, record_of(job)) is kept


def test_a_failure_that_another_sweep_had_since_the_plan_is_not_run_again(tmp_path: Path):
    job = job_with_record(tmp_path, "failed")
    assert is_up_to_date(job, record_of(job))
    # One that was there when the sweep was planned is.
    assert not is_up_to_date(replace(job, failed_at=failed_at(record_of(job))), record_of(job))


def test_a_record_of_another_run_does_not_count(tmp_path: Path):
    job = job_with_record(tmp_path, "finished")
    assert record_of(job)
    other = job_of(tmp_path, make_run(seed=1))
    other.paths.directory.parent.mkdir(exist_ok=True)
    job.paths.directory.rename(other.paths.directory)
    assert record_of(other) is None
    assert not is_up_to_date(other, record_of(other))
