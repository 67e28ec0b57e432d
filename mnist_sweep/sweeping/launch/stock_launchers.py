"""Hydra's own launchers (basic, joblib, submitit): the same jobs, carried to them as overrides.

Such a launcher composes each job's config itself and calls the task with it, perhaps on another
machine that shares the sweep's directory. What was decided before any run (which data) is read
from the plan there, never decided again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from mnist_sweep.errors import UsageError
from mnist_sweep.records.locks import locked, release, try_lock
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch import submitit_jobs
from mnist_sweep.sweeping.launch.execute import execute
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.job_record import (
    already_done,
    failed_at,
    is_up_to_date,
    record_of,
    summary_from_record,
    write_failure,
)
from mnist_sweep.sweeping.launch.processes import WorkerDiedError
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.compose import to_plain
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.points import data_key, identify
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.training.progress import History


def launch(
    launcher: Launcher,
    jobs: list[Job],
    outcome: SweepResult,
    progress: Progress,
    context: SweepContext,
) -> list[RunSummary]:
    """Run jobs through one of Hydra's launchers and return their summaries.

    Interrupted, the outcome has the summaries of the runs that came to an end.

    Raises:
        UsageError: The jobs ask for several numbers of threads, which one process cannot give.
    """
    threads = {job.settings["threads"] for job in jobs}
    if len(threads) > 1:
        raise UsageError(
            f"threads={','.join(map(str, sorted(threads)))} in one sweep needs "
            "hydra/launcher=pool, which gives every run a process of its own."
        )
    progress.begin(len(jobs), 1)
    summaries = []
    waiting = jobs
    try:
        while waiting:
            busy = set()
            for answer in _round(launcher, waiting, outcome.directory, context):
                if answer.origin is Origin.BUSY:
                    busy.add(answer.run_id)
                else:
                    summaries.append(answer)
                    progress.ended(answer)
            waiting, done = _after_others([job for job in waiting if job.run_id in busy])
            summaries += done
    except KeyboardInterrupt:
        known = {answer.run_id for answer in summaries}
        unknown = [job for job in jobs if job.run_id not in known and is_up_to_date(job)]
        outcome.summaries = summaries + [s for job in unknown if (s := summary_from_record(job))]
        raise
    return summaries


def _round(
    launcher: Launcher, jobs: list[Job], place: Path, context: SweepContext
) -> Iterator[RunSummary]:
    """Summaries of jobs, as they end where the launcher tells, else when all have ended."""
    overrides = [_overrides(job, place) for job in jobs]
    if submitit_jobs.is_submitit(launcher):
        for number, answer in submitit_jobs.run(launcher, overrides):
            if isinstance(answer, Exception):
                yield _record_of_the_dead(jobs[number], answer)
            else:
                yield _summary_of(answer, jobs[number])
        return
    try:
        returns = launcher.launch(overrides, initial_job_idx=0)
    except Exception as error:  # noqa: BLE001  (launchers raise anything where a worker dies)
        context.interrupt_if_swallowed()  # Hydra makes an error of its own of it while it composes
        yield from (_of_the_dead(job, error, "its launcher") for job in jobs)
        return
    yield from (_summary_of(answer, job) for answer, job in zip(returns, jobs, strict=True))


def _of_the_dead(job: Job, error: Exception, who: str) -> RunSummary:
    """What came of a run whose process may have died before it could tell."""
    said = " ".join(str(error).split("\n")[:2]).replace("\t", " ")
    reason = f"{who} ended with {type(error).__name__}: {said}"
    # A record that was to be replaced says nothing of this run.
    recorded = summary_from_record(job) if is_up_to_date(job) else None
    return recorded or RunSummary.of(job, RunStatus.FAILED, reason)


def _record_of_the_dead(job: Job, error: Exception) -> RunSummary:
    """The same of one job that is known to have ended; a failed record in its name."""
    told = _of_the_dead(job, error, "its job")
    lock = try_lock(job.lock)
    if lock is None:  # another sweep is at it now
        return told
    try:
        if is_up_to_date(job):
            return told
        return write_failure(job, WorkerDiedError(told.message), History(), 0.0)
    finally:
        release(lock)


def _after_others(jobs: list[Job]) -> tuple[list[Job], list[RunSummary]]:
    """Wait for runs that another sweep is at; those that are still to be run, and the others."""
    open_jobs, done = [], []
    for job in jobs:
        with locked(job.lock):
            if summary := already_done(job):
                done.append(summary)
            else:
                open_jobs.append(job)
    return open_jobs, done


def task(config: DictConfig) -> RunSummary:
    """What Hydra's launchers call for every job: carry out the run that the config describes."""
    place = Path(str(HydraConfig.get().sweep.dir)).absolute()
    settings = to_plain(config)
    info = directory.dataset_of(place, data_key(settings))
    overrides: Sequence[str] = list(HydraConfig.get().overrides.task)
    job = Job(identify(settings, list(overrides), info), info, place, describe() | {"workers": 1})
    return execute(replace(job, failed_at=failed_at(record_of(job))))


def _overrides(job: Job, place: Path) -> list[str]:
    subdir = job.paths.directory.relative_to(place)
    return [
        *job.point.overrides, f"hydra.sweep.dir={_quoted(place)}",
        f"hydra.sweep.subdir={_quoted(subdir)}",
    ]  # fmt: skip


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _summary_of(answer: Any, job: Job) -> RunSummary:
    if answer.status == JobStatus.COMPLETED:
        summary: RunSummary = answer.return_value
        return summary
    try:
        reason = str(answer.return_value)
    except Exception as error:  # noqa: BLE001  (a failed JobReturn raises what the job raised)
        reason = f"{type(error).__name__}: {error}"
    return RunSummary.of(job, RunStatus.FAILED, reason)
