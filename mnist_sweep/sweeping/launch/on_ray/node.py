"""What a node does for a run: execute it in a fresh process and return its files as bytes.

Ray keeps the process of a task for later tasks. The run itself is a child of that process, forked
from a server that has TensorFlow imported, as in the pool on one machine. So the import is paid for
once and not by every run, each run has a process of its own, and if it dies, its parent can report
how, with its log. The child works in a temporary directory of the node; no file system is shared.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import connection
from pathlib import Path
from typing import Any, cast

from mnist_sweep.data import DatasetInfo
from mnist_sweep.data.arrays import Arrays
from mnist_sweep.data.cache import map_arrays, open_cache, verified
from mnist_sweep.errors import DataError, DirectoryError, MnistSweepError
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import is_task
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.execute import Epoch, Report
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.on_ray.connection import locked_directory
from mnist_sweep.sweeping.launch.worker import WorkerProcess
from mnist_sweep.sweeping.plan.environment import describe

LOOK_S = 1.0  # how often the time of a run is looked at
REPORT_S = 0.2  # epochs are reported this often at most: the display draws no faster
PATIENCE_S = 1.0  # how long the driver's call for reports stays open
# Calls of the mailbox at once. Each run that waits for an answer is one; with Ray's default of
# 1,000, that many waiting runs would block the driver's own calls, which they wait for.
MAX_CALLS = 100_000
SCRATCH = "mnist-sweep-run-"
# What a record's environment has from the sweep; the rest is described on the node, once.
OF_THE_DRIVER = ("git_sha", "git_dirty", "workers")
_described = cache(describe)
# Variables by which Ray tells a task which devices are its own.
DEVICES = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES",
    "ONEAPI_DEVICE_SELECTOR", "TPU_VISIBLE_CHIPS",
)  # fmt: skip


@dataclass(frozen=True)
class TaskResult:
    """What a task returns."""

    summary: RunSummary | None  # the run's own; None if its process died
    died: str = ""  # how, in words
    late: str = ""  # why it was killed, where it took too long
    # Name -> content of what the run left in its directory; no record where something kept it from
    # starting, which the summary's message says.
    files: dict[str, bytes] = field(default_factory=dict)


class Mailbox:
    """An actor that holds the latest report of each run until the driver takes it.

    It is an actor, and not a stream of each task, because Ray Client has no streams. If it dies,
    reports are lost but no run: results are what tasks return.
    """

    def __init__(self) -> None:
        self._reports: dict[str, Epoch] = {}
        self._new = asyncio.Event()
        self._asking: dict[str, asyncio.Future[str | None]] = {}

    async def tell(self, ticket: str, epoch: Epoch, *, asks: bool = False) -> str | None:
        """Keep a run's report in place of an earlier one; if it asks, wait for why it must stop."""
        self._reports[ticket] = epoch
        self._new.set()
        if not asks:
            return None
        self._asking[ticket] = asyncio.get_running_loop().create_future()
        return await self._asking[ticket]

    async def answer(self, ticket: str, reason: str | None) -> None:
        """Pass the driver's answer to the run that asked."""
        waiting = self._asking.pop(ticket, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(reason)

    async def take(self) -> dict[str, Epoch]:
        """All reports since the last call, by ticket, as soon as there are any."""
        try:
            await asyncio.wait_for(self._new.wait(), PATIENCE_S)
        except TimeoutError:
            return {}
        self._new.clear()
        reports, self._reports = self._reports, {}
        return reports


def run_job(job: Job, ticket: str, data: list[Any], mailbox: Any) -> TaskResult:
    """Run one job on this node; Ray calls it.

    `ticket` names this attempt in what is reported; `data` has the object of the packed data, if
    they are not on this machine. The sweep's directory in the job is the driver's and not used.
    """
    import ray

    reported = -REPORT_S

    def report(epoch: Epoch) -> str | None:
        nonlocal reported
        asks = job.prune and epoch.number > 0
        if asks or time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            answer = mailbox.tell.remote(ticket, epoch, asks=asks)
            with suppress(ray.exceptions.RayActorError):  # it restarts elsewhere; this run goes on
                return cast("str | None", ray.get(answer)) if asks else None
        return None

    report(Epoch(0, {}))
    fetch = (lambda: dict(ray.get(data[0]))) if data else None
    try:
        info = place(job.data, fetch) if job.data.sha256 else job.data
        with locked_directory(SCRATCH) as directory:
            driver = {key: job.environment[key] for key in OF_THE_DRIVER}
            here = replace(job, sweep=directory, data=info, environment=_described() | driver)
            return _in_a_process(here, report)
    except MnistSweepError as error:
        return TaskResult(RunSummary.of(job, RunStatus.FAILED, str(error)))


def _in_a_process(job: Job, report: Report) -> TaskResult:
    # Children would import this process's main file, Ray's, which imports all of Ray.
    vars(sys.modules["__main__"]).pop("__file__", None)
    # A task of the user's own needs no TensorFlow, whose import takes seconds.
    own = is_task(job.settings)
    processes.start_fork_server(processes.PRELOAD_TASK if own else processes.PRELOAD)
    process = WorkerProcess(job, {name: os.environ[name] for name in DEVICES if name in os.environ})
    while not process.ended:
        if epoch := process.receive(connection.wait(process.handles, LOOK_S)):
            process.answer(report(epoch))
    process.release()
    return TaskResult(process.summary, process.ending, process.late, files_of(job.paths))


def files_of(paths: RunPaths) -> dict[str, bytes]:
    """What a run left in its directory that belongs to its result: name -> content."""
    found = {}
    own = [path for path in paths.files.rglob("*") if path.is_file()]
    for path in (paths.record, *paths.artefacts, paths.log, *own):
        with suppress(FileNotFoundError):
            found[path.relative_to(paths.directory).as_posix()] = path.read_bytes()
    return found


def pack(info: DatasetInfo) -> dict[str, Any]:
    """A prepared dataset as it travels: its four arrays (uint8), `classes` and `scale`."""
    try:
        arrays = map_arrays(Path(info.cache))
    except (OSError, ValueError) as error:
        raise DataError(
            f"The prepared data in {info.cache} cannot be read: {error}. Start again: it is "
            "rebuilt from its source."
        ) from error
    return {**arrays, "classes": info.classes, "scale": info.scale}


def place(info: DatasetInfo, fetch: Callable[[], dict[str, Any]] | None) -> DatasetInfo:
    """The dataset as it lies on this node: in the driver's files, the node's cache, or fetched."""
    if stored := verified(Path(info.cache), info.sha256):
        return replace(info, cache=str(stored.directory))
    cache = open_cache(os.environ)
    with ExitStack() as held:
        # Of several runs that start here at once, one fetches; where the cache cannot be written,
        # each unpacks into the spare one, which does no harm.
        with suppress(DirectoryError):
            held.enter_context(locked(cache.configured / "locks" / info.sha256))
        stored = cache.find(info.sha256)
        if stored is None:
            if fetch is None:
                raise DataError(
                    f"The prepared data in {info.cache} is missing or damaged. Start again: it is "
                    "rebuilt from its source."
                )
            stored = cache.store(Arrays(**fetch()))
    if stored.sha256 != info.sha256:
        raise DataError(
            f"The data that came over the cluster has hash {stored.sha256}, not {info.sha256}, "
            "with which the sweep was planned. Start again."
        )
    return replace(info, cache=str(stored.directory))
