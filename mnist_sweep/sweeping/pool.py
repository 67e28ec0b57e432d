"""A pool of workers on this machine: one process a run, started by a fork server.

The server has TensorFlow and Keras imported, so a process of its own costs a run tens of
milliseconds and buys everything: a crash, an out-of-memory kill or a leak costs that run alone.
Where there is no fork server (Windows) processes are spawned, which takes seconds each.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from mnist_sweep.config import Plain
from mnist_sweep.errors import MnistSweepError, ModelError
from mnist_sweep.results.locks import try_lock
from mnist_sweep.results.paths import RunPaths
from mnist_sweep.sweeping import execute, worker
from mnist_sweep.sweeping.progress import Progress
from mnist_sweep.training.progress import History

REFRESH_S = 0.25
POLL_S = 0.5
STOP_S = 2.0
LOG_LINES = 15
PRELOAD = "mnist_sweep.sweeping.preload"


class WorkerDiedError(MnistSweepError):
    """A worker's process ended without a word."""


def context() -> Any:
    """The way processes are started here: a fork server where there is one."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return multiprocessing.get_context(method)


def warm_up() -> None:
    """Start the fork server now; it imports TensorFlow while the parent reads its grid."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.set_forkserver_preload([PRELOAD])
        forkserver.ensure_running()


def cool_down() -> None:
    """End the fork server at once where nothing is to be run: it may be importing for seconds."""
    from multiprocessing import forkserver

    # There is no public way; without one it would end by itself, only later.
    process_id = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    if process_id is not None:
        with suppress(OSError):
            os.kill(process_id, signal.SIGKILL)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own.

    Raises:
        ModelError: The function raised an error of this program's.
        WorkerDiedError: The process ended without an answer.
    """
    ours, theirs = context().Pipe(duplex=False)
    process = context().Process(target=worker.call, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        kind, value = ours.recv()
    except EOFError:
        process.join()
        raise WorkerDiedError(f"A worker {_ending(process.exitcode)}.") from None
    finally:
        ours.close()
    process.join()
    if kind == "error":
        raise ModelError(value)
    return value


@dataclass
class _Active:
    job: Plain
    process: BaseProcess
    pipe: Connection
    started: float = field(default_factory=time.monotonic)
    answer: Plain | None = None


class Pool:
    """Runs jobs side by side.

    Args:
        workers: How many at once.
        retries: How often a run is repeated whose process died without an error of its own.
        fail_fast: Start nothing more after the first failed run, and stop the running ones.
        progress: Is told what happens.
    """

    def __init__(self, workers: int, retries: int, fail_fast: bool, progress: Progress) -> None:
        self._workers = workers
        self._retries = retries
        self._fail_fast = fail_fast
        self._progress = progress
        self._context = context()
        self._active: list[_Active] = []
        self._queue: deque[Plain] = deque()
        self._elsewhere: list[Plain] = []
        self._attempts: dict[str, int] = {}
        self._summaries: list[Plain] = []

    def run(self, jobs: list[Plain]) -> list[Plain]:
        """Carry jobs out in their order and return the summary of each that came to an end.

        On KeyboardInterrupt the running ones are stopped and the exception goes on; `summaries`
        holds what was finished by then.
        """
        self._queue.extend(jobs)
        try:
            while self._queue or self._active or self._elsewhere:
                while self._queue and len(self._active) < self._workers:
                    self._start(self._queue.popleft())
                self._wait()
                if self._fail_fast and self._failures():
                    self._queue.clear()
                    self._elsewhere.clear()
                    self.stop()
                elif not self._queue and len(self._active) < self._workers:
                    self._look_elsewhere()
                self._progress.refresh()
        except BaseException:
            self.stop()
            raise
        return self._summaries

    @property
    def summaries(self) -> list[Plain]:
        """Of the runs that came to an end so far."""
        return self._summaries

    def stop(self) -> None:
        """End all running workers, at once."""
        for active in self._active:
            active.process.terminate()
        deadline = time.monotonic() + STOP_S
        for active in self._active:
            active.process.join(max(0.0, deadline - time.monotonic()))
            if active.process.is_alive():
                active.process.kill()
                active.process.join()
            active.pipe.close()
        self._active.clear()

    def _failures(self) -> list[Plain]:
        return [s for s in self._summaries if s["outcome"] in ("failed", "diverged")]

    def _start(self, job: Plain) -> None:
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=worker.run, args=(theirs, job), daemon=True)
        process.start()
        theirs.close()
        self._active.append(_Active(job, process, ours))
        self._progress.started(job)

    def _wait(self) -> None:
        """Handle what the workers have to say, for a moment."""
        if not self._active:
            time.sleep(POLL_S)
            return
        handles: list[Any] = [active.pipe for active in self._active]
        ready = connection.wait(handles, timeout=REFRESH_S)
        for active in [active for active in self._active if active.pipe in ready]:
            self._receive(active)

    def _receive(self, active: _Active) -> None:
        try:
            message = active.pipe.recv()
        except (EOFError, OSError):
            self._ended(active)
            return
        if message[0] == "epoch":
            self._progress.epoch(active.job, message[1], message[2])
        elif message[0] == "done":
            active.answer = message[1]
        else:
            active.answer = {
                "run_id": active.job["run_id"], "label": active.job["label"],
                "outcome": "failed", "message": message[1],
            }  # fmt: skip

    def _ended(self, active: _Active) -> None:
        active.process.join()
        active.pipe.close()
        self._active.remove(active)
        if active.answer is None:
            self._died(active)
        elif active.answer["outcome"] == "busy":
            self._elsewhere.append(active.job)
            self._progress.postponed(active.job)
        else:
            self._finish(active.answer)

    def _died(self, active: _Active) -> None:
        """A process that ended without a word: once more, or a failed record in its name."""
        job = active.job
        if execute.status_of(job) in execute.DONE:
            self._elsewhere.append(job)
            return
        attempts = self._attempts[job["run_id"]] = self._attempts.get(job["run_id"], 0) + 1
        reason = f"its process {_ending(active.process.exitcode)}"
        if attempts <= self._retries:
            self._progress.retrying(job, reason)
            self._queue.append(job)
            return
        error = WorkerDiedError(f"{reason}. The end of its log:\n{_tail(job)}")
        seconds = time.monotonic() - active.started
        self._finish(execute.record_failure(job, error, History(), seconds))

    def _finish(self, summary: Plain) -> None:
        self._summaries.append(summary)
        self._progress.ended(summary)

    def _look_elsewhere(self) -> None:
        """See whether runs that another sweep is at are done, or free again."""
        waiting = []
        for job in self._elsewhere:
            lock = try_lock(Path(job["lock"]))
            if lock is None:
                waiting.append(job)
                continue
            os.close(lock)
            if execute.status_of(job) in execute.DONE:
                self._finish(execute.summary(job, "done", ""))
            else:
                self._queue.append(job)
        self._elsewhere = waiting


def _ending(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        hint = " (out of memory, perhaps)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"ended with exit code {exit_code} and no answer"


def _tail(job: Plain) -> str:
    try:
        text = RunPaths(job["directory"]).log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(there is none)"
    return "\n".join(text.splitlines()[-LOG_LINES:])
