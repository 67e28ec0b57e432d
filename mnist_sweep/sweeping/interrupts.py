"""Interrupts: SIGTERM and SIGHUP end a sweep as Ctrl-C does, whatever it is doing.

All raise a KeyboardInterrupt. Used by `context.SweepContext` and the command line.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

END_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""A request to end, and a terminal that was closed (not on Windows)."""


class Interrupted(KeyboardInterrupt):
    """A signal to end; from Python it has what was done until then."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it, in place of a traceback."""
        return [f"Interrupted: {self}" if str(self) else "Interrupted."]


@contextmanager
def ctrl_c_interrupts(at_second: Callable[[], None]) -> Iterator[None]:
    """Raise `Interrupted` at Ctrl-C within the block, so that the program chooses its exit code.

    Once a KeyboardInterrupt has left code that was made from text, as the methods of dataclasses
    and named tuples are, Python ends by SIGINT whatever the code, even where it was caught; a
    subclass of KeyboardInterrupt does not cause that. See https://bugs.python.org/issue1054041,
    and `run_eval_code_obj` in Python/pythonrun.c.

    Args:
        at_second: Called at every further Ctrl-C, which may come in the middle of any clean-up.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # ignored, as in the background of a shell, or handled by another program
        return
    pressed: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            at_second()
        raise Interrupted

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def end_interrupts() -> Iterator[None]:
    """Raise `Interrupted` at the first of `END_SIGNALS` in the block; clean-up ignores others."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; a program that sweeps in another has its own.
        yield
        return

    def stop(_number: int, _frame: Any) -> None:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    before = {number: signal.getsignal(number) for number in END_SIGNALS}
    if before.get(END_SIGNALS[-1]) is signal.SIG_IGN:  # nohup
        del before[END_SIGNALS[-1]]
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # set by code that is not Python
                signal.signal(number, handler)


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block; processes started within never receive it.

    They inherit that it is blocked, so they do not end with a traceback while they start. A Ctrl-C
    that was typed within the block interrupts this process when the block ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ctrl_c_counted() -> Iterator[list[int]]:
    """Count Ctrl-C in the list that is yielded; it interrupts as before.

    Hydra and OmegaConf turn what is raised while they compose a config into errors of their own,
    and some imports go on after any exception. The list still has the interrupt.
    """
    seen: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not main or not callable(before):  # ignored, or not handled by Python
        yield seen
        return

    def count(number: int, frame: Any) -> None:
        seen.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, count)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
