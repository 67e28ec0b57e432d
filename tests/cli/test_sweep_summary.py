"""What a sweep shows at its end: a screen's worth on a terminal, everything in its files."""

from __future__ import annotations

import sys

import pytest

from mnist_sweep.cli import sweep_summary
from mnist_sweep.records import sweep as sweeps
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting import report
from mnist_sweep.reporting.tables import tables
from mnist_sweep.sweeping.launch.job import Origin, RunSummary
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult
from support.factories import make_run, write_sweep
from support.sweep_parts import plan_of, point_of

RUNS = [make_run(nodes=n, n_test=60, n_validation=40, epochs=2) for n in range(101, 121)]


@pytest.fixture
def result(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "SHOWN_ENDS", 3)
    monkeypatch.setattr(sweep_summary, "MAX_ROWS", 10)
    return SweepResult(write_sweep(tmp_path / "grid", RUNS), Plan(), report=False)


def shown(result, capsys, monkeypatch, *, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    sweep_summary.show(result)
    return capsys.readouterr().out


def test_a_terminal_shows_both_ends_and_the_files_hold_every_row(result, capsys, monkeypatch):
    out = shown(result, capsys, monkeypatch, terminal=True)
    assert "14 are not shown" in " ".join(out.split())
    rows = [line.split() for line in out.splitlines()]
    assert not any(row[:2] == ["1", "110"] for row in rows)
    assert " 120 " in out
    written = (result.directory / "tables" / "comparison.md").read_text()
    assert all(f" {n} " in written for n in range(101, 121))
    assert "not shown" not in written


def test_a_pipe_is_shown_every_row(result, capsys, monkeypatch):
    out = shown(result, capsys, monkeypatch, terminal=False)
    assert all(f" {n} " in out for n in range(101, 121))


def test_a_terminal_shows_every_row_where_they_are_few(result, capsys, monkeypatch):
    monkeypatch.setattr(sweep_summary, "MAX_ROWS", len(RUNS))
    out = shown(result, capsys, monkeypatch, terminal=True)
    assert all(f" {n} " in out for n in range(101, 121))


def test_the_directory_is_loaded_once_also_for_the_report(result, capsys, monkeypatch):
    loaded = []
    for module in (sweep_summary, tables, report):
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
    sweep_summary.show(result)
    out, err = capsys.readouterr()
    assert "No tables written" in err
    assert " 120 " in out


POINTS = [point_of(seed=seed) for seed in range(4)]
RUN_IDS = [point.run_id for point in POINTS]


def summary(place: int, status: RunStatus, origin: Origin = Origin.RAN) -> RunSummary:
    return RunSummary(RUN_IDS[place], POINTS[place].label, status, origin)


@pytest.mark.parametrize(
    ("statuses", "changes", "text", "code"),
    [
        (["finished"] * 4, {}, "4 of 4 runs finished, in 40 s.", 0),
        (["finished"] * 4, {"skipped": RUN_IDS}, "4 of 4 runs finished (4 earlier), in 40 s.", 0),
        (
            ["finished", "failed", "diverged"],
            {"interrupted": True},
            "Interrupted. 1 of 4 runs finished, 1 failed, 1 diverged, 1 not run, in 40 s.",
            130,
        ),
        (
            ["finished", "finished", "failed"],
            {
                "skipped": RUN_IDS[:1],
                "summaries": [
                    summary(1, RunStatus.FINISHED, Origin.ALREADY_DONE),
                    summary(3, RunStatus.FAILED),  # its process left no record
                ],
            },
            "2 of 4 runs finished (1 earlier, 1 by another sweep), 2 failed, in 40 s.",
            1,
        ),
        (
            ["finished", "finished", "pruned", "pruned"],
            {"objective": ("accuracy", "best"), "n_requested": 4},
            "2 of 4 runs finished, 2 pruned, in 40 s.",
            0,
        ),
        (["finished"] * 3 + ["pruned"], {}, "3 of 4 runs finished, 1 pruned, in 40 s.", 1),
    ],
)
def test_the_account_and_the_exit_code(tmp_path, statuses, changes, text, code):
    made = [
        make_run(status=status, **({} if status == "finished" else {"epochs": 2}))
        for status in statuses
    ]
    for run, point in zip(made, POINTS, strict=False):
        run.values |= {"run_id": point.run_id, "label": point.label}
    found = sweeps.load(write_sweep(tmp_path / "grid", made))
    result = SweepResult(found.directory, plan_of(*POINTS), wall_s=40.3, **changes)
    known = sweep_summary.statuses_of(result, found)
    assert sweep_summary.account(result, known) == text
    assert sweep_summary.exit_code(result, known) == code


def test_the_best_and_the_worst_two_layer_network_have_a_line_each(tmp_path, capsys):
    runs = [make_run(layers=layers, nodes=n, n_test=60) for layers in (1, 2) for n in (8, 16)]
    result = SweepResult(write_sweep(tmp_path / "grid", runs), Plan(), report=False)
    sweep_summary.show(result)
    lines = capsys.readouterr().out.splitlines()
    (best,) = [line for line in lines if "is the best of 4 configurations" in line]
    assert "validation accuracy" in best
    (worst,) = [line for line in lines if "is the worst of 2 configurations" in line]
    assert worst.startswith("2 layers x ")
    assert lines.index(worst) == lines.index(best) + 2
    assert "a different seed could reverse this" in lines[lines.index(best) + 1]


def test_a_single_configuration_is_not_called_the_best(tmp_path, capsys):
    result = SweepResult(write_sweep(tmp_path / "grid", RUNS[:1]), Plan(), report=False)
    sweep_summary.show(result)
    assert "the best" not in capsys.readouterr().out
