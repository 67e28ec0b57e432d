"""Runs, rows and candidates that are made when they are asked for are those made at once."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.analysis.selection import select
from mnist_sweep.metrics import Format
from mnist_sweep.records import index, index_part, index_read
from mnist_sweep.records.columns import Columns, FlatRows, Stacked, all_names, first_of_each_layout
from mnist_sweep.records.index_part import Entry, Part, encoded
from mnist_sweep.records.index_run import IndexedRuns
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.sweep import load
from mnist_sweep.records.view import View
from mnist_sweep.reporting.numbers import all_written, written
from support.factories import make_run, write_sweep

SMALL = {"n_test": 60, "n_validation": 40, "epochs": 2}
plain = st.sampled_from([None, 1, 2, 1.0, 0.0, -0.0, 0, True, False, "x", "", "1"])
rows_of_all = st.lists(st.dictionaries(st.sampled_from("abc"), plain, max_size=3), max_size=6)


@given(rows_of_all, st.data())
def test_rows_made_on_demand_are_seen_as_the_rows_themselves(rows, data):
    columns = Columns([Stacked(rows)], [(0, place) for place in range(len(rows))])
    places = data.draw(st.lists(st.sampled_from(range(len(rows))), max_size=6)) if rows else []
    taken = FlatRows(columns, range(len(rows))).pick(places)
    expected = [rows[place] for place in places]
    assert [dict(row) for row in taken] == expected
    assert [dict(row) for row in taken[1:]] == expected[1:]
    assert all_names(taken) == all_names(expected)
    firsts = [tuple(expected[place]) for place in first_of_each_layout(taken)]
    assert firsts == list(dict.fromkeys(map(tuple, expected)))
    view = View(taken)
    for name in "abcd":
        assert repr(view.values(name)) == repr([row.get(name) for row in expected])
        known = sorted(repr(row[name]) for row in expected if name in row)
        assert sorted(map(repr, view.known(name))) == known


@given(st.lists(st.none() | st.floats(allow_nan=False), max_size=6), st.data())
def test_numbers_of_a_column_come_without_an_object_for_each(values, data):
    rows = [{} if value is None else {"a": value} for value in values]
    columns = Columns([Stacked(rows)], [(0, place) for place in range(len(rows))])
    places = data.draw(st.permutations(range(len(rows))))
    for taken in (FlatRows(columns, places), [rows[place] for place in places]):
        expected = np.array([values[place] for place in places], dtype=np.float64)
        np.testing.assert_array_equal(View(taken).floats("a"), expected)


@given(st.lists(plain, min_size=1, max_size=4).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=1, max_size=5)))  # fmt: skip
def test_a_part_gives_values_back_as_they_were(values):
    pytest.importorskip("pyarrow", reason="pip install 'mnist-sweep[index]'")
    entries = [
        Entry((str(place), 1, 2, 3, 4), {"a": value, "b": 0.5 + place, "c": "x"})
        for place, value in enumerate(values)
    ]
    part = Part(*encoded(entries))
    assert repr(part.column("a")) == repr(values)
    assert {*map(repr, part.distinct("a"))} == {*map(repr, values)}
    assert part.floats("b").tolist() == [0.5 + place for place in range(len(values))]
    assert part.keys == [entry.key for entry in entries]
    assert np.isnan(part.floats("d")).all()
    assert part.floats("d").shape == (len(values),)


def test_a_column_of_one_value_is_not_decoded(monkeypatch):
    pytest.importorskip("pyarrow", reason="pip install 'mnist-sweep[index]'")
    part = Part(*encoded([Entry((str(n), 1, 2, 3, 4), {"a": 0.5, "b": n}) for n in range(3)]))
    decoded = []
    original = Part._table
    monkeypatch.setattr(
        Part, "_table", lambda self, names: decoded.extend(names) or original(self, names)
    )
    assert part.column("a") == [0.5, 0.5, 0.5]
    assert part.distinct("a") == [0.5]
    assert part.floats("a").tolist() == [0.5, 0.5, 0.5]
    assert decoded == []
    assert part.column("b") == [0, 1, 2]
    assert decoded == ["b"]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pip install 'mnist-sweep[index]'")
    monkeypatch.setattr(index, "FEWEST", 1)
    monkeypatch.setattr(index_read, "RACY_NS", -(10**12))
    runs = [make_run(nodes=n, seed=seed, **SMALL) for n in (10, 20, 30, 40) for seed in (0, 1)]
    directory = write_sweep(tmp_path / "grid", [*runs, make_run(nodes=9, status="failed", **SMALL)])
    load(directory)
    return directory


def test_runs_of_an_index_are_a_sequence(sweep):
    runs = load(sweep).runs
    ids = [run.run_id for run in runs]
    assert isinstance(runs, IndexedRuns)
    assert len(runs) == 9
    assert runs[-1].run_id == ids[-1]
    assert [run.run_id for run in runs[1:7:2]] == ids[1:7:2]
    assert [run.run_id for run in reversed(runs)] == ids[::-1]
    assert list(runs.pick([3, 0]).run_ids) == [ids[3], ids[0]]
    assert runs[3] == runs[3] != runs[4]
    assert runs[3] in runs
    assert runs.index(runs[3]) == 3
    assert len({*runs, *runs}) == 9
    with pytest.raises(IndexError):
        runs[9]


def test_a_selection_makes_runs_of_what_it_is_asked_for(sweep, monkeypatch):
    made = []
    original = IndexedRuns.__getitem__
    monkeypatch.setattr(
        IndexedRuns, "__getitem__", lambda self, at: made.append(at) or original(self, at)
    )
    monkeypatch.setattr("mnist_sweep.analysis.selection.weakest_classes", lambda *_: ())
    found = select(load(sweep).records, where=["seed=0"], by="accuracy")
    assert len(found.candidates) == 4
    assert len(made) == 1  # the one that failed is named
    assert found.candidates[-1].seeds == (0,)
    assert found.candidates[0] is found.chosen


def test_one_record_that_no_index_can_hold_does_not_change_the_others(sweep, monkeypatch):
    expected = [dict(run.values) for run in load(sweep).runs]
    monkeypatch.setattr(index_part, "fits", lambda name, *_: "nodes=20" not in name)
    for path in (sweep / "index").iterdir():
        path.unlink()
    for _ in range(2):
        found = load(sweep).runs
        assert not isinstance(found, IndexedRuns)
        assert [dict(run.values) for run in found] == expected


def test_candidates_are_in_the_order_of_their_means_and_then_of_their_labels(sweep):
    candidates = select(load(sweep).records, by="test.accuracy", direction="best").candidates
    keys = [(-fmean(one.values), one.label) for one in candidates]
    assert keys == sorted(keys)
    assert all("seed" not in one.label for one in candidates)
    assert candidates.means == [one.value for one in candidates]
    assert candidates.counts == [len(one.values) for one in candidates] == [2] * 4
    assert candidates.values == [value for one in candidates for value in one.values]
    assert [run.run_id for run in candidates.runs] == [r.run_id for c in candidates for r in c.runs]
    assert [row["label"] for row in candidates.rows] == [one.runs[0].label for one in candidates]
    assert (
        candidates == select(load(sweep).records, by="test.accuracy", direction="best").candidates
    )
    assert candidates != tuple(candidates)[:-1]


@given(st.lists(st.sampled_from(["seed=1", "a=2", "reseed=3", "seed=", "", "x,seed=4"])))
def test_a_label_without_its_seed(parts):
    label = ",".join(parts)
    expected = ",".join(part for part in label.split(",") if not part.startswith("seed="))
    assert without_seed(label) == (expected or label)


@given(st.lists(plain | st.integers() | st.floats(allow_nan=False)), st.sampled_from(Format))
def test_many_values_are_written_as_each_is(values, style):
    assert all_written(values, style) == [written(value, style) for value in values]
