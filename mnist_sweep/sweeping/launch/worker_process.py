"""A run's process as its parent sees it: started, listened to, and seen to have ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from contextlib import suppress
from typing import Any

from mnist_sweep.sweeping.launch import processes, worker
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.worker import Epoch


class WorkerProcess:
    """One run's process; `summary` is its result, None until it came and if the process died.

    Args:
        job: What it runs.
        function: Its main function, called with a pipe, the job and `arguments`.
    """

    def __init__(
        self, job: Job, function: Callable[..., None] = worker.run, *arguments: Any
    ) -> None:
        self.job = job
        self.started = time.monotonic()
        self.summary: RunSummary | None = None
        self.ended = False
        self._orphaned = False
        # Both ways only where the worker waits for an answer after each epoch.
        self._pipe, theirs = processes.context().Pipe(duplex=job.prune)
        self._process = processes.start(function, theirs, job, *arguments)
        theirs.close()

    @property
    def handles(self) -> list[Any]:
        """What becomes ready when there is a message, or the process has ended."""
        # A process that the network's builder left behind may hold the pipe open for long, so the
        # pipe alone does not tell the end.
        return [self._pipe] if self._orphaned else [self._pipe, self._process.sentinel]

    def receive(self, ready: Container[Any]) -> Epoch | None:
        """Take one message if there is any: an epoch is returned, a summary or the end kept."""
        if self._pipe in ready:
            try:
                message: Epoch | RunSummary = self._pipe.recv()
            except (EOFError, OSError):
                self._end()
                return None
            if isinstance(message, Epoch):
                return message
            self.summary = message
        elif self._process.sentinel in ready:
            # The sentinel is ready, too, where only the fork server has died.
            self._orphaned = processes.is_running(self._process)
            if not self._orphaned:
                self._end()
        return None

    def answer(self, reason: str | None) -> None:
        """Let a run go on after an epoch, or say why it must stop."""
        with suppress(OSError):  # the process has died meanwhile, which is seen at its end
            self._pipe.send(reason)

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        return f"its process {processes.ending(self._process.exitcode)}"

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def close(self, timeout_s: float) -> None:
        """Wait for the end of the process; kill it if it takes longer."""
        processes.end(self._process, timeout_s)
        self._pipe.close()
        self.ended = True

    def _end(self) -> None:
        self.close(processes.STOP_S)
