"""Processes for runs and checks: started by a fork server that has TensorFlow imported.

The import takes seconds, so the fork server is started before anything else is imported in this
process, and both work side by side. This module is imported first; it imports nothing slow.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import connection, current_process, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from mnist_sweep.errors import MnistSweepError, ModelError
from mnist_sweep.sweeping.interrupts import END_SIGNALS, ctrl_c_later

# What the fork server imports: with TensorFlow, or without for tasks of the user's own.
PRELOAD = "mnist_sweep.sweeping.launch.preload"
PRELOAD_TASK = "mnist_sweep.sweeping.launch.worker"
MAX_STARTS = 4
MAX_FOLDER_LENGTH = 60
RESTART_S = 0.2
STOP_S = 2.0  # how long a process that was told to end may take before it is killed
_preloaded = [PRELOAD]
_PRINTS = (
    "--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i", "--version",
    "--shell-completion", "-sc",
)  # fmt: skip


class WorkerDiedError(MnistSweepError):
    """A worker's process ended without sending its result."""


def context() -> Any:
    """Multiprocessing's context: of a fork server, or of spawning where there is none (Windows)."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return multiprocessing.get_context(method)


def preload_of(words: Sequence[str]) -> str | None:
    """What the processes of Hydra's command line need imported; None if it seems to run nothing."""
    if "plan=true" in words or any(word.partition("=")[0] in _PRINTS for word in words):
        return None
    task = any(word.lstrip("+").startswith(("task=", "task.")) for word in words)
    return PRELOAD_TASK if task else PRELOAD


def start_fork_server(preload: str | None = None) -> None:
    """Start the fork server unless it runs; it imports `preload`, or as before, meanwhile."""
    if context().get_start_method() != "forkserver":
        return
    from multiprocessing import forkserver, resource_tracker

    # The path of a socket may have 107 characters, so multiprocessing's are put into a short one.
    config: dict[str, Any] = current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001
    if "tempdir" not in config and len(tempfile.gettempdir()) > MAX_FOLDER_LENGTH:
        with suppress(OSError):
            config["tempdir"] = tempfile.mkdtemp(prefix="pymp-", dir="/tmp")
            atexit.register(shutil.rmtree, config["tempdir"], ignore_errors=True)
    if preload and [preload] != _preloaded:  # one that imports something else is replaced
        end_fork_server()
        _preloaded[:] = [preload]
    forkserver.set_forkserver_preload(_preloaded)
    # It starts a process too, and would let Ctrl-C through again in the middle of the block.
    resource_tracker.ensure_running()
    with ctrl_c_later():
        forkserver.ensure_running()


def end_fork_server() -> None:
    """End the fork server at once: it may be importing for seconds, and holds our output open."""
    if server := kill_fork_server():
        with suppress(OSError):
            server._stop()  # noqa: SLF001  (waits for it, so that a next one can be started)


def kill_fork_server() -> Any:
    """Kill the fork server, if one runs, and return what multiprocessing knows it by."""
    from multiprocessing import forkserver

    # There is no public way; without one it would end by itself, only later.
    server = getattr(forkserver, "_forkserver", None)
    process_id = getattr(server, "_forkserver_pid", None)
    if process_id is None:
        return None
    with suppress(OSError):
        os.kill(process_id, signal.SIGKILL)
    return server


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a function in a process of its own, which ends with this one; or WorkerDiedError."""
    for _ in range(MAX_STARTS):
        child = (function, *arguments)
        process: BaseProcess = context().Process(target=_child, args=child, daemon=True)
        try:
            start_fork_server()
            process.start()
        except (EOFError, OSError) as error:
            # The fork server was killed at this moment; the next attempt starts a new one.
            reason = f"{type(error).__name__}: {error}"
            time.sleep(RESTART_S)
        else:
            return process
    raise WorkerDiedError(
        f"Expected to start a process for a run, but {MAX_STARTS} attempts failed: {reason}. "
        "Check whether this machine is out of memory or processes; then repeat the same command."
    )


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a process of its own and return its result.

    Raises:
        ModelError: The function raised an error of this program.
        WorkerDiedError: The process ended without a result, or could not be started.
    """
    ours, theirs = context().Pipe(duplex=False)
    process = start(_send_result, theirs, function, arguments)
    theirs.close()
    try:
        kind, value = ours.recv()
    except EOFError:
        process.join()
        raise WorkerDiedError(f"A worker {ending(process.exitcode)}.") from None
    except BaseException:  # an interrupt; the process may be stopped, and would not end by itself
        process.kill()
        raise
    finally:
        ours.close()
    process.join()
    if kind == "error":
        raise ModelError(value)
    return value


def end(*running: BaseProcess) -> None:
    """Wait for processes that have no more to do; kill those that do not end by themselves."""
    for kill in (False, True):
        for process in running:
            if kill and process.is_alive():
                process.kill()
        # The end of a process is told by the fork server, which may be stopped: no endless wait.
        deadline = time.monotonic() + STOP_S
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))


def is_running(process: BaseProcess) -> bool:
    """Whether a process exists, asked of the kernel."""
    # Its sentinel is ready, and `is_alive` is wrong, also where only the fork server was killed.
    if process.pid is not None:
        with suppress(OSError):
            os.kill(process.pid, 0)
            return True
    return False


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


def _child(function: Callable[..., None], *arguments: Any) -> None:
    """Call a function, leave signals to the parent, and end when that ends, however it ended."""
    for number in (signal.SIGINT, *END_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if (parent := parent_process()) is not None:

        def end_with_it(sentinel: int = parent.sentinel) -> None:
            connection.wait([sentinel])
            os._exit(1)

        threading.Thread(target=end_with_it, daemon=True).start()
    function(*arguments)
    # Without tearing TensorFlow down, which takes time and serves nothing.
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _send_result(pipe: Connection, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        pipe.send(("done", function(*arguments)))
    except MnistSweepError as error:
        pipe.send(("error", str(error)))
