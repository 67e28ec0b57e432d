"""What a node does for a run: execute it in a fresh process and return its files as bytes.

Ray keeps the process of a task for later tasks. The run itself is a child of that process, forked
from a server that has TensorFlow imported, as in the pool on one machine. So the import is paid for
once and not by every run, each run has a process of its own, and if it dies, its parent can report
how, with its log. The child works in a temporary directory of the node; no file system is shared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import connection
from pathlib import Path
from typing import Any, cast

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import Plain, is_task
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.on_ray.connection import locked_directory
from mnist_sweep.sweeping.launch.on_ray.node_data import place
from mnist_sweep.sweeping.launch.worker import WorkerProcess
from mnist_sweep.sweeping.plan.environment import describe

LOOK_S = 1.0
"""How often the time of a run is looked at."""
REPORT_S = 0.2
"""Epochs are reported this often at most: the display draws no faster."""
SCRATCH = "mnist-sweep-run-"
OF_THE_DRIVER = ("git_sha", "git_dirty", "workers")
"""What a record's environment has from the sweep; the rest is described on the node."""
DEVICES = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR", "TPU_VISIBLE_CHIPS",
)  # fmt: skip
"""Variables by which Ray tells a task which devices are its own."""


Report = Callable[[int, dict[str, float]], str | None]
"""Is told an epoch (0: the run starts) and its figures; returns why to stop, or None."""


@dataclass(frozen=True)
class TaskResult:
    """What a task returns.

    Attributes:
        summary: The run's own; None if its process died.
        died: How its process died, in words; empty if it did not.
        late: Why it was killed, where it took too long.
        files: Name -> content of what the run left in its directory; without a record where
            something kept the run from starting, which the summary's message says.
    """

    summary: RunSummary | None
    died: str = ""
    late: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


def run_job(job: Job, ticket: str, data: list[Any], mailbox: Any) -> TaskResult:
    """Run one job on this node; Ray calls it.

    Args:
        job: The sweep's directory in it is the driver's and not used.
        ticket: Names this attempt in what is reported.
        data: The object of the packed data, or empty where driver and node are one machine.
        mailbox: The actor to report to.
    """
    import ray

    def fetch() -> dict[str, Any]:
        return dict(ray.get(data[0]))

    report = _reporter(mailbox, ticket, asks=job.prune)
    report(0, {})
    try:
        info = place(job.data, fetch if data else None) if job.data.sha256 else job.data
        with locked_directory(SCRATCH) as directory:
            return _in_a_process(_at(job, directory, info), report)
    except MnistSweepError as error:
        return TaskResult(RunSummary.of(job, RunStatus.FAILED, str(error)))


def _reporter(mailbox: Any, ticket: str, *, asks: bool) -> Report:
    """Reports epochs to the driver, and asks whether to go on where the run may be pruned."""
    import ray

    reported = -REPORT_S

    def report(epoch: int, figures: dict[str, float]) -> str | None:
        nonlocal reported
        if asks and epoch:
            try:
                return cast("str | None", ray.get(mailbox.ask.remote(ticket, epoch, figures)))
            except ray.exceptions.RayActorError:  # it restarts elsewhere; this run goes on
                return None
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            mailbox.tell.remote(ticket, epoch, figures)
        return None

    return report


def _at(job: Job, directory: Path, info: DatasetInfo) -> Job:
    """The job as it is executed here."""
    environment = {key: job.environment[key] for key in OF_THE_DRIVER}
    return replace(job, sweep=directory, data=info, environment={**_described(), **environment})


@cache
def _described() -> Plain:
    return describe()


def _in_a_process(job: Job, report: Report) -> TaskResult:
    _forget_main_file()
    # A task of the user's own needs no TensorFlow, whose import takes seconds.
    own = is_task(job.settings)
    processes.start_fork_server(processes.PRELOAD_TASK if own else processes.PRELOAD)
    devices = {name: os.environ[name] for name in DEVICES if name in os.environ}
    process = WorkerProcess(job, devices)
    while not process.ended:
        if epoch := process.receive(connection.wait(process.handles, LOOK_S)):
            reason = report(epoch.number, epoch.figures)
            if job.prune:
                process.answer(reason)
    process.release()
    died = "" if process.summary else process.ending
    return TaskResult(process.summary, died, process.late, _files(job.paths))


def _files(paths: RunPaths) -> dict[str, bytes]:
    found = {}
    own = [path for path in paths.files.rglob("*") if path.is_file()]
    for path in (paths.record, paths.predictions, paths.model, paths.log, *own):
        with suppress(FileNotFoundError):
            found[path.relative_to(paths.directory).as_posix()] = path.read_bytes()
    return found


def _forget_main_file() -> None:
    """Keep children from importing this process's main file, Ray's, which imports all of Ray."""
    vars(sys.modules["__main__"]).pop("__file__", None)
