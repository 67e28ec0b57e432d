"""What a node does for a run: carry it out in a fresh process and hand its files back as bytes.

A task of Ray's has a process that Ray keeps for later tasks. The run itself is a child of it, out
of a fork server that has TensorFlow imported, as with the pool on one machine: a task's process
pays for the import once and not every run, each run has a process of its own, and one that dies
leaves its parent to tell how and what its log said. The child works in a directory of the node's
own, which is removed; no file system is shared.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.launch import processes, worker
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.on_ray.node_data import place
from mnist_sweep.sweeping.launch.on_ray.temporary import locked_directory
from mnist_sweep.sweeping.plan.environment import describe

TELL_S = 0.2
"""Epochs are told this often at most: the display draws no faster."""
SCRATCH = "mnist-sweep-run-"
OF_THE_DRIVER = ("git_sha", "git_dirty", "workers")
"""What of a record's environment is the sweep's; the rest is described where the run is."""
DEVICES = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR", "TPU_VISIBLE_CHIPS",
)  # fmt: skip
"""Variables by which Ray tells a task which devices are its own."""


@dataclass(frozen=True)
class TaskResult:
    """What a task returns: `summary`, `died` or `error` says how the run ended.

    Attributes:
        summary: Of a run that ended by itself.
        died: How the run's process died.
        error: What kept the run from starting.
        files: Name -> content of what the run left in its directory.
    """

    summary: RunSummary | None = None
    died: str | None = None
    error: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)


def run_job(job: Job, ticket: str, data: list[Any], mailbox: Any) -> TaskResult:
    """Run one job on this node; Ray calls it.

    Args:
        job: The sweep's directory in it is the driver's and not used.
        ticket: What to call this attempt when telling how far it is.
        data: The object of the packed data, or empty where driver and node are one machine.
        mailbox: The actor to tell.
    """
    import ray

    def fetch() -> dict[str, Any]:
        return dict(ray.get(data[0]))

    tell = _Teller(mailbox, ticket, asks=job.prune)
    tell(0, {})
    try:
        info = place(job.data, fetch if data else None)
        with locked_directory(SCRATCH) as directory:
            return _in_a_process(_at(job, directory, info), tell)
    except MnistSweepError as error:
        return TaskResult(error=str(error))


class _Teller:
    """Tells the driver how far a run is, and asks where the run may be pruned."""

    def __init__(self, mailbox: Any, ticket: str, *, asks: bool) -> None:
        self._mailbox = mailbox
        self._ticket = ticket
        self._asks = asks
        self._told = -TELL_S

    def __call__(self, epoch: int, figures: dict[str, float]) -> str | None:
        """Why the run is to stop, or None to go on."""
        import ray

        if self._asks and epoch:
            try:
                reason = ray.get(self._mailbox.ask.remote(self._ticket, epoch, figures))
            except ray.exceptions.RayActorError:  # it starts anew elsewhere; this run goes on
                return None
            return None if reason is None else str(reason)
        if time.monotonic() - self._told >= TELL_S:
            self._told = time.monotonic()
            self._mailbox.tell.remote(self._ticket, epoch, figures)
        return None


def _at(job: Job, directory: Path, info: DatasetInfo) -> Job:
    """The job as it is carried out here."""
    environment = {key: job.environment[key] for key in OF_THE_DRIVER}
    return replace(job, sweep=directory, data=info, environment={**_described(), **environment})


@cache
def _described() -> Plain:
    return describe()


def _in_a_process(job: Job, tell: _Teller) -> TaskResult:
    _forget_main_file()
    processes.start_fork_server()
    ours, theirs = processes.context().Pipe()
    devices = {name: os.environ[name] for name in DEVICES if name in os.environ}
    process = processes.start(run, theirs, job, devices)
    theirs.close()
    summary, error = None, None
    try:
        for message in _messages(process, ours):
            if message[0] == "epoch":
                reason = tell(message[1], message[2])
                if job.prune:
                    with suppress(OSError):  # the process died meanwhile, which is seen at its end
                        ours.send(reason)
            elif message[0] == "done":
                summary = message[1]
            else:
                error = message[1]
        processes.end(process)
    finally:
        ours.close()
    died = None
    if summary is None and error is None:
        died = f"its process {processes.ending(process.exitcode)}"
    return TaskResult(summary, died, error, _files(job.paths))


def run(pipe: Connection, job: Job, devices: dict[str, str]) -> None:
    """The run's process: as with the pool, on the devices that Ray gave to the task."""
    # The fork server may have been started for an earlier task with others.
    os.environ.update(devices)
    worker.run(pipe, job)


def _messages(process: BaseProcess, pipe: Connection) -> Iterator[Any]:
    """What a process tells, until it ends."""
    orphaned = False
    while True:
        handles: list[Any] = [pipe] if orphaned else [pipe, process.sentinel]
        if pipe in connection.wait(handles):
            try:
                yield pipe.recv()
            except (EOFError, OSError):
                return
        else:
            # Ready too where only the fork server died: then the pipe tells.
            orphaned = processes.is_running(process)
            if not orphaned:
                return


def _files(paths: RunPaths) -> dict[str, bytes]:
    found = {}
    for path in (paths.record, paths.predictions, paths.model, paths.log):
        with suppress(FileNotFoundError):
            found[path.name] = path.read_bytes()
    return found


def _forget_main_file() -> None:
    """Have children not run this process's main file again, Ray's, which imports all of Ray."""
    vars(sys.modules["__main__"]).pop("__file__", None)
