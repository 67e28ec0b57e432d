"""The runs table does not depend on how its rows were split into blocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.records.fields import flat
from mnist_sweep.records.table import combined, exact, finished, objects, pick
from support.factories import make_run

values = st.sampled_from(
    [None, 1, 2, 1.0, 0.5, -0.0, True, False, "x", "", "1", [1, 2], [], 2**70, "\udcff"]
)
rows_of_all = st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=6)


def contents(table):
    return repr([(name, str(table[name].dtype), objects(table[name])) for name in table])


@settings(deadline=None, max_examples=60)
@given(rows=rows_of_all, cuts=st.lists(st.integers(0, 6), max_size=3))
def test_blocks_make_the_table_that_all_rows_make(rows, cuts):
    ends = [*sorted(cuts), len(rows)]
    blocks = [rows[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    whole = finished(exact(rows))
    assert contents(finished(combined([exact(block) for block in blocks]))) == contents(whole)
    assert len(whole) == len(rows)


@settings(deadline=None, max_examples=60)
@given(rows=rows_of_all, keep=st.sets(st.integers(0, 5)))
def test_rows_that_are_gone_leave_no_trace(rows, keep):
    names = [str(place) for place in range(len(rows))]
    kept = [name for name in names if int(name) in keep]
    left = pick(exact(rows, names), kept)
    assert list(left.index) == kept
    columns = {name for row in rows for name in row}
    expected = [{**dict.fromkeys(columns), **rows[int(name)]} for name in kept]
    known = contents(finished(left)) if kept else ""
    assert known == (contents(finished(exact(expected))) if kept else "")


@pytest.mark.parametrize(
    ("column", "dtype"),
    [([1, None], "Int64"), ([True, None], "boolean"), ([0.5, None], "float64"),
     (["x", None], "str"), ([1, 0.5], "float64"), ([1, True], "object"),
     ([[1], [2]], "object"), ([2**70, 1], "object"),
     ([None, None], "object")],
)  # fmt: skip
def test_a_column_has_the_type_of_its_values(column, dtype):
    table = finished(exact([{"x": value} for value in column]))
    assert table["x"].dtype == dtype
    assert objects(table["x"]) == column


def test_a_result_that_no_run_has_is_still_a_number():
    table = finished(exact([{"test.accuracy": None, "weight_decay": None}]))
    assert table["test.accuracy"].dtype == "float64"
    assert table["weight_decay"].dtype == object


def test_an_empty_table_has_the_columns_that_readers_look_at():
    table = finished(exact([]))
    assert {"run_id", "label", "status", "directory", "error.message"} <= set(table.columns)
    assert len(table) == len(table[table["status"] == "finished"]) == 0


def test_columns_are_in_the_order_of_the_schema_and_the_documentation():
    settings_ = {"layers": 1, "nodes": 10, "model": {"_target_": "mine.build", "width": 3}}
    rows = [flat(make_run(**settings_).record), flat(make_run().record)]
    names = list(finished(exact(rows)).columns)
    assert names == list(finished(exact(rows[::-1])).columns)
    known = [
        "run_id", "status", "layers", "nodes", "model", "model._target_", "model.width", "seed",
        "data.name", "parameters", "dataset.name", "train.loss", "validation.f1_min",
        "validation.f1.8", "test.accuracy", "time.epoch_s", "environment.python", "error.message",
        "directory",
    ]  # fmt: skip
    assert [name for name in names if name in known] == known
