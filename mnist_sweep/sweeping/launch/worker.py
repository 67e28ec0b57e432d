"""A worker: a process for a run, or for small ones in turn, and what it sends to its parent."""

from __future__ import annotations

import faulthandler
import logging
import math
import os
import sys
import time
from collections.abc import Container, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records import store
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.execute import WRITING, Epoch, execute, too_late
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary, done_summary
from mnist_sweep.training import runtime

# How long a run may take to stop by itself at its `timeout_s`, before its process is killed.
LATE_S = 5.0
WRITE_S = 300.0  # how long a run with a `timeout_s` may take to write its files
_PEAK = Path("/proc/self/clear_refs")
CAN_RESET_PEAK_MEMORY = _PEAK.exists()  # for each run of a shared process
LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"


def run(pipe: Connection, job: Job, devices: Mapping[str, str]) -> None:
    """Run a job, and those that the parent then sends; None: it sends no other.

    Sends each `Epoch` of a job, which waits for an answer where it may be pruned; its `RunSummary`.
    """
    os.environ.update(devices)  # before TensorFlow looks for devices, which it does once
    following: Job | None = job
    while following:
        pipe.send(_run(pipe, following))
        following = None
        with suppress(EOFError, OSError):  # the parent has ended
            following = pipe.recv()
        runtime.go_on()
        reset_peak_memory()


def reset_peak_memory() -> None:
    """Let the kernel measure this process's peak memory from here on, for the next run."""
    with suppress(OSError):
        _PEAK.write_text("5")


def _run(pipe: Connection, job: Job) -> RunSummary:
    def report(epoch: Epoch) -> str | None:
        try:
            pipe.send(epoch)
            reason = pipe.recv() if epoch.number > 0 and job.prune else None
        except (EOFError, OSError):  # the parent has ended: the run has not failed
            os._exit(1)
        if epoch.number == 0:
            # Only now is the run's lock held: until then the log may be another sweep's.
            _log_to(job.paths.log)
            write_hydra_files(job)
            if job.hydra.get("job", {}).get("chdir"):
                os.chdir(job.paths.directory)
        return reason

    try:
        return execute(job, report)
    except MnistSweepError as error:  # its record cannot be written
        return RunSummary.of(job, RunStatus.FAILED, str(error))


def _log_to(path: Path) -> None:
    """Send everything this process writes, native libraries included, to the run's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # If a signal kills the run, its log ends with the Python line that was being executed.
    faulthandler.enable(all_threads=False)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr, force=True)


# The C emitter is ten times as fast; it is missing only where PyYAML was built without libyaml.
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def write_hydra_files(job: Job) -> None:
    """Write config.yaml, hydra.yaml and overrides.yaml of a job, if and where Hydra would."""
    hydra, overrides = dict(job.hydra), job.point.overrides
    name = hydra.get("output_subdir", ".hydra")
    if name is None:
        return
    files: dict[str, Any] = {"config": job.settings, "overrides": overrides}
    if hydra:
        hydra["overrides"] = {**hydra["overrides"], "task": overrides}
        hydra["runtime"] = {**hydra["runtime"], "output_dir": str(job.paths.directory)}
        files["hydra"] = {"hydra": hydra}
    for file, value in files.items():
        text = yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
        store.write_text(job.paths.directory / name / f"{file}.yaml", text)


class WorkerProcess:
    """A process for a run, or for one after another, seen from its parent."""

    def __init__(self, job: Job, devices: Mapping[str, str] | None = None) -> None:
        self.devices = dict(devices or {})  # the variables that say which GPUs are the run's
        self.runs = 0  # how many it was given
        self._orphaned = False
        self._take(job)
        self._pipe, theirs = processes.context().Pipe()
        self.process = processes.start(run, theirs, job, self.devices)
        theirs.close()

    def _take(self, job: Job) -> None:
        self.job = job
        self.runs += 1
        self.started = time.monotonic()
        self.summary: RunSummary | None = None  # None until it came, and if the process died
        self.ended = False  # whether the run has
        self.late = ""  # why the process was killed, where the run did not end in time
        self._deadline, self._missed = math.inf, ""

    def give(self, job: Job) -> None:
        """Give it the next run, once the one before has ended; its death is noticed later."""
        self._take(job)
        self._send(job)

    def answer(self, reason: str | None) -> None:
        """Let a run that waits for it go on after an epoch, or say why it must stop."""
        if self.job.prune:
            self._send(reason)

    def release(self) -> None:
        """Let it end: no other run follows."""
        self._send(None)
        processes.end(self.process)
        self._pipe.close()

    def _send(self, message: Any) -> None:
        with suppress(OSError):  # the process has died meanwhile, which is seen at its end
            self._pipe.send(message)

    @property
    def handles(self) -> list[Any]:
        """What becomes ready when there is a message, or the process has ended."""
        # A process that the network's builder left behind may hold the pipe open for long, so the
        # pipe alone does not tell the end.
        return [self._pipe] if self._orphaned else [self._pipe, self.process.sentinel]

    def receive(self, ready: Container[Any]) -> Epoch | None:
        """Take one message if there is any: an epoch is returned, a summary or the end kept."""
        if self._pipe in ready:
            try:
                message: Epoch | RunSummary = self._pipe.recv()
            except (EOFError, OSError):
                self._die()
                return None
            if isinstance(message, RunSummary):
                self.summary, self.ended = message, True
            elif message.number > 0:
                return message
            elif self.job.timeout_s:
                # The time counts from here, not from the process's start, which may have to wait
                # until the fork server has imported TensorFlow.
                more_s, self._missed = self.job.timeout_s + LATE_S, too_late(self.job.timeout_s)
                if message.number == WRITING:
                    more_s = WRITE_S
                    self._missed = f"stopped: its files were not written within {WRITE_S:g} s"
                self._deadline = time.monotonic() + more_s
        elif self.process.sentinel in ready:
            # The sentinel is ready, too, where only the fork server has died.
            self._orphaned = processes.is_running(self.process)
            if not self._orphaned:
                self._die()
        elif time.monotonic() > self._deadline:
            self.late = self._missed
            self.process.kill()
        return None

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        return f"its process {processes.ending(self.process.exitcode)}"

    def _die(self) -> None:
        processes.end(self.process)
        # The run may have ended all the same, and only its message is missing.
        done = done_summary(self.job, Origin.RAN)
        self.summary = done if done and done.status is not RunStatus.FAILED else None
        self._pipe.close()
        self.ended = True
