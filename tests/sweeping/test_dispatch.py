"""How jobs are handed out, whatever runs them: tried with an engine in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.progress_file import Progress, read_progress
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import write_json
from mnist_sweep.sweeping.launch import launcher as module
from mnist_sweep.sweeping.launch.execute import MAX_LOG_LINE_LENGTH, too_late
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, record_of
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from support.factories import make_run, write_run
from support.sweep_parts import begun, job_of


class InMemory(SweepLauncher):
    """Runs end in the order they started, as `ends` says: a status, a death, or another's run."""

    def __init__(self, workers: int, ends: Callable[[Job], str], **options: Any) -> None:
        self.ends = ends
        self.started: list[Job] = []
        self.stopped: list[Job] = []
        self.most_at_once = 0
        self.took_s: float | None = None
        begun(self, workers, **options)

    def workers(self, n_jobs: int, threads: int) -> int:
        raise NotImplementedError

    def start(self, job: Job) -> None:
        self.started.append(job)
        self.active.append(job)
        self.most_at_once = max(self.most_at_once, len(self.active))

    def wait(self) -> None:
        if not self.active:
            return
        job = self.active.pop(0)
        end = self.ends(job)
        if end == "dies":
            self.retry_or_fail(job, "its process was ended by SIGKILL", 0.0)
        elif end == "elsewhere":
            self.postpone(job)
        elif end == "interrupt":
            raise KeyboardInterrupt
        else:
            self.finish(job, replace(RunSummary.of(job, RunStatus(end)), total_s=self.took_s))

    def stop(self) -> None:
        self.stopped += self.active
        self.active.clear()


def jobs_in(sweep: Path, count: int) -> list[Job]:
    return [job_of(sweep, make_run(seed=seed)) for seed in range(count)]


def seeds(jobs: list[Job]) -> list[int]:
    """The numbers of jobs of `jobs_in`."""
    return [int(job.label.rpartition("=")[2]) for job in jobs]


def test_jobs_start_in_their_order_and_no_more_than_there_are_workers(tmp_path: Path):
    launcher = InMemory(2, lambda _: "finished")
    summaries = launcher.run(jobs_in(tmp_path, 5))
    assert seeds(launcher.started) == [0, 1, 2, 3, 4]
    assert launcher.most_at_once == 2
    assert [summary.status for summary in summaries] == ["finished"] * 5


class Scheduler:
    """Adds jobs one by one, and notes which have ended."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs, self.over = jobs, list[Job]()

    def next(self) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def epoch(self, job: Job, epoch: int, figures: Any) -> str | None:
        raise NotImplementedError

    def ended(self, job: Job) -> None:
        self.over.append(job)


def test_a_scheduler_is_asked_when_the_given_jobs_are_started_and_told_of_every_end(tmp_path: Path):
    jobs = jobs_in(tmp_path, 4)
    scheduler = Scheduler(jobs[1:])
    launcher = InMemory(1, lambda _: "finished", scheduler=scheduler)
    launcher.run(jobs[:1])
    assert seeds(launcher.started) == seeds(scheduler.over) == [0, 1, 2, 3]


@pytest.mark.parametrize(("fail_fast", "started"), [(True, [0, 1, 2]), (False, [0, 1, 2, 3, 4])])
@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_fail_fast_starts_nothing_more_and_stops_what_runs(
    tmp_path: Path, fail_fast: bool, started: list[int], status: str
):
    jobs = jobs_in(tmp_path, 5)

    def ends(job: Job) -> str:
        return status if job is jobs[1] else "finished"

    launcher = InMemory(2, ends, fail_fast=fail_fast)
    summaries = launcher.run(jobs)
    assert seeds(launcher.started) == started
    assert seeds(launcher.stopped) == ([2] if fail_fast else [])
    assert len(summaries) == (2 if fail_fast else 5)


@pytest.mark.parametrize(
    ("retries", "deaths", "fails"), [(0, 1, True), (2, 2, False), (2, 3, True)]
)
def test_a_run_whose_process_died_is_repeated_and_fails_in_the_end(
    tmp_path: Path, retries: int, deaths: int, fails: bool
):
    [job] = jobs_in(tmp_path, 1)
    job.paths.directory.mkdir(parents=True)
    job.paths.log.write_text("Epoch 1\n" + "x" * 1000)
    ends = ["dies"] * deaths + ["finished"]
    launcher = InMemory(1, lambda _: ends.pop(0), retries=retries)
    [summary] = launcher.run([job])
    assert summary.failed is fails
    assert len(launcher.started) == (deaths if fails else deaths + 1)
    record = record_of(job)
    assert (record is not None) is fails
    if record:
        assert record.error is not None
        assert record.error.type == "WorkerDiedError"
        assert record.error.message.startswith("its process was ended by SIGKILL\nThe end of its")
        # A line without an end, as of a progress bar, is cut.
        assert record.error.message.endswith("Epoch 1\n" + "x" * MAX_LOG_LINE_LENGTH)


def test_of_a_crash_the_innermost_python_lines_are_kept(tmp_path: Path):
    [job] = jobs_in(tmp_path, 1)
    job.paths.directory.mkdir(parents=True)
    frames = [f'  File "mine.py", line {n}' for n in range(100)]
    job.paths.log.write_text("\n".join(["Fatal Python error: Segmentation fault", *frames]))
    InMemory(1, lambda _: "dies").run([job])
    record = record_of(job)
    assert record
    assert record.error
    assert "Segmentation fault" in record.error.message
    assert "line 0\n" in record.error.message
    assert "line 99" not in record.error.message


def test_a_failure_that_cannot_be_recorded_is_reported_with_the_reason(tmp_path: Path):
    [job] = jobs_in(tmp_path, 1)
    job.paths.directory.parent.mkdir(parents=True)
    job.paths.directory.write_text("a file in the way")
    [summary] = InMemory(1, lambda _: "dies").run([job])
    assert summary.failed
    assert str(job.paths.directory) in summary.message


def test_a_run_that_another_sweep_finishes_is_its_result(tmp_path: Path):
    run = make_run(seed=0)
    job = job_of(tmp_path, run)
    lock = try_lock(job.lock)
    assert lock is not None

    def ends(_: Job) -> str:
        write_run(run, job.paths.directory)
        release(lock)
        return "elsewhere"

    launcher = InMemory(1, ends)
    [summary] = launcher.run([job])
    assert (summary.origin, summary.status) == (Origin.ALREADY_DONE, RunStatus.FINISHED)
    assert summary.headline == f"test accuracy {run.record.metrics.test.accuracy:.2%}"
    assert len(launcher.started) == 1


def test_a_run_that_another_sweep_gave_up_is_run_here(tmp_path: Path):
    ends = ["elsewhere", "finished"]
    launcher = InMemory(1, lambda _: ends.pop(0))
    [summary] = launcher.run(jobs_in(tmp_path, 1))
    assert (summary.origin, summary.status) == (Origin.RAN, RunStatus.FINISHED)
    assert len(launcher.started) == 2


def test_an_interrupt_stops_what_runs_and_keeps_what_has_ended(tmp_path: Path):
    jobs = jobs_in(tmp_path, 4)

    def ends(job: Job) -> str:
        return "interrupt" if job is jobs[1] else "finished"

    launcher = InMemory(2, ends)
    with pytest.raises(KeyboardInterrupt):
        launcher.run(jobs)
    assert seeds(launcher.stopped) == [2]
    assert [summary.run_id for summary in launcher.summaries] == [jobs[0].run_id]


def test_a_damaged_record_of_another_sweep_is_no_result(tmp_path: Path):
    ends = ["elsewhere", "finished"]
    launcher = InMemory(1, lambda _: ends.pop(0))
    [job] = jobs_in(tmp_path, 1)
    job.paths.directory.mkdir(parents=True)
    write_json(job.paths.record, {"schema_version": 1})
    [summary] = launcher.run([job])
    assert summary.origin is Origin.RAN


def test_epochs_of_a_running_run_are_in_a_file_until_it_ends(tmp_path: Path):
    (job,) = jobs_in(tmp_path, 1)
    launcher = InMemory(1, lambda _: "finished")
    launcher.epoch(job, 1, {"loss": 0.5})
    assert read_progress(job.paths.progress) == Progress(
        1, job.settings["epochs"], {"loss": {1: 0.5}}
    )
    launcher.run([job])
    assert not job.paths.progress.exists()


class Clock:
    """A clock that each run moves on by what it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(module, "time", clock)


@pytest.mark.parametrize(
    ("expected", "estimated", "started", "left"),
    [
        ([5, 4, 3, 2, 1], True, [0, 1, 4], [2, 3]),  # 5 + 4 of 10 s, and then what fits into 1 s
        ([50, 4], True, [1], [0]),  # what can never fit does not keep others from starting
        ([50, 40, 3], False, [0, 2], [1]),  # nothing known: one starts, and the pace is learnt
        ([5, 5], True, [0, 1], []),
    ],
)
def test_no_run_starts_that_would_end_after_the_budget(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    expected: list[float],
    estimated: bool,
    started: list[int],
    left: list[int],
):
    clock = Clock(monkeypatch)
    jobs = [
        replace(job, expected_s=seconds, estimated=estimated)
        for job, seconds in zip(jobs_in(tmp_path, len(expected)), expected, strict=True)
    ]

    def ends(job: Job) -> str:
        launcher.took_s = job.expected_s if estimated else 8.0
        clock.now += launcher.took_s
        return "finished"

    launcher = InMemory(1, ends, budget_s=10.0)
    summaries = launcher.run(jobs)
    assert seeds(launcher.started) == started
    assert seeds(launcher.not_started) == left
    assert len(summaries) == len(started)


def test_a_search_within_a_budget_is_asked_for_no_more_than_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)
    jobs = [replace(job, expected_s=4.0, estimated=True) for job in jobs_in(tmp_path, 5)]

    def ends(_: Job) -> str:
        clock.now += 4.0
        return "finished"

    launcher = InMemory(1, ends, scheduler=Scheduler(list(jobs)), budget_s=10.0)
    launcher.took_s = 4.0
    launcher.run([])
    assert seeds(launcher.started) == [0, 1]
    assert seeds(launcher.not_started) == [2]


def test_a_budget_that_is_used_up_does_not_wait_for_another_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = Clock(monkeypatch)

    def ends(_: Job) -> str:
        clock.now += 10.0
        return "elsewhere"

    [job] = jobs_in(tmp_path, 1)
    lock = try_lock(job.lock)
    assert lock is not None
    launcher = InMemory(1, ends, budget_s=10.0)
    assert launcher.run([job]) == []
    assert launcher.not_started == [job]
    release(lock)


def test_a_run_that_took_too_long_is_not_repeated(tmp_path: Path):
    job = replace(jobs_in(tmp_path, 1)[0], timeout_s=2.0)
    launcher = InMemory(1, lambda _: "finished", retries=3)
    launcher.retry_or_fail(job, "its process was ended by SIGKILL", 0.0, late=too_late(2.0))
    [summary] = launcher.summaries
    # As of a run that its own timer stopped: both are one reason in the summary.
    assert (summary.failed, summary.message) == (
        True,
        "RunTimeoutError: stopped after timeout_s=2 s",
    )
    record = record_of(job)
    assert record
    assert record.error
    assert record.error.message == "stopped after timeout_s=2 s"
