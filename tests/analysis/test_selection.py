"""A selection names the worst or best configuration, and everything it could not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.analysis.selection import Note, select
from mnist_sweep.errors import SelectionError
from mnist_sweep.records.sweep import all_runs
from support.factories import make_run, reference_grid, runs_table


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """The runs table of four networks, one run each."""
    return runs_table(tmp_path_factory.mktemp("sweeps") / "grid", reference_grid())


@pytest.fixture
def table_of(tmp_path):
    """The runs table of some runs."""
    return lambda runs, missing=(): runs_table(tmp_path / "sweep", runs, missing)


def metric_value(record, split="validation", name="f1_min"):
    return getattr(getattr(record.metrics, split), name)


def test_the_worst_two_layer_network_is_the_one_with_the_lowest_value(grid):
    lowest = grid[grid["layers"] == 2].sort_values("validation.f1_min").iloc[0]
    selection = select(grid, ["layers=2"], "f1_min")
    assert selection.chosen.run_ids == (lowest["run_id"],)
    assert selection.chosen.value == lowest["validation.f1_min"]
    assert [record.run_id for record in selection.chosen.records] == [lowest["run_id"]]
    assert len(selection.candidates) == 2


@given(st.permutations(range(4)), st.sampled_from(["f1_min", "accuracy", "test.f1", "loss"]))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_runs_does_not_matter_and_worst_mirrors_best(grid, order, by):
    worst = select(grid.iloc[list(order)], by=by)
    best = select(grid.iloc[list(order)], by=by, direction="best")
    assert worst.chosen == select(grid, by=by).chosen
    values = [candidate.value for candidate in worst.candidates]
    assert values == sorted(values, reverse=not worst.metric.higher_is_better)
    assert [c.value for c in best.candidates] == values[::-1]


def test_the_objective_decides_unless_a_metric_is_named(grid):
    assert select(grid).metric.column == "validation.accuracy"


def test_the_worst_by_loss_or_time_is_the_largest(grid):
    assert select(grid, by="time.train_s").chosen.value == grid["time.train_s"].max()


def test_repeats_count_as_one_configuration_with_their_mean(table_of):
    selection = select(table_of(reference_grid(seeds=(2, 0, 1))), by="f1_min")
    assert len(selection.candidates) == 4
    for candidate in selection.candidates:
        assert candidate.seeds == (0, 1, 2)
        expected = np.mean([metric_value(record) for record in candidate.records])
        assert candidate.value == pytest.approx(expected)
        assert "seed" not in candidate.label
        assert "seed" not in candidate.settings
    assert selection.notes == ()


def test_candidates_have_the_settings_of_their_runs(grid):
    for candidate in select(grid).candidates:
        config = candidate.records[0].config
        assert candidate.settings["layers"] == config["layers"]
        assert candidate.settings["dropout"] == config["dropout"]
        assert candidate.settings["weight_decay"] is None


def test_single_runs_and_unequal_numbers_are_said(grid, table_of):
    assert select(grid).notes == (Note.SINGLE_RUNS,)
    more = [*reference_grid(), make_run(layers=1, nodes=100, seed=5)]
    assert select(table_of(more)).notes == (Note.UNEQUAL_REPEATS,)


def test_choosing_on_the_test_split_is_said(grid):
    selection = select(grid, by="f1_min", split="test")
    assert selection.metric.split == selection.weakest_split == "test"
    assert Note.SELECTED_ON_TEST in selection.notes


def test_ties_are_named(table_of):
    twins = [make_run(layers=2, nodes=n, accuracy=1.0) for n in (10, 20, 30)]
    runs = table_of([*twins, make_run(layers=2, nodes=40, accuracy=0.5)])
    selection = select(runs, direction="best")
    assert selection.chosen.value == 1
    assert len(selection.ties) == 2


def test_failed_diverged_and_missing_candidates_are_named_with_their_reason(table_of):
    ended = [
        make_run(layers=layers, nodes=nodes, status=status)
        for layers, nodes, status in (
            (2, 400, "failed"), (2, 500, "diverged"), (1, 400, "failed"),
        )
    ]  # fmt: skip
    missing = [make_run(layers=2, nodes=600), make_run(layers=1, nodes=600)]
    selection = select(table_of([*reference_grid(), *ended], missing), ["layers=2"])
    assert {(run.label, run.status) for run in selection.uncounted} == {
        ("layers=2,nodes=400,seed=0", "failed"),
        ("layers=2,nodes=500,seed=0", "diverged"),
        ("layers=2,nodes=600,seed=0", "missing"),
    }
    assert {"MemoryError: out of memory", "not run"} <= {run.reason for run in selection.uncounted}


def test_a_condition_on_results_does_not_hide_a_failed_run(table_of):
    failed = make_run(layers=2, nodes=400, status="failed")
    selection = select(table_of([*reference_grid(), failed]), ["test.accuracy>0.5"])
    assert [run.label for run in selection.uncounted] == [failed.values["label"]]


def test_a_finished_run_without_the_value_is_named(table_of):
    run = make_run(layers=2, nodes=10)
    run.values["metrics"]["validation"]["loss"] = None
    selection = select(table_of([*reference_grid(), run]), by="loss")
    assert [entry.reason for entry in selection.uncounted] == ["has no finite validation loss"]


def test_different_data_among_candidates_is_said(table_of):
    other = make_run(layers=2, nodes=10, bundled=True)
    assert Note.DIFFERENT_DATA in select(table_of([*reference_grid(), other])).notes


def test_the_weakest_classes_and_their_mistakes_are_those_of_the_predictions(table_of):
    runs = [make_run(layers=2, seed=seed, n_test=3000, accuracy=0.8) for seed in (0, 1)]
    selection = select(table_of(runs), by="test.f1_min")
    f1 = {
        k: np.mean([run.values["metrics"]["test"]["per_class"][k]["f1"] for run in runs])
        for k in range(10)
    }
    assert [w.label for w in selection.weakest] == sorted(f1, key=f1.get)[:3]
    weakest = selection.weakest[0]
    assert weakest.f1 == pytest.approx(f1[weakest.label])
    mistakes = np.zeros(10, int)
    for run in runs:
        of_class = run.arrays["test_true"] == weakest.label
        mistakes += np.bincount(run.arrays["test_predicted"][of_class], minlength=10)
    mistakes[weakest.label] = 0
    for digit, count in weakest.mistaken_for:
        assert mistakes[digit] == count
    assert weakest.mistaken_for[0][1] == mistakes.max()


def test_nothing_that_matches_is_an_error(grid):
    with pytest.raises(SelectionError, match="none of 4 matches"):
        select(grid, ["layers=7"])


def test_only_failed_matches_are_an_error_that_names_them(table_of):
    failed = make_run(layers=3, status="failed")
    with pytest.raises(SelectionError, match=r"layers=3.*failed: MemoryError"):
        select(table_of([*reference_grid(), failed]), ["layers=3"])


def test_no_runs_at_all_is_an_error():
    with pytest.raises(SelectionError, match="none of 0"):
        select(all_runs([]))


def test_other_numbers_of_classes_work(table_of):
    runs = table_of([make_run(layers=n, classes=3, accuracy=0.9) for n in (1, 2)])
    selection = select(runs, by="f1.2")
    assert {weak.label for weak in selection.weakest} == {0, 1, 2}
    with pytest.raises(SelectionError, match="0 to 2"):
        select(runs, by="f1.3")


def test_a_metric_of_a_class_is_named_by_the_classs_name(table_of):
    run = make_run(accuracy=0.7)
    run.values["data"]["class_names"] = [f"shirt {k}" for k in range(10)]
    runs = table_of([run])
    for by in ("f1.shirt 8", "test.recall.shirt 3", "lowest:f1.8"):
        number = by.replace("shirt ", "")
        assert select(runs, by=by).metric == select(runs, by=number).metric
    with pytest.raises(
        SelectionError, match=r"no class is called 'skirt'. The classes are shirt 0"
    ):
        select(runs, by="f1.skirt")
