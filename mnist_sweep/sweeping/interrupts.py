"""Interrupts: SIGTERM and SIGHUP end a sweep as Ctrl-C does, whatever it is doing.

All raise a KeyboardInterrupt. Used by `context.SweepContext` and the command line.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
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
def _handled(numbers: Sequence[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may set handlers; a program that sweeps in another has its own.
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            if old is not None:  # set by code that is not Python
                signal.signal(number, old)


@contextmanager
def ctrl_c_interrupts(at_second: Callable[[], None]) -> Iterator[None]:
    """Raise `Interrupted` at Ctrl-C within the block, so that the program chooses its exit code.

    Once a KeyboardInterrupt has left code that was made from text, as the methods of dataclasses
    and named tuples are, Python ends by SIGINT whatever the code, even where it was caught; a
    subclass of KeyboardInterrupt does not cause that. See https://bugs.python.org/issue1054041,
    and `run_eval_code_obj` in Python/pythonrun.c.

    `at_second` is called at every further Ctrl-C, which may come in the middle of any clean-up.
    """
    pressed: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            at_second()
        raise Interrupted

    # Otherwise it is ignored, as in the background of a shell, or handled by another program.
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with _handled([signal.SIGINT] if is_default else [], stop):
        yield


@contextmanager
def end_interrupts() -> Iterator[None]:
    """Raise `Interrupted` at the first of `END_SIGNALS` in the block; clean-up ignores others."""
    # nohup ignores SIGHUP, and that stays so.
    hung_up = getattr(signal, "SIGHUP", None)
    is_ignored = hung_up and signal.getsignal(hung_up) is signal.SIG_IGN
    numbers = [number for number in END_SIGNALS if not (is_ignored and number == hung_up)]

    def stop(_number: int, _frame: Any) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted

    with _handled(numbers, stop):
        yield


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Delay Ctrl-C to the end of the block; processes started within never receive it.

    They inherit that it is blocked, so they do not end with a traceback while they start.
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
    before = signal.getsignal(signal.SIGINT)

    def count(number: int, frame: Any) -> None:
        seen.append(number)
        if callable(before):
            before(number, frame)

    # Ignored, or not handled by Python, it interrupts nothing.
    with _handled([signal.SIGINT] if callable(before) else [], count):
        yield seen
