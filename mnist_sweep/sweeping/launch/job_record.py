"""A job's record: whether it has one that stands, what it says, and how a new one is made."""

from __future__ import annotations

import re
import sys
import traceback

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import TEST, TRAIN, VALIDATION
from mnist_sweep.records import store
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.record import SCHEMA_VERSION, Metrics, Record, build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import Plain, epochs_of, is_task
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.training.progress import History
from mnist_sweep.training.train import Result

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
"""Keras prints parts of its messages in bold; a record holds plain text."""


def record_of(job: Job) -> Record | None:
    """The job's record, or None where there is none that can be read."""
    return record_at(job.paths, job.run_id)


def record_at(paths: RunPaths, run_id: str) -> Record | None:
    """The record of this run in a run's directory, or None where there is none that can be read."""
    read = read_run(paths, run_id)
    return None if isinstance(read, Unread) else read[0]


def failed_at(record: Record | None) -> str | None:
    """When a failed run started; None where the record is missing or says something else."""
    if record is None or RunStatus(record.status) is not RunStatus.FAILED:
        return None
    return str(record.environment.started_at)


def is_up_to_date(job: Job) -> bool:
    """Whether the job has a record that must not be replaced.

    A sweep runs a failed run again once. So it does not where the record is newer than the sweep's
    plan: then another sweep in the same directory has just run it again. A pruned record stands
    only for jobs that may be pruned; any other job needs the whole run.
    """
    record = record_of(job)
    if record is None:
        return False
    status = RunStatus(record.status)
    if status is RunStatus.PRUNED:
        return job.prune
    if status is RunStatus.FAILED and job.rerun_failed:
        return failed_at(record) != job.failed_at
    return True


def summary_from_record(job: Job, origin: Origin = Origin.RAN) -> RunSummary | None:
    """What the job's record says, or None where there is none that can be read."""
    record = record_of(job)
    return None if record is None else summary_of(job, record, origin)


def done_summary(job: Job, origin: Origin = Origin.ALREADY_DONE) -> RunSummary | None:
    """The summary of a job whose record must not be replaced; None where it must be run."""
    return summary_from_record(job, origin) if is_up_to_date(job) else None


def summary_of(job: Job, record: Record, origin: Origin = Origin.RAN) -> RunSummary:
    """What a record says of a job."""
    status = RunStatus(record.status)
    metrics = record.metrics or Metrics()
    accuracy = metrics.test.values.get("accuracy")
    if status is RunStatus.PRUNED and record.history.val_accuracy:
        accuracy = record.history.val_accuracy[-1]
    splits = ((split, getattr(metrics, split).values) for split in (TEST, VALIDATION, TRAIN))
    returned = (f"{split} {name} {v:.4g}" for split, own in splits for name, v in own.items())
    return RunSummary(
        run_id=job.run_id,
        label=job.label,
        status=status,
        origin=origin,
        message=record.error.message if record.error else "",
        accuracy=accuracy,
        metric=next(returned, "") if record.task else "",
        total_s=record.time.total_s if record.time else None,
    )


def result_record(job: Job, result: Result, total_s: float) -> Record:
    """The record of a run that finished, diverged or was pruned."""
    done = result.training
    status, error = RunStatus.FINISHED, None
    if done.diverged:
        status = RunStatus.DIVERGED
        error = {"type": "Diverged", "message": done.diverged}
    elif done.pruned:
        status = RunStatus.PRUNED
        of_all = f" of {epochs}" if (epochs := epochs_of(job.settings)) else ""
        reached = max(map(len, vars(done.history).values()), default=0)
        message = f"stopped after epoch {reached}{of_all}: {done.pruned}"
        error = {"type": "Pruned", "message": message}
    head = _head(job, status)
    measured: Plain = {"device": None, "peak_memory_mb": _peak_memory_mb()}
    if result.network is not None:
        from mnist_sweep.training.runtime import device

        measured["device"] = device()
    if result.data:
        head["data"] = result.data
    return build(
        {
            **head,
            "environment": {**head["environment"], **measured},
            "parameters": result.parameters,
            "history": done.history.__dict__,
            "metrics": result.metrics,
            "training": {"form": done.form, "reason": done.reason} if done.form else None,
            "time": {
                "compile_s": done.compile_s,
                "train_s": done.train_s,
                "evaluate_s": result.evaluate_s,
                "total_s": total_s,
                "epoch_s": done.epoch_s,
            },
            "error": error,
        }
    )


def write_failure(job: Job, error: BaseException, history: History, total_s: float) -> RunSummary:
    """Write the record of a run that failed and return its summary.

    Raises:
        DirectoryError: It cannot be written.
    """
    # An error of this program's own says all in its message; others need their traceback.
    ours = isinstance(error, MnistSweepError) and error.__cause__ is None
    message = _TERMINAL_CODES.sub("", str(error)).strip() or type(error).__name__
    name = type(error).__name__
    record = {
        **_head(job, RunStatus.FAILED),
        "history": history.__dict__,
        "time": {"total_s": total_s, "epoch_s": []},
        "error": {
            "type": name,
            "message": message,
            "traceback": None if ours else "".join(traceback.format_exception(error)),
        },
    }
    store.write_record(job.paths.record, record)
    # Keras says in the first line where, and in the next what.
    lines = [line for line in message.splitlines() if line.strip()]
    return RunSummary.of(job, RunStatus.FAILED, f"{name}: {' '.join(lines[:2])}")


def _head(job: Job, status: RunStatus) -> Plain:
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": job.run_id,
        "configuration_id": job.point.configuration_id,
        "label": job.label,
        "status": status,
        "task": job.settings["task"]["_target_"] if is_task(job.settings) else None,
        "config": job.settings,
        "code": job.point.code,
        "objective": job.objective,
        "data": job.data.record_fields() if job.data.sha256 else None,
        "environment": {**job.environment, "threads": job.settings["threads"]},
    }


def _peak_memory_mb() -> float | None:
    """The most memory this process held so far, 2**20 bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
