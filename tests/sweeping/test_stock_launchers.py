"""Hydra's own launchers: what is handed to them, and what is made of what they return."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from rich.console import Console

from mnist_sweep.errors import UsageError
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping import app
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch import processes, stock_launchers
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, record_of
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.sweeping.launch.stock_launchers import StockLauncher
from mnist_sweep.sweeping.plan.points import Plan, identify
from mnist_sweep.sweeping.result import SweepResult
from support.factories import make_run, write_run
from support.sweep_parts import begun, job_of, point_of


class Returns:
    """A launcher that returns what it was given, batch by batch, or raises it."""

    def __init__(self, *batches: Any) -> None:
        self.batches = list(batches)
        self.asked: list[list[list[str]]] = []

    def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        assert initial_job_idx == 0
        self.asked.append([list(words) for words in overrides])
        batch = self.batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return list(batch)


@pytest.fixture(autouse=True)
def context() -> Iterator[SweepContext]:
    with SweepContext() as active:
        yield active


def completed(summary: RunSummary) -> JobReturn:
    return JobReturn(_return_value=summary, status=JobStatus.COMPLETED)


def failed(error: Exception) -> JobReturn:
    return JobReturn(_return_value=error, status=JobStatus.FAILED)


def finished(job: Job) -> JobReturn:
    return completed(RunSummary.of(job, RunStatus.FINISHED))


def launcher_by(launcher: Any, batch: int = 10, **options: Any) -> StockLauncher:
    return begun(StockLauncher(launcher), n_jobs=batch, **options)


def jobs_in(sweep: Path, count: int) -> list[Job]:
    return [job_of(sweep, make_run(seed=seed)) for seed in range(count)]


def test_jobs_are_handed_over_at_once_as_overrides_with_their_directory(tmp_path: Path):
    sweep = tmp_path / "it's"
    job = job_of(sweep, point=point_of(layers=2))
    launcher = Returns([finished(job)])
    [summary] = launcher_by(launcher).run([job])
    assert summary.status is RunStatus.FINISHED
    quoted = str(sweep).replace("'", "\\'")
    assert launcher.asked == [[[
        "layers=2", f"hydra.sweep.dir='{quoted}'",
        f"hydra.sweep.subdir='runs/{job.label}-{job.run_id}'",
    ]]]  # fmt: skip


def test_an_exception_of_the_task_is_that_runs_failure(tmp_path: Path):
    one, two = jobs_in(tmp_path, 2)
    launcher = Returns([failed(ValueError("no such key")), finished(two)])
    first, second = launcher_by(launcher).run([one, two])
    assert (first.failed, first.message) == (True, "ValueError: no such key")
    assert second.status is RunStatus.FINISHED


def test_where_a_launcher_dies_the_records_say_what_came_of_the_runs(tmp_path: Path):
    run = make_run(seed=0)
    done, lost = job_of(tmp_path, run), job_of(tmp_path, make_run(seed=1))
    write_run(run, done.paths.directory)
    summaries = launcher_by(Returns(OSError("a worker\ndied\tat once"))).run([done, lost])
    assert [summary.status for summary in summaries] == ["finished", "failed"]
    assert summaries[1].message == "its launcher ended with OSError: a worker died at once"


def test_a_failed_record_that_was_to_be_replaced_says_nothing_of_the_run(tmp_path: Path):
    run = make_run(status="failed")
    job = job_of(tmp_path, run, failed_at=run.values["environment"]["started_at"])
    write_run(run, job.paths.directory)
    [summary] = launcher_by(Returns(OSError("gone"))).run([job])
    assert summary.message == "its launcher ended with OSError: gone"


def test_runs_of_another_sweep_are_waited_for_and_run_if_it_gave_them_up(tmp_path: Path):
    one, two = jobs_in(tmp_path, 2)
    busy = completed(RunSummary.of(one, RunStatus.MISSING, origin=Origin.BUSY))
    launcher = Returns([busy, finished(two)], [finished(one)])
    summaries = launcher_by(launcher).run([one, two])
    assert [summary.run_id for summary in summaries] == [two.run_id, one.run_id]
    assert [len(batch) for batch in launcher.asked] == [2, 1]


class Scheduler:
    def __init__(self, jobs: list[Job]) -> None:
        self.jobs, self.over = jobs, list[str]()

    def next(self) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def epoch(self, job: Job, epoch: int, figures: Any) -> str | None:
        raise NotImplementedError

    def ended(self, job: Job) -> None:
        self.over.append(job.run_id)


def test_a_search_hands_over_a_number_of_jobs_at_a_time(tmp_path: Path):
    jobs = jobs_in(tmp_path, 5)
    scheduler = Scheduler(list(jobs))
    launcher = Returns(
        *([finished(job) for job in part] for part in (jobs[:2], jobs[2:4], jobs[4:]))
    )
    launcher_by(launcher, batch=2, scheduler=scheduler).run([])
    assert [len(batch) for batch in launcher.asked] == [2, 2, 1]
    assert scheduler.over == [job.run_id for job in jobs]


def test_within_a_budget_runs_are_handed_over_some_at_a_time_and_only_those_that_fit(
    tmp_path: Path,
):
    jobs = [
        replace(job, expected_s=seconds, estimated=True)
        for job, seconds in zip(jobs_in(tmp_path, 4), (2000.0, 400.0, 400.0, 400.0), strict=True)
    ]
    launcher = Returns([finished(job) for job in jobs[1:3]], [finished(jobs[3])])
    ours = launcher_by(launcher, budget_s=1000.0)
    ours.run(list(jobs))
    assert [len(batch) for batch in launcher.asked] == [2, 1]  # which took no time at all
    assert ours.not_started == jobs[:1]


def test_one_process_has_one_number_of_threads(tmp_path: Path):
    jobs = [job_of(tmp_path, point=point_of(threads=threads)) for threads in (2, 1)]
    launcher: Any = launcher_by(Returns())
    with pytest.raises(UsageError, match="threads=1,2 in one sweep needs hydra/launcher=pool"):
        launcher.launch_jobs(jobs, SweepResult(tmp_path, Plan()), Progress(Console(quiet=True)))


def test_an_interrupt_keeps_what_ended_unreported(tmp_path: Path):
    run = make_run(seed=0)
    done, lost = job_of(tmp_path, run), job_of(tmp_path, make_run(seed=1))
    write_run(run, done.paths.directory)

    class Interrupted(Returns):
        def launch(self, *_: Any, **__: Any) -> list[JobReturn]:
            raise KeyboardInterrupt

    ours = launcher_by(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        ours.run([done, lost])
    assert [summary.run_id for summary in ours.summaries] == [done.run_id]


@pytest.mark.parametrize("held", [False, True])
def test_a_submitit_job_that_died_leaves_a_failed_record_unless_another_sweep_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: bool
):
    [job] = jobs_in(tmp_path, 1)
    lock = try_lock(job.lock) if held else None
    monkeypatch.setattr(stock_launchers, "submit", lambda *_: [])
    monkeypatch.setattr(stock_launchers, "ended", lambda _: iter([(0, "its job was killed")]))
    launcher = launcher_by(None)
    launcher.can_leave = True
    [summary] = launcher.run([job])
    assert "its job was killed" in summary.message
    assert summary.failed
    record = record_of(job)
    assert (record is None) is held
    if lock is not None:
        release(lock)


def test_a_job_that_is_another_run_where_it_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # As where the code of the network was edited after the sweep had started.
    monkeypatch.setattr(
        stock_launchers,
        "identify",
        lambda *arguments: replace(identify(*arguments), run_id="0" * 12),
    )
    monkeypatch.setattr(processes, "start_fork_server", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    words = ["data=digits", "nodes=4", "epochs=1", "name=edited", "report=false"]
    result = app.run(["-m", *words, "hydra/launcher=basic"])
    assert isinstance(result, SweepResult)
    [summary] = result.summaries
    assert summary.failed
    assert "and here it is run 000000000000: the code of the network was edited" in summary.message
    assert not list(tmp_path.glob("outputs/edited/runs/*/record.json"))
