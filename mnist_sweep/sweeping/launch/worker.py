"""A worker: a process of its own for one run, and what it sends to its parent."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import hydra_files
from mnist_sweep.sweeping.launch.execute import execute
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.processes import detach, leave
from mnist_sweep.training.progress import History

LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"


@dataclass(frozen=True)
class Epoch:
    """An epoch has ended: its number, from 1, and the history's values of it, by name."""

    number: int
    figures: dict[str, float]


def run(pipe: Connection, job: Job) -> None:
    """Run one job; sends an `Epoch` after each, and its `RunSummary`.

    Where the job may be pruned, each epoch waits for the parent's answer: None to go on, or why to
    stop.
    """
    detach()

    def on_epoch(epoch: int, history: History) -> str | None:
        try:
            pipe.send(Epoch(epoch, {name: v[-1] for name, v in history.__dict__.items()}))
            return pipe.recv() if job.prune else None
        except (EOFError, OSError):  # the parent has ended: the run has not failed
            os._exit(1)

    def on_start() -> None:
        _log_to(job.paths.log)
        hydra_files.write(job)
        if job.hydra.get("job", {}).get("chdir"):
            os.chdir(job.paths.directory)

    try:
        summary = execute(job, on_epoch, on_start)
    except MnistSweepError as error:  # its record cannot be written
        summary = RunSummary.of(job, RunStatus.FAILED, str(error))
    pipe.send(summary)
    pipe.close()
    leave()


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
