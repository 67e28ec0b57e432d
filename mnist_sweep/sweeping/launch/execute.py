"""Execute one job and write its record: what the worker of every launcher does.

The record is written last, whole or not at all: a run is done when its record is there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from mnist_sweep.records import store
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.predictions import write_predictions
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import sha256_of
from mnist_sweep.settings import is_task
from mnist_sweep.sweeping.launch import tasks
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.job_record import (
    done_summary,
    result_record,
    summary_of,
    write_failure,
)
from mnist_sweep.sweeping.launch.networks import builder, check_code
from mnist_sweep.training.progress import History, OnEpoch, ignore
from mnist_sweep.training.saved import verify
from mnist_sweep.training.train import Result, train

log = logging.getLogger(__name__)


def execute(
    job: Job, on_epoch: OnEpoch = ignore, on_start: Callable[[], None] = lambda: None
) -> RunSummary:
    """Run a job, unless its record is there or another process is running it.

    Every exception becomes a failed record; only the death of the process leaves none.

    Args:
        job: What to run.
        on_epoch: Called after every epoch; a reason it returns ends the run there, as pruned.
        on_start: Called before the run starts, once this process holds its lock.
    """
    lock = try_lock(job.lock)
    if lock is None:
        return RunSummary.of(job, RunStatus.MISSING, origin=Origin.BUSY)
    try:
        if done := done_summary(job):
            return done
        store.make_directory(job.paths.directory)
        store.clean_temporary(job.paths.directory)
        for path in job.paths.artefacts:
            path.unlink(missing_ok=True)  # of an attempt that left no record
        return _run(job, on_epoch, on_start)
    finally:
        release(lock)


def started_now(job: Job) -> Job:
    """The job with the present time as its start."""
    return job.with_environment(started_at=datetime.now(UTC).isoformat(timespec="milliseconds"))


def _run(job: Job, on_epoch: OnEpoch, on_start: Callable[[], None]) -> RunSummary:
    history = History()

    def watch(epoch: int, so_far: History) -> str | None:
        history.__dict__.update(so_far.__dict__)
        return on_epoch(epoch, so_far)

    started = time.perf_counter()
    job = started_now(job)
    try:
        on_start()
        log.info("run %s: %s", job.run_id, job.label)
        check_code(job.settings, job.point.code)
        if is_task(job.settings):
            result = tasks.run(job, watch)
        else:
            result = train(job.settings, job.data, builder(job.settings["model"]), watch)
        record = result_record(job, result, time.perf_counter() - started)
        _write(job, result, record)
    except (Exception, SystemExit) as error:  # whatever a run dies of belongs in its record
        log.exception("the run failed")
        return write_failure(job, error, history, time.perf_counter() - started)
    summary = summary_of(job, record)
    if summary.status is RunStatus.FINISHED:
        log.info("%s", summary.headline)
    else:
        log.warning("the run is %s: %s", summary.status, summary.message)
    return summary


def _write(job: Job, result: Result, record: Record) -> None:
    paths = job.paths
    if result.predictions is not None:
        if result.network is not None and job.settings["save_model"]:
            with store.scratch(paths.directory) as scratch:
                saved = scratch / "model.keras"
                result.network.save(saved)
                verify(saved, result, job.data, result.predictions)
                store.write_bytes(paths.model, saved.read_bytes())
        write_predictions(paths.predictions, result.predictions)
    hashes = {path.name: sha256_of(path) for path in paths.artefacts if path.exists()}
    store.write_record(paths.record, record.model_copy(update={"artefacts": hashes}))
