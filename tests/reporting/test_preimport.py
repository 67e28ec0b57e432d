"""The report's imports are done while the first run waits, and done before anything is forked."""

import sys
import threading

import pytest

from mnist_sweep.reporting import preimport
from mnist_sweep.sweeping.launch import fork_server


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch):
    monkeypatch.setattr(preimport, "_threads", [])
    monkeypatch.setattr(fork_server, "_meanwhile", [])


@pytest.mark.parametrize(("cores", "expected"), [({0, 1}, ["done"]), ({0}, [])])
def test_it_is_done_once_and_only_beside_something(monkeypatch, cores, expected):
    monkeypatch.setattr(fork_server.os, "sched_getaffinity", lambda _: cores, raising=False)
    done = []
    fork_server.meanwhile(lambda: done.append("done"))
    fork_server.waits()
    fork_server.waits()
    assert done == expected


def test_finishing_waits_for_the_imports(monkeypatch):
    go_on, imported = threading.Event(), []

    def slow(module):
        go_on.wait(timeout=30)
        imported.append(module)

    monkeypatch.setattr(preimport.importlib, "import_module", slow)
    preimport.start()
    preimport.start()
    assert not imported
    threading.Timer(0.05, go_on.set).start()
    preimport.finish()
    assert imported == list(preimport._NEEDED)


def test_what_cannot_be_imported_is_no_matter_yet(monkeypatch):
    monkeypatch.setattr(preimport, "_NEEDED", ("no_such_module_anywhere", "html"))
    preimport.start()
    preimport.finish()
    assert "html" in sys.modules


def test_everything_named_there_exists():
    for module in preimport._NEEDED:
        __import__(module)
