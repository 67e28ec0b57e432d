"""What a worker is handed (`Job`), whether it is done, and what is reported of it (`RunSummary`).

Both cross processes and machines by pickle: multiprocessing's pipes, Ray, joblib and submitit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.metrics import TEST, TRAIN, VALIDATION
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.record import Metrics, Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import DEFAULT_OBJECTIVE, Plain
from mnist_sweep.sweeping.plan.points import Point


@dataclass(frozen=True)
class Job:
    """One run to be done: a point, its data, and the sweep's directory, where its record goes."""

    point: Point
    data: DatasetInfo
    sweep: Path
    environment: Plain  # what the record says of machine, versions and code
    rerun_failed: bool = True  # whether a failed record is replaced
    # When the failed run started whose record is to be replaced; None where there was none when the
    # job was made.
    failed_at: str | None = None
    prune: bool = False  # whether it may be stopped early: it then waits for a word at each epoch
    hydra: Plain = field(default_factory=dict)  # the sweep's, for `.hydra/hydra.yaml`
    expected_s: float = 1.0  # where it is not `estimated` by earlier runs, only proportions count
    estimated: bool = False
    timeout_s: float | None = None
    objective: str = DEFAULT_OBJECTIVE

    @property
    def run_id(self) -> str:
        """The point's."""
        return self.point.run_id

    @property
    def label(self) -> str:
        """The point's."""
        return self.point.label

    @property
    def settings(self) -> Plain:
        """The point's."""
        return self.point.settings

    @property
    def paths(self) -> RunPaths:
        """The files of the run."""
        return SweepPaths(self.sweep).run(self.label, self.run_id)

    @property
    def lock(self) -> Path:
        """The lock file that whoever carries the run out holds."""
        return SweepPaths(self.sweep).lock(self.run_id)

    def with_environment(self, **values: Any) -> Job:
        """The same job, with some values of `environment` replaced."""
        return replace(self, environment={**self.environment, **values})

    def started_now(self) -> Job:
        """The same job, with the present time as its start."""
        return self.with_environment(
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds")
        )


class Origin(Enum):
    """Where the result of a run comes from."""

    RAN = auto()
    ALREADY_DONE = auto()  # another sweep in the same directory had finished it by its turn
    BUSY = auto()  # another sweep holds its lock at this moment; there is no result yet


@dataclass(frozen=True)
class RunSummary:
    """The result of one job."""

    run_id: str
    label: str
    status: RunStatus  # the record's; MISSING while another sweep is at it
    origin: Origin = Origin.RAN
    message: str = ""  # why it failed, diverged or was pruned
    headline: str = ""  # 'test accuracy 97.65%'; of a task without one its first metric
    total_s: float | None = None

    @classmethod
    def of(
        cls, job: Job, status: RunStatus, message: str = "", origin: Origin = Origin.RAN
    ) -> RunSummary:
        """A summary without figures."""
        return cls(job.run_id, job.label, status, origin, message)

    @property
    def failed(self) -> bool:
        """Whether this sweep ran it and it failed or diverged."""
        return self.origin is Origin.RAN and self.status in (RunStatus.FAILED, RunStatus.DIVERGED)

    @property
    def pruned(self) -> bool:
        """Whether this sweep ran it and stopped it early."""
        return self.origin is Origin.RAN and self.status is RunStatus.PRUNED


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


def is_up_to_date(job: Job, record: Record | None) -> bool:
    """Whether the job's record, if it has one, must not be replaced."""
    if record is None:
        return False
    status = RunStatus(record.status)
    if status is RunStatus.PRUNED:
        return job.prune  # any other job needs the whole run
    if status is RunStatus.FAILED and job.rerun_failed:
        # A sweep runs a failed run again once. A record that is newer than the sweep's plan is of
        # another sweep in the same directory, which has just run it again.
        return failed_at(record) != job.failed_at
    return True


def done_summary(job: Job, origin: Origin = Origin.ALREADY_DONE) -> RunSummary | None:
    """The summary of a job whose record must not be replaced; None where it must be run."""
    record = record_of(job)
    return summary_of(job, record, origin) if record and is_up_to_date(job, record) else None


def summary_of(job: Job, record: Record, origin: Origin = Origin.RAN) -> RunSummary:
    """What a record says of a job."""
    metrics = record.metrics or Metrics()
    headline = ""
    if (accuracy := metrics.test.values.get("accuracy")) is not None:
        headline = f"test accuracy {accuracy:.2%}"
    elif record.task:
        splits = ((split, getattr(metrics, split).values) for split in (TEST, VALIDATION, TRAIN))
        returned = (f"{split} {name} {v:.4g}" for split, own in splits for name, v in own.items())
        headline = next(returned, "")
    message = record.error.message if record.error else ""
    total_s = record.time.total_s if record.time else None
    status = RunStatus(record.status)
    return RunSummary(job.run_id, job.label, status, origin, message, headline, total_s)
