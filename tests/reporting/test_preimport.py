"""The report's imports are done while the first run waits, and done before anything is forked."""

import sys
import threading

import pytest

from mnist_sweep.reporting import preimport


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch):
    monkeypatch.setattr(preimport, "_threads", [])


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
