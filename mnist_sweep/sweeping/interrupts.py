"""Interrupts: SIGTERM ends a sweep as Ctrl-C does, whatever it is at.

Whoever catches them catches KeyboardInterrupt.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(KeyboardInterrupt):
    """SIGTERM, or Ctrl-C within `ctrl_c_interrupts`."""


@contextmanager
def ctrl_c_interrupts() -> Iterator[None]:
    """Raise `Interrupted` at Ctrl-C within the block, so that the program chooses its exit code.

    Once a KeyboardInterrupt has left code that was made from text, as the methods of dataclasses
    and named tuples are, Python ends by SIGINT whatever the code, even where it was caught; a
    subclass of KeyboardInterrupt does not cause that. See https://bugs.python.org/issue1054041,
    and `run_eval_code_obj` in Python/pythonrun.c.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # ignored, as in the background of a shell, or another program's to handle
        return

    def stop(_number: int, _frame: Any) -> None:
        raise Interrupted

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Raise `Interrupted` at SIGTERM within the block; once, so that the clean-up is not cut."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; a program that sweeps in another one has its own.
        yield
        return

    def stop(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Interrupted

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; processes started within never see it.

    They inherit that it is blocked, not even while they start do they end with a traceback. What
    was typed meanwhile interrupts this process when the block ends: it is not lost.
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
    """Ctrl-C interrupts as ever, and is appended to the list that is yielded.

    Hydra and OmegaConf turn what is raised while they compose a config into errors of their own,
    and some imports go on whatever is raised: the list still has the interrupt.
    """
    seen: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    if not main or not callable(before):  # ignored, or not Python's to handle
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
