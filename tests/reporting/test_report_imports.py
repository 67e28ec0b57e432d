"""The report's imports are done while the first run waits, and done before anything is forked."""

import sys
import threading

import pytest

from mnist_sweep.reporting import report


@pytest.fixture(autouse=True)
def nothing_yet(monkeypatch):
    monkeypatch.setattr(report, "_threads", [])


def test_finishing_waits_for_the_imports(monkeypatch):
    go_on, imported = threading.Event(), []

    def slow(module):
        go_on.wait(timeout=30)
        imported.append(module)

    monkeypatch.setattr(report.importlib, "import_module", slow)
    report.start_imports()
    report.start_imports()
    assert not imported
    threading.Timer(0.05, go_on.set).start()
    report.finish_imports()
    assert imported == list(report._NEEDED)


def test_what_cannot_be_imported_is_no_matter_yet(monkeypatch):
    monkeypatch.setattr(report, "_NEEDED", ("no_such_module_anywhere", "html"))
    report.start_imports()
    report.finish_imports()
    assert "html" in sys.modules


def test_everything_named_there_exists():
    for module in report._NEEDED:
        __import__(module)
