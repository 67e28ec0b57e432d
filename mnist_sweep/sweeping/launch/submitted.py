"""Jobs in a cluster's queue, noted beside the sweep so that any later command knows them.

`.submitit/submitted.json` lists those whose end was not seen yet. `collect` drops the ones that
have a record, and writes the failed record of each that has ended without one.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import store
from mnist_sweep.records.locks import held, is_held, locked
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import reason
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import validated
from mnist_sweep.sweeping.launch.dispatch import end_of_log
from mnist_sweep.sweeping.launch.execute import write_failure
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, done_summary
from mnist_sweep.sweeping.launch.processes import WorkerDiedError
from mnist_sweep.training.progress import History

SCHEMA_VERSION = 1
UNKNOWN, RUNNING = "UNKNOWN", "RUNNING"
ENDED = (
    "", "BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"
)  # fmt: skip
"""Slurm's words for jobs that will not go on; empty: it has forgotten them. A job that is COMPLETED
has a record, which another machine may only see a little later."""
QUERY_S = 30.0
MAX_IDS = 4
_RUN_ID = re.compile(r"[0-9a-f]{12}")


class SubmittedJob(BaseModel):
    """One job in a queue.

    Attributes:
        cluster: Which queue: Slurm's, or processes of submitit's on one machine.
        job_id: The cluster's; of a local job the id of its process.
        machine: Where it was submitted.
        folder: submitit's, with its logs; %j stands for the id.
        job: What it runs.
        state: The cluster's word for its state, when last seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: Literal["slurm", "local"]
    job_id: str = Field(pattern=r"^\d+(_\d+)?$")
    machine: str
    folder: str
    job: Job
    state: str = ""

    @field_validator("job")
    @classmethod
    def _has_a_directory_of_its_sweep(cls, job: Job) -> Job:
        # Its record and its lock are written: a file from elsewhere must not say where.
        is_inside = job.paths.directory.parent == SweepPaths(job.sweep).runs
        if not is_inside or not _RUN_ID.fullmatch(job.run_id):
            raise ValueError("a run's directory is runs/LABEL-RUNID")
        return job

    @property
    def is_running(self) -> bool:
        """Whether it has started."""
        return self.state == RUNNING

    @property
    def log(self) -> Path:
        """What it wrote to standard error, or the run's own log where that is nothing."""
        path = Path(self.folder.replace("%j", self.job_id), f"{self.job_id}_0_log.err")
        return path if path.is_file() and path.stat().st_size else self.job.paths.log


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    jobs: tuple[SubmittedJob, ...]


def shown_ids(jobs: Sequence[SubmittedJob]) -> str:
    """The ids of jobs, of many the first and the last: 12_0, 12_1 … 12_7."""
    ids = [one.job_id for one in jobs]
    return ", ".join(ids) if len(ids) <= MAX_IDS else f"{', '.join(ids[:2])} … {ids[-1]}"


def cancel_command(jobs: Sequence[SubmittedJob]) -> str:
    """The command by which a person takes jobs out of their queue."""
    ids = dict.fromkeys(one.job_id.partition("_")[0] for one in jobs)
    return f"{'scancel' if jobs[0].cluster == 'slurm' else 'kill -INT'} {' '.join(ids)}"


def note(sweep: Path, jobs: Iterable[SubmittedJob]) -> None:
    """Add jobs that were just submitted."""
    with locked(SweepPaths(sweep).lock("submitted")):
        _write(sweep, [*_read(sweep), *jobs])


def forget(sweep: Path, jobs: Collection[SubmittedJob]) -> None:
    """Drop jobs whose end was seen, or that were cancelled."""
    gone = {(one.job_id, one.job.run_id) for one in jobs}
    with locked(SweepPaths(sweep).lock("submitted")):
        left = [one for one in _read(sweep) if (one.job_id, one.job.run_id) not in gone]
        _write(sweep, left)


def collect(sweep: Path) -> list[SubmittedJob]:
    """The jobs of a sweep that are still in a queue; the ended ones are dropped.

    In a directory that cannot be written nothing is changed.

    Raises:
        DirectoryError: The list of jobs is damaged, or a record cannot be written.
    """
    paths = SweepPaths(sweep)
    if not paths.submitted.exists():
        return []
    may_write = os.access(sweep, os.W_OK)
    with locked(paths.lock("submitted")) if may_write else nullcontext():
        jobs = _read(sweep)
        # First the states: what has ended by then has its record now.
        seen = with_states(jobs, paths.submitted.stat().st_uid)
        still = [one for one in seen if _is_open(one, may_write=may_write)]
        if may_write and len(still) < len(jobs):
            _write(sweep, still)
    return still


def _is_open(one: SubmittedJob, *, may_write: bool) -> bool:
    if done_summary(one.job):
        return False
    # The process of a job may live longer than what watches it.
    if one.state not in ENDED or is_held(one.job.lock):
        return True
    if may_write:
        log = end_of_log(one.log) if one.log.exists() else ""
        record_death(one.job, ended_without_record(one), log)
    return False


def ended_without_record(one: SubmittedJob) -> str:
    """What is to be said of a job that died."""
    state = one.state or "no longer in the queue"
    return f"its job {one.job_id} ended without a record ({one.cluster}: {state})"


def died_with(error: Exception) -> str:
    """'ended with OSError: no space left', of what a launcher raised."""
    said = " ".join(str(error).split("\n")[:2]).replace("\t", " ")
    return f"ended with {type(error).__name__}: {said}"


def record_death(job: Job, why: str, log: str = "") -> RunSummary:
    """Write the failed record of a job whose process died before it could, unless it has one."""
    # A record that was to be replaced says nothing of this run.
    summary = done_summary(job, Origin.RAN) or RunSummary.of(job, RunStatus.FAILED, why)
    with held(job.lock) as free:  # else another sweep is running it now
        if not free or done_summary(job):
            return summary
        message = f"{why}\nThe end of its log:\n{log}" if log else why
        return replace(write_failure(job, WorkerDiedError(message), History(), 0.0), message=why)


def with_states(jobs: Sequence[SubmittedJob], user: int) -> list[SubmittedJob]:
    """Jobs with the state that their queue tells now, empty where it does not know them any more.

    Args:
        jobs: Which.
        user: The number of the user who submitted them.
    """
    found: list[SubmittedJob] = []
    for cluster, query in (("slurm", _slurm), ("local", _processes)):
        own = [one for one in jobs if one.cluster == cluster]
        try:
            queue = query(user) if own else {}
        except (OSError, subprocess.SubprocessError):  # none here, or it does not answer
            queue = None
        found += [one.model_copy(update={"state": _state(one, queue)}) for one in own]
    return found


def _state(one: SubmittedJob, queue: Mapping[str, str] | None) -> str:
    if queue is None or (one.cluster == "local" and one.machine != platform.node()):
        return UNKNOWN
    said = queue.get(one.job_id, "")
    if one.cluster == "slurm":
        return said
    return RUNNING if one.folder in said else ""  # else another process has got its number


def _slurm(user: int) -> dict[str, str]:
    """Job id -> state of a user's jobs in Slurm, those that have just ended included."""
    words = ("--array", "--noheader", "--states=all", f"--user={user}", "--format=%i %T")
    return _pairs("squeue", *words)


def _processes(_user: int) -> dict[str, str]:
    """Process id -> command of submitit's processes on this machine."""
    pairs = _pairs("ps", "-A", "-ww", "-o", "pid=,args=")
    return {pid: words for pid, words in pairs.items() if "submitit.local._local" in words}


def _pairs(*command: str) -> dict[str, str]:
    """A command's lines as their first word -> the rest."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_S, check=True)
    split = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    return {words[0]: words[1] for words in split if len(words) == 2}


def _read(sweep: Path) -> list[SubmittedJob]:
    """The jobs that were noted here, without those of a directory that this is a copy of."""
    path = SweepPaths(sweep).submitted
    try:
        found = validated(path, _File, SCHEMA_VERSION).jobs
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise DirectoryError(
            f"{path} cannot be used ({reason(error)}), so which runs are in a queue is unknown. "
            "Delete it once none is."
        ) from error
    here = sweep.resolve()
    return [one for one in found if one.job.sweep.resolve() == here]


def _write(sweep: Path, jobs: Sequence[SubmittedJob]) -> None:
    path = SweepPaths(sweep).submitted
    if jobs:
        store.write_json(path, _File(jobs=tuple(jobs)).model_dump(mode="json"))
    else:
        path.unlink(missing_ok=True)
