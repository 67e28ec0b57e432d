"""Processes of their own, started by a fork server that has TensorFlow imported."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

from mnist_sweep.errors import MnistSweepError, ModelError
from mnist_sweep.sweeping.launch import worker
from mnist_sweep.sweeping.launch.fork_server import context, cool_down, warm_up

__all__ = [
    "WorkerDiedError",
    "call",
    "context",
    "cool_down",
    "ending",
    "running",
    "start",
    "warm_up",
]

STARTS = 4
RESTART_S = 0.2
STOP_S = 2.0
"""How long a process that is to end may take before it is killed."""


class WorkerDiedError(MnistSweepError):
    """A worker's process ended without a word."""


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a function in a process of its own, which ends with this one.

    Raises:
        WorkerDiedError: Processes cannot be started.
    """
    for _ in range(STARTS):
        process: BaseProcess = context().Process(target=function, args=arguments, daemon=True)
        try:
            process.start()
        except (EOFError, OSError) as error:
            # The fork server was killed at this moment; a new one is at the next attempt's start.
            reason = f"{type(error).__name__}: {error}"
            time.sleep(RESTART_S)
            warm_up()
        else:
            return process
    raise WorkerDiedError(
        f"Expected to start a process for a run, but {STARTS} times it could not be: {reason}. "
        "Look whether this machine is out of memory or processes; then run the same command again."
    )


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own.

    Raises:
        ModelError: The function raised an error of this program's.
        WorkerDiedError: The process ended without an answer.
    """
    ours, theirs = context().Pipe(duplex=False)
    process = start(worker.call, theirs, function, arguments)
    theirs.close()
    try:
        kind, value = ours.recv()
    except EOFError:
        process.join()
        raise WorkerDiedError(f"A worker {ending(process.exitcode)}.") from None
    finally:
        ours.close()
    process.join()
    if kind == "error":
        raise ModelError(value)
    return value


def running(process: BaseProcess) -> bool:
    """Whether a process is there; its own word fails where the fork server was killed."""
    if process.pid is None:
        return False
    try:
        os.kill(process.pid, 0)
    except OSError:
        return False
    return True


def ending(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = " (out of memory, perhaps)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"ended with exit code {exit_code} and no answer"
