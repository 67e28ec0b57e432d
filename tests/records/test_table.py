"""The runs table: each column has the type of its values, whatever rows there are."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.records.fields import flat
from mnist_sweep.records.table import (
    KEY,
    LATEST_NS,
    NAME,
    combined,
    frame_of,
    plain,
    rows_of,
    stacked,
)
from support.factories import make_run

values = st.sampled_from(
    [None, 1, 2, 1.0, 0.5, -0.0, True, False, "x", "", "1", [1, 2], [], 2**70, "\udcff"]
)
rows_of_all = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "self"]), values, max_size=3), max_size=6
)


def contents(table):
    return [(name, str(table[name].dtype), plain(table[name])) for name in table]


def packed(rows):
    return rows_of([{**row, NAME: "", KEY: "", LATEST_NS: 0} for row in rows])


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    rows=rows_of_all, cuts=st.lists(st.integers(0, 6), max_size=3), kept=st.sets(st.integers(0, 5))
)
def test_rows_taken_and_stacked_make_the_table_that_they_make_alone(rows, cuts, kept):
    ends = [0, *sorted(cuts), len(rows)]
    parts = [packed(rows[start:end]) for start, end in itertools.pairwise(ends) if start < end]
    places = [place for place in sorted(kept) if place < len(rows)]
    made = stacked(parts).take(places).frame("")
    alone = frame_of([{**rows[place], "directory": ""} for place in places])
    assert contents(made) == contents(alone)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(rows=rows_of_all, cut=st.integers(0, 6))
def test_tables_one_below_the_other_are_the_table_of_all_rows(rows, cut):
    parts = [(frame_of(part), "grid") for part in (rows[:cut], rows[cut:])]
    whole = frame_of([{**row, "sweep": "grid"} for row in rows])
    # A part may have made its ints floats already.
    as_equal = [(name, values) for name, _, values in contents(combined(parts))]
    known = [(name, values) for name, _, values in contents(whole)]
    assert as_equal == known or not rows


@pytest.mark.parametrize(
    ("column", "dtype"),
    [([1, None], "Int64"), ([True, None], "boolean"), ([0.5, None], "float64"),
     (["x", None], "str"), ([1, 0.5], "float64"), ([1, True], "object"),
     ([[1], [2]], "object"), ([2**70, 1], "object"),
     ([None, None], "object")],
)  # fmt: skip
def test_a_column_has_the_type_of_its_values(column, dtype):
    table = frame_of([{"x": value} for value in column])
    assert table["x"].dtype == dtype
    assert plain(table["x"]) == column


def test_a_result_that_no_run_has_is_still_a_number():
    table = frame_of([{"test.accuracy": None, "weight_decay": None}])
    assert table["test.accuracy"].dtype == "float64"
    assert table["weight_decay"].dtype == object


def test_an_empty_table_has_the_columns_that_readers_look_at():
    table = frame_of([])
    assert {"run_id", "label", "status", "directory", "error.message"} <= set(table.columns)
    assert len(table) == len(table[table["status"] == "finished"]) == 0


def test_columns_are_in_the_order_of_the_schema_and_the_documentation():
    settings_ = {"layers": 1, "nodes": 10, "model": {"_target_": "mine.build", "width": 3}}
    rows = [flat(make_run(**settings_).record), flat(make_run().record)]
    names = list(frame_of(rows).columns)
    assert names == list(frame_of(rows[::-1]).columns)
    known = [
        "run_id", "status", "layers", "nodes", "model", "model._target_", "model.width", "seed",
        "data.name", "parameters", "dataset.name", "train.loss", "validation.f1_min",
        "validation.f1.8", "test.accuracy", "time.epoch_s", "environment.python", "error.message",
        "directory",
    ]  # fmt: skip
    assert [name for name in names if name in known] == known
