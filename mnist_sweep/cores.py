"""How many cores this process may use, and work that is shared among them by forked processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_PROCESSES = 8
"""More would wait for the disk, or for this process to receive what they send."""


def cores() -> int:
    """The cores that this process is allowed to run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or `taskset` may allow fewer
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether forked processes would help, and are safe.

    A fork has no threads but copies the locks that they hold: TensorFlow's, or others of Python.
    """
    from multiprocessing import current_process

    is_possible = sys.platform == "linux" and not current_process().daemon
    is_safe = threading.active_count() == 1 and "tensorflow" not in sys.modules
    return is_possible and is_safe and cores() > 1


def on_cores(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`function` of each item, in order, on all cores where processes can be forked.

    Forked processes have everything imported and read, so they start at once. What a process does
    not send back, because it was killed or `function` raised an error, is done here.
    """
    count = min(cores(), MAX_PROCESSES, len(items) or 1) if can_fork() else 1
    found: dict[int, list[Result]] = {}
    started = []
    try:
        for number in range(1, count):
            with suppress(OSError):  # no process or no memory is left
                started.append((number, *_forked(function, items[number::count])))
        found[0] = list(map(function, items[::count]))
        for number, _, reader in started:
            with suppress(EOFError, OSError):
                found[number] = reader.recv()
    finally:
        for _, process, reader in started:
            process.kill()
            process.join()
            reader.close()
    for number in range(count):
        if number not in found:
            found[number] = list(map(function, items[number::count]))
    return [found[place % count][place // count] for place in range(len(items))]


def _forked(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> tuple[BaseProcess, Connection]:
    """A process that sends what `function` gives of some items, and where to receive it."""
    from multiprocessing import get_context

    context = get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(reader, writer, function, items), daemon=True)
    with warnings.catch_warnings(), writer:
        # Threads of numerical libraries, which put themselves right after a fork.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        process.start()
    return process, reader


def _send(
    reader: Connection, writer: Connection, function: Callable[[Item], Result],
    items: Sequence[Item],
) -> None:  # fmt: skip
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    reader.close()  # held here too, it would hide that the parent has died
    with suppress(Exception):  # the parent meets it too, and reports it
        writer.send(list(map(function, items)))
