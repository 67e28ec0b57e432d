"""A table of very many rows shows both ends on a terminal, and says what it does not show."""

from __future__ import annotations

import csv

import pytest

from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.tables import tables
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.tables import comparison
from support.factories import make_run, write_sweep

RUNS = [
    make_run(
        nodes=nodes, n_test=60, n_validation=40, epochs=2, accuracy=0.5 + nodes / 50,
        status="failed" if nodes in (9, 10) else "finished",
    )
    for nodes in range(1, 21)
]  # fmt: skip


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "SHOWN_ENDS", 3)
    return load(write_sweep(tmp_path / "grid", RUNS))


def test_both_ends_are_shown_and_the_note_counts_what_is_not(sweep):
    for table in comparison([sweep], most=10):
        assert table.content.values("nodes") == [1, 2, 3, 18, 19, 20]
        note = table.notes[0]
        assert "of 20 rows" in note
        assert "14 are not shown (among them 2 failed)" in note
        assert "--all" in note


def test_shown_rows_look_and_are_marked_as_in_the_whole_table(sweep):
    whole = {table.name: table for table in comparison([sweep])}
    for table in comparison([sweep], most=10):
        every = whole[table.name]
        cells = dict(zip(every.content.values("label"), every.rows, strict=True))
        for label, row in zip(table.content.values("label"), table.rows, strict=True):
            assert row.cells == cells[label].cells[: len(row.cells)]


def test_fewer_rows_than_the_limit_and_no_limit_show_all(sweep):
    for most in (20, None):
        assert all(len(table.rows) == 20 for table in comparison([sweep], most=most))


def test_a_csv_has_every_missing_run_since_it_has_no_notes(tmp_path):
    missing = [make_run(layers=3, nodes=nodes) for nodes in range(1, 9)]
    sweep = load(write_sweep(tmp_path / "part", RUNS[:2], missing))
    made = comparison([sweep], most_missing=2)
    assert len(made[0].rows) == 4
    assert "6 more missing runs are not shown" in made[0].notes[0]
    rows = [*csv.DictReader(render(made, "csv").splitlines())]
    assert {row["label"] for row in rows} == {run.values["label"] for run in RUNS[:2] + missing}
    assert [row["status"] for row in rows] == ["finished"] * 2 + ["missing"] * 8
    assert all(row["reason"] for row in rows[2:])
