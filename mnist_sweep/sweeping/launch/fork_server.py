"""The fork server: a process that has TensorFlow imported, from which runs' processes are forked.

Its import takes seconds, so it is started before anything else is imported here: while it is at it,
this process reads its command line and its grid.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from mnist_sweep.sweeping.interrupts import ctrl_c_later

PRELOAD = "mnist_sweep.sweeping.launch.preload"

_meanwhile: list[Callable[[], None]] = []
"""What the first run's wait is used for."""

_SHOWS = (
    "--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i", "--version",
    "--shell-completion", "-sc",
)  # fmt: skip


def context() -> Any:
    """The way processes are started here: a fork server where there is one."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return multiprocessing.get_context(method)


def needed(words: Sequence[str]) -> bool:
    """Whether Hydra's command line looks as if it would run something."""
    shown = any(word.partition("=")[0] in _SHOWS for word in words)
    return not shown and "plan=true" not in words


def warm_up() -> None:
    """Start the fork server now; it imports TensorFlow while the parent reads its grid."""
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver, resource_tracker

        forkserver.set_forkserver_preload([PRELOAD])
        # It starts a process too, and would let Ctrl-C through again in the middle of the block.
        resource_tracker.ensure_running()
        with ctrl_c_later():
            forkserver.ensure_running()


def meanwhile(function: Callable[[], None]) -> None:
    """Have a function called when the first run waits for the fork server, if one does."""
    _meanwhile.append(function)


def waits() -> None:
    """The first run waits: what was to be done meanwhile, where another core can do it."""
    if len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()) > 1:
        for function in _meanwhile:
            function()
    _meanwhile.clear()


def cool_down() -> None:
    """End the fork server at once: it may be importing for seconds, and holds our output open."""
    from multiprocessing import forkserver

    # There is no public way; without one it would end by itself, only later.
    server = getattr(forkserver, "_forkserver", None)
    process_id = getattr(server, "_forkserver_pid", None)
    if server is not None and process_id is not None:
        with suppress(OSError):
            os.kill(process_id, signal.SIGKILL)
            server._stop()  # noqa: SLF001  (waits for it, so that a next one can be started)
