"""What a program run owns: found while it lasts, and nothing left of it afterwards."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping import context as module
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.interrupts import Interrupted


def test_launchers_find_the_context_only_while_it_lasts():
    with pytest.raises(UsageError, match="only with its own command line"):
        SweepContext.current()
    with SweepContext() as outer, SweepContext() as inner:
        assert SweepContext.current() is inner
        assert outer is not inner
    with pytest.raises(UsageError):
        SweepContext.current()


def test_what_launchers_opened_is_closed_with_the_processes_and_once():
    closed: list[str] = []
    with SweepContext() as context:
        context.at_end(lambda: closed.append("first"))
        context.at_end(lambda: closed.append("second"))
        context.end_processes()
        assert closed == ["second", "first"]
    assert closed == ["second", "first"]


def test_signals_are_handled_within_and_as_before_afterwards():
    before = [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Interrupted), SweepContext():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_ctrl_c_that_was_swallowed_interrupts_at_the_next_look():
    with SweepContext() as context:
        context.interrupt_if_swallowed()
        with suppress(KeyboardInterrupt):  # as some libraries do
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            context.interrupt_if_swallowed()


@pytest.mark.parametrize(("cores", "expected"), [(2, ["done"]), (1, [])])
def test_waiting_is_used_once_and_only_beside_something(
    monkeypatch: pytest.MonkeyPatch, cores: int, expected: list[str]
):
    monkeypatch.setattr(module, "cores", lambda: cores)
    done: list[str] = []
    context = SweepContext()
    context.while_waiting = lambda: done.append("done")
    context.first_run_waits()
    context.first_run_waits()
    assert done == expected
