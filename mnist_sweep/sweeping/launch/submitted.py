"""Jobs in a cluster's queue, noted beside the sweep so that any later command knows them.

`.submitit/submitted.json` lists those whose end was not seen yet. `collect` drops the ones that
have a record, and writes the failed record of each that has ended without one. Jobs run a copy of
the code beside the sweep, as it was when they were submitted.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
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
from mnist_sweep.settings.source import files_of, is_installed, targets_of
from mnist_sweep.sweeping.launch.execute import death, write_failure
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, done_summary

SCHEMA_VERSION = 1
UNKNOWN, RUNNING = "UNKNOWN", "RUNNING"
ENDED = (
    "", "BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"
)  # fmt: skip
"""Slurm's words for jobs that will not go on; empty: it has forgotten them. A job that is COMPLETED
has a record, which another machine may only see a little later."""
QUERY_S = 30.0
MAX_IDS = 4
START = "_start_submitted_job.py"
# Called as `python START -u -m submitit.core._submit FOLDER`: submitit adds these words itself.
_START_CODE = b"""\
import os, runpy, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [here, os.getcwd(), *(place for place in sys.path if place != here)]
sys.argv[1:] = sys.argv[-1:]
runpy.run_module("submitit.core._submit", run_name="__main__", alter_sys=True)
"""
_PACKAGE = Path(__file__).parents[2]
_RUN_ID = re.compile(r"[0-9a-f]{12}")


class SubmittedJob(BaseModel):
    """One job in a queue: Slurm's, or processes of submitit's on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cluster: Literal["slurm", "local"]
    job_id: str = Field(pattern=r"^\d+(_\d+)?$")  # of a local job the id of its process
    machine: str  # where it was submitted
    folder: str  # submitit's, with its logs; %j stands for the id
    job: Job
    state: str = ""  # the cluster's word, when last seen

    @field_validator("job")
    @classmethod
    def _has_a_directory_of_its_sweep(cls, job: Job) -> Job:
        # Its record and its lock are written: a file from elsewhere must not say where.
        is_inside = job.paths.directory.parent == SweepPaths(job.sweep).runs
        if not is_inside or not _RUN_ID.fullmatch(job.run_id):
            raise ValueError("a run's directory is runs/LABEL-RUNID")
        return job

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


def note(
    sweep: Path, added: Iterable[SubmittedJob] = (), *, gone: Iterable[SubmittedJob] = ()
) -> None:
    """Add jobs that were submitted; drop those whose end was seen, or that were cancelled."""
    drop = {(one.job_id, one.job.run_id) for one in gone}
    with locked(SweepPaths(sweep).lock("submitted")):
        jobs = [*_read(sweep), *added]
        _write(sweep, [one for one in jobs if (one.job_id, one.job.run_id) not in drop])


def collect(sweep: Path) -> list[SubmittedJob]:
    """The jobs of a sweep that are still in a queue; the ended ones are dropped."""
    paths = SweepPaths(sweep)
    if not paths.submitted.exists():
        return []
    may_write = os.access(sweep, os.W_OK)  # else nothing is changed
    with locked(paths.lock("submitted")) if may_write else nullcontext():
        jobs, still = _read(sweep), []
        # First the states: what has ended by then has its record now.
        for one in with_states(jobs, paths.submitted.stat().st_uid):
            if done_summary(one.job):
                continue
            # The process of a job may live longer than what watches it.
            if one.state not in ENDED or is_held(one.job.lock):
                still.append(one)
            elif may_write:
                log = one.log if one.log.exists() else None
                record_death(one.job, ended_without_record(one), log)
        if may_write and len(still) < len(jobs):
            _write(sweep, still)
    return still


def ended_without_record(one: SubmittedJob) -> str:
    """What is to be said of a job that died."""
    state = one.state or "no longer in the queue"
    return f"its job {one.job_id} ended without a record ({one.cluster}: {state})"


def died_with(error: Exception) -> str:
    """'ended with OSError: no space left', of what a launcher raised."""
    said = " ".join(str(error).split("\n")[:2]).replace("\t", " ")
    return f"ended with {type(error).__name__}: {said}"


def record_death(job: Job, why: str, log: Path | None = None) -> RunSummary:
    """Write the failed record of a job whose process died before it could, unless it has one."""
    with held(job.lock) as free:
        if free and not done_summary(job):
            return replace(write_failure(job, death(why, log)), message=why)
        # Another sweep is running it now, or its own record is there.
        return outcome_of(job, why)


def outcome_of(job: Job, why: str) -> RunSummary:
    """What the record of a job says that reported nothing, or else that it failed, and why."""
    # A record that was to be replaced says nothing of this run.
    return done_summary(job, Origin.RAN) or RunSummary.of(job, RunStatus.FAILED, why)


def with_states(jobs: Sequence[SubmittedJob], user: int) -> list[SubmittedJob]:
    """A user's jobs with the state that their queue tells now; empty: it knows them no more."""
    commands = {
        "slurm": ("squeue", "--array", "--noheader", "--states=all", f"--user={user}",
                  "--format=%i %T"),
        "local": ("ps", "-A", "-ww", "-o", "pid=,args="),
    }  # fmt: skip
    queues = {cluster: _asked(commands[cluster]) for cluster in {one.cluster for one in jobs}}

    def state(one: SubmittedJob) -> str:
        queue = queues[one.cluster]
        if queue is None or (one.cluster == "local" and one.machine != platform.node()):
            return UNKNOWN
        said = queue.get(one.job_id, "")
        if one.cluster == "slurm":
            return said
        # Else another process has got its number.
        return RUNNING if "submitit.local._local" in said and one.folder in said else ""

    return [one.model_copy(update={"state": state(one)}) for one in jobs]


def _asked(command: Sequence[str]) -> dict[str, str] | None:
    """Id of each job or process -> its state or command; None where there is no answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    split = (line.split(maxsplit=1) for line in done.stdout.splitlines())
    return {words[0]: words[1] for words in split if len(words) == 2}


def _read(sweep: Path) -> list[SubmittedJob]:
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
    # This directory may be a copy of the one whose jobs these are.
    here = sweep.resolve()
    return [one for one in found if one.job.sweep.resolve() == here]


def _write(sweep: Path, jobs: Sequence[SubmittedJob]) -> None:
    path = SweepPaths(sweep).submitted
    if jobs:
        store.write_json(path, _File(jobs=tuple(jobs)).model_dump(mode="json"))
    else:
        path.unlink(missing_ok=True)


def copy_code(sweep: Path, jobs: Iterable[Job]) -> Path:
    """Copy the code of some jobs beside their sweep; returns the script that starts one with it.

    Copied are the user's own modules that the run ids cover, and this package unless pip copied it.
    """
    own = files_of(*{target for job in jobs for target in targets_of(job.settings)})
    files = dict(own)
    if not is_installed(_PACKAGE.parent):
        for path in _PACKAGE.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                files[path.relative_to(_PACKAGE.parent).as_posix()] = path
    contents = {START: _START_CODE} | {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()
    place = SweepPaths(sweep).code / digest[:12]
    if not place.is_dir():
        with store.scratch(place.parent) as scratch:
            for name, content in contents.items():
                store.make_directory((scratch / name).parent)
                (scratch / name).write_bytes(content)
            for name, path in own.items():
                _link_neighbours(path, scratch / name, in_package="/" in name)
            with suppress(OSError):  # another command has just made the same
                scratch.rename(place)
    return place / START


def _link_neighbours(path: Path, copy: Path, *, in_package: bool) -> None:
    """Link what lies beside a file beside its copy: weights, modules of computed names."""
    for entry in os.scandir(path.parent):
        link = copy.with_name(entry.name)
        # Beside a module that is in no package, other modules are not its own.
        is_data = entry.is_file() and not entry.name.endswith(".py")
        if (in_package or is_data) and not os.path.lexists(link):
            with suppress(OSError):  # a file system without links
                link.symlink_to(Path(entry.path).absolute())
