"""Work shared by processes gives what one process gives, whatever becomes of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading

import pytest

from mnist_sweep import cores
from mnist_sweep.errors import DirectoryError

PARENT = os.getpid()


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(cores, "can_fork", lambda: sys.platform == "linux")
    monkeypatch.setattr(cores, "cores", lambda: 3)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8])
def test_results_are_in_order(three, count):
    assert cores.on_cores(lambda k: k * k, range(count)) == [k * k for k in range(count)]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_each_process_has_its_share(three):
    found = cores.on_cores(lambda _: os.getpid(), range(6))
    assert found[:3] == found[3:]
    assert len({*found}) == 3
    assert found[0] == PARENT


def killed(item):
    if os.getpid() != PARENT and item == 4:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory is short
    return item


def not_to_be_sent(item):
    return item if os.getpid() == PARENT else threading.Lock()


@pytest.mark.parametrize("function", [killed, not_to_be_sent])
def test_what_a_process_does_not_send_is_done_here(three, function):
    assert cores.on_cores(function, range(6)) == [*range(6)]


def test_an_error_in_a_process_is_raised_here(three):
    def fails(item):
        if item == 1:
            raise DirectoryError("of item 1")
        return item

    with pytest.raises(DirectoryError, match="of item 1"):
        cores.on_cores(fails, range(3))


@pytest.fixture
def may_fork(monkeypatch):
    """Where nothing is in the way, processes are forked (on Linux)."""
    monkeypatch.setattr(cores, "cores", lambda: 2)
    monkeypatch.setattr(cores.threading, "active_count", lambda: 1)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": False})
    assert cores.can_fork() == (sys.platform == "linux")


def in_a_daemon(monkeypatch):
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(cores, "cores", lambda: 1),
        lambda patch: patch.setattr(cores.threading, "active_count", lambda: 2),
        lambda patch: patch.setitem(sys.modules, "tensorflow", cores),
        in_a_daemon,
    ],
    ids=["one core", "threads", "TensorFlow", "daemon"],
)
def test_nothing_is_forked_where_it_would_not_help_or_not_be_safe(may_fork, monkeypatch, change):
    change(monkeypatch)
    assert not cores.can_fork()
