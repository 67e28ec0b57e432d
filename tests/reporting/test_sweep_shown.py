"""What a sweep shows at its end: a screen's worth on a terminal, everything in its files."""

from __future__ import annotations

import sys

import pytest

from mnist_sweep.cli import sweep
from mnist_sweep.records import sweep as sweeps
from mnist_sweep.reporting import report
from mnist_sweep.reporting.tables import tables
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult
from support.factories import make_run, write_sweep

RUNS = [make_run(nodes=n, n_test=60, n_validation=40, epochs=2) for n in range(101, 121)]


@pytest.fixture
def result(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "SHOWN_ENDS", 3)
    monkeypatch.setattr(sweep, "MOST_ROWS", 10)
    return SweepResult(write_sweep(tmp_path / "grid", RUNS), Plan(), report=False)


def shown(result, capsys, monkeypatch, *, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    sweep.show(result)
    return capsys.readouterr().out


def test_a_terminal_shows_both_ends_and_the_files_hold_every_row(result, capsys, monkeypatch):
    out = shown(result, capsys, monkeypatch, terminal=True)
    assert "14 are not shown" in " ".join(out.split())
    assert " 110 " not in out
    assert " 120 " in out
    written = (result.directory / "tables" / "comparison.md").read_text()
    assert all(f" {n} " in written for n in range(101, 121))
    assert "not shown" not in written


def test_a_pipe_is_shown_every_row(result, capsys, monkeypatch):
    out = shown(result, capsys, monkeypatch, terminal=False)
    assert all(f" {n} " in out for n in range(101, 121))


def test_a_terminal_shows_every_row_where_they_are_few(result, capsys, monkeypatch):
    monkeypatch.setattr(sweep, "MOST_ROWS", len(RUNS))
    out = shown(result, capsys, monkeypatch, terminal=True)
    assert all(f" {n} " in out for n in range(101, 121))


def test_the_directory_is_loaded_once_also_for_the_report(result, capsys, monkeypatch):
    loaded = []
    for module in (sweep, tables, report):
        monkeypatch.setattr(
            module, "load", lambda directory: loaded.append(directory) or sweeps.load(directory)
        )
    result.report = True
    shown(result, capsys, monkeypatch, terminal=False)
    assert loaded == [result.directory]
    assert (result.directory / "report.html").exists()


def test_tables_that_cannot_be_written_are_shown(result, capsys, monkeypatch):
    (result.directory / "tables").write_text("in the way")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    sweep.show(result)
    out, err = capsys.readouterr()
    assert "No tables written" in err
    assert " 120 " in out
