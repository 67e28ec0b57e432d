"""Runs, rows and candidates that are made when they are asked for are those made at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.metrics import Format
from mnist_sweep.records.columns import Columns, FlatRows, Stacked, all_names, first_of_each_layout
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.view import View
from mnist_sweep.reporting.numbers import all_written, written

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


@given(st.lists(st.sampled_from(["seed=1", "a=2", "reseed=3", "seed=", "", "x,seed=4"])))
def test_a_label_without_its_seed(parts):
    label = ",".join(parts)
    expected = ",".join(part for part in label.split(",") if not part.startswith("seed="))
    assert without_seed(label) == (expected or label)


@given(st.lists(plain | st.integers() | st.floats(allow_nan=False)), st.sampled_from(Format))
def test_many_values_are_written_as_each_is(values, style):
    assert all_written(values, style) == [written(value, style) for value in values]
