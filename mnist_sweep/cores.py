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

# More would wait for the disk, or for this process to receive what they send.
MAX_PROCESSES = 8


def cores() -> int:
    """The cores that this process is allowed to run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or `taskset` may allow fewer
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def can_fork() -> bool:
    """Whether forked processes would help, and are safe.

    A forked process has none of its parent's threads, but copies of the locks that they hold.
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
            with suppress(Exception):  # what cannot be received is computed here
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
    arguments = (os.getpid(), reader, writer, function, items)
    process = context.Process(target=_send, args=arguments, daemon=True)
    # The child inherits that Ctrl-C is blocked: its parent handles it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings(), writer:
            # Threads of numerical libraries, which restart after a fork.
            warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process, reader


def _send(
    parent: int,
    reader: Connection,
    writer: Connection,
    function: Callable[[Item], Result],
    items: Sequence[Item],
) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    reader.close()  # held here too, it would hide that the parent has died

    def of(item: Item) -> Result:
        if os.getppid() != parent:  # it was killed
            os._exit(1)
        return function(item)

    with suppress(Exception):  # the parent repeats the work, and raises the error
        writer.send(list(map(of, items)))
