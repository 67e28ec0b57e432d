"""Conditions choose records by settings and results, and say what they do not understand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.analysis.where import check_keys, holding, matches, parse, unmet
from mnist_sweep.errors import SelectionError
from mnist_sweep.records.fields import flat
from mnist_sweep.records.sweep import all_runs, load
from support.factories import make_run, write_sweep

ROW = flat(make_run(layers=2, nodes=300, dropout=0.2, accuracy=0.97).record)
FAILED = flat(make_run(layers=2, status="failed").record)


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("layers=2", True), ("layers==2", True), ("layers=1,2", True), ("layers=1,3", False),
        ("layers=2.0", True), ("layers!=2", False), ("layers!=1,3", True), ("nodes>=300", True),
        ("nodes>300", False), ("nodes<=300", True), ("nodes<300", False), (" nodes = 300 ", True),
        ("dropout>0", True), ("weight_decay=null", True), ("weight_decay>0", False),
        ("save_model=true", True), ("save_model=1", False), ("optimizer=adam,sgd", True),
        ("status=finished", True), ("test.accuracy>0.5", True), ("trainer=compiled", True),
        ("data=mnist", True), ("model=mlp", True), ("label=layers=2", False),
    ],
)  # fmt: skip
def test_a_condition_holds_as_it_reads(expression, holds):
    assert matches(parse([expression]), ROW) is holds


@given(st.integers(-1000, 1000), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]))
def test_an_ordering_is_python_s(bound, operator):
    python = {"=": "=="}.get(operator, operator)
    assert matches(parse([f"nodes{operator}{bound}"]), ROW) == eval(f"300 {python} {bound}")


def test_all_conditions_must_hold():
    assert matches(parse(["layers=2", "nodes=300"]), ROW)
    assert not matches(parse(["layers=2", "nodes=100"]), ROW)


@pytest.mark.parametrize("text", ["layers", "layers=", "=2", "", "layers~2", "2=layers"])
def test_a_malformed_condition_is_refused_with_an_example(text):
    with pytest.raises(SelectionError, match="For example"):
        parse([text])


@pytest.mark.parametrize("text", ["nodes>1,2", "nodes>many", "nodes>true", "nodes<nan"])
def test_an_ordering_needs_one_number(text):
    with pytest.raises(SelectionError, match="needs one number"):
        parse([text])


def test_an_ordering_of_text_is_refused():
    with pytest.raises(SelectionError, match="not a number"):
        matches(parse(["optimizer>1"]), ROW)


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(SelectionError, match="did you mean layers"):
        check_keys(parse(["lyers=2"]), ROW)


def test_a_run_without_results_is_not_left_out_by_a_condition_on_results():
    assert matches(parse(["test.accuracy>0.9"]), FAILED)
    assert not matches(parse(["layers=1", "test.accuracy>0.9"]), FAILED)
    assert not matches(parse(["status=finished"]), FAILED)
    assert not matches(parse(["weight_decay>0"]), FAILED)


def test_conditions_on_the_runs_table_are_those_on_its_rows(tmp_path):
    runs = [
        make_run(layers=2, nodes=300, weight_decay=None),
        make_run(layers=1, nodes=100, weight_decay=0.1),
        make_run(layers=2, nodes=100, status="failed"),
    ]
    table = all_runs([load(write_sweep(tmp_path / "s", runs, [make_run(layers=2, nodes=600)]))])
    for texts in (["layers=2"], ["nodes>100", "layers=2"], ["weight_decay=null"], ["test.f1>0"]):
        found = table[holding(parse(texts), table)]
        expected = {
            "layers=2": {(2, 300), (2, 100), (2, 600)},
            "nodes>100": {(2, 300), (2, 600)},
            # Of a planned run only what its name says is known, so it stays.
            "weight_decay=null": {(2, 300), (2, 100), (2, 600)},
            "test.f1>0": {(2, 300), (1, 100), (2, 100), (2, 600)},
        }[texts[0]]
        assert set(zip(found["layers"], found["nodes"], strict=True)) == expected, texts
    assert holding([], table) == [True] * len(table)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ('label="a,b"', ("a,b",)), ("label='a,b',c", ("a,b", "c")),
        ('name="2024",2024', ("2024", 2024)),
        ("name=it's", ("it's",)), ('name=""', ("",)), ("x=null,'null'", (None, "null")),
    ],
)  # fmt: skip
def test_a_value_in_quotes_is_text_with_its_commas(expression, values):
    assert parse([expression])[0].wanted == values


def test_what_matches_nothing_is_told_with_what_there_is(tmp_path):
    runs = all_runs([load(write_sweep(tmp_path, [
        make_run(layers=1, nodes=100, accuracy=0.9), make_run(layers=2, nodes=300, accuracy=0.95),
    ]))])  # fmt: skip
    for where, told in (
        (["layers=9"], "layers is 1, 2"),
        (["optimizer=adm", "layers=1"], "optimizer is adam"),
        (["test.accuracy>0.99"], "test.accuracy is 0.884, 0.94"),
        (["weight_decay>0"], "weight_decay is null"),
        (["layers=1", "nodes=300"], "each holds for some, all of them for none"),
    ):
        assert unmet(parse(where), runs) == told
    for text in ("test.accuracy>98", "test.accuracy<98", "validation.f1=97"):
        with pytest.raises(SelectionError, match=r"is a fraction.* means 9[78] %"):
            holding(parse([text]), runs)
    assert holding(parse(["test.loss<98", "layers<98"]), runs) == [True, True]
    nothing = runs.assign(**{"test.accuracy": None})
    with pytest.raises(SelectionError, match="is a fraction"):
        holding(parse(["test.accuracy>98"]), nothing)
    percent = runs.assign(**{"test.accuracy": [97.0, 98.5]})  # of another program
    assert holding(parse(["test.accuracy>98"]), percent) == [False, True]
