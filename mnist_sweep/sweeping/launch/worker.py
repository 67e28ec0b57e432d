"""A worker: a process of its own for one run, and what it tells its parent."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.launch import hydra_files
from mnist_sweep.sweeping.launch.execute import builder, execute
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.training.progress import History

LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"


def run(pipe: Connection, job: Job) -> None:
    """Carry one job out; sends ("epoch", epoch, figures) and ("done", summary).

    `figures` are the epoch's own of the history, by name. Where the job may be pruned, each epoch
    waits for the parent's answer: None to go on, or why to stop.
    """
    _detach()

    def on_epoch(epoch: int, history: History) -> str | None:
        try:
            pipe.send(("epoch", epoch, {name: v[-1] for name, v in history.__dict__.items()}))
            return pipe.recv() if job.prune else None
        except (EOFError, OSError):  # the parent is gone: this is no failure of the run's
            os._exit(1)

    def on_start() -> None:
        _log_to(job.paths.log)
        hydra_files.write(job)

    try:
        pipe.send(("done", execute(job, on_epoch, on_start)))
    except MnistSweepError as error:
        pipe.send(("error", str(error)))
    pipe.close()
    _leave()


def call(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Call a function in a process of its own; sends ("done", result) or ("error", text)."""
    _detach()
    try:
        pipe.send(("done", function(*arguments)))
    except MnistSweepError as error:
        pipe.send(("error", str(error)))
    pipe.close()
    _leave()


def network_problems(networks: list[tuple[Plain, tuple[int, ...], int]]) -> list[str]:
    """Build networks as runs would, check them, and say what is wrong with any.

    Args:
        networks: Of each the settings under `model`, the shape of an image, and how many classes.
    """
    from mnist_sweep.training import runtime

    runtime.configure(1)
    from mnist_sweep.training.model import check_probabilities, checked

    found = []
    for model, input_shape, classes in networks:
        target = model["_target_"]
        try:
            network = checked(builder(model)(input_shape, classes), target, input_shape, classes)
            check_probabilities(network, target, input_shape)
        except MnistSweepError as error:
            found.append(str(error))
    return found


def _detach() -> None:
    """Leave Ctrl-C to the parent, and end when the parent does, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def _log_to(path: Path) -> None:
    """Send everything this process writes, native libraries included, to the run's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # Where a run dies of a signal, its log ends with the Python line that it was at.
    faulthandler.enable(all_threads=False)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr, force=True)


def _leave() -> None:
    """End without tearing TensorFlow down, which takes time and has nothing left to do."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
