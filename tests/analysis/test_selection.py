"""A selection names the worst or best configuration, and everything it could not count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_sweep.analysis.selection import select
from mnist_sweep.errors import SelectionError
from mnist_sweep.records.collect import Missing
from support.factories import make_run, reference_grid

GRID = [run.record for run in reference_grid()]


def metric_value(record, split="validation", name="f1_min"):
    return getattr(getattr(record.metrics, split), name)


def test_the_worst_two_layer_network_is_the_one_with_the_lowest_value():
    two_layer = [record for record in GRID if record.config["layers"] == 2]
    lowest = min(two_layer, key=metric_value)
    selection = select(GRID, ["layers=2"])
    assert selection.chosen.records == (lowest,)
    assert selection.chosen.value == metric_value(lowest)
    assert len(selection.candidates) == 2


@given(st.permutations(GRID), st.sampled_from(["f1_min", "accuracy", "test.f1", "time.train_s"]))
@settings(max_examples=20)
def test_the_order_of_the_records_does_not_matter_and_worst_mirrors_best(records, by):
    worst = select(records, by=by)
    best = select(records, by=by, direction="best")
    assert worst.chosen == select(GRID, by=by).chosen
    values = [candidate.value for candidate in worst.candidates]
    assert values == sorted(values, reverse=not worst.metric.higher_is_better)
    assert [c.value for c in best.candidates] == values[::-1]


def test_the_worst_by_loss_or_time_is_the_largest():
    slowest = max(GRID, key=lambda record: record.time.train_s)
    assert select(GRID, by="time.train_s").chosen.value == slowest.time.train_s


def test_repeats_count_as_one_configuration_with_their_mean():
    seeds = (2, 0, 1)
    records = [run.record for run in reference_grid(seeds=seeds)]
    selection = select(records)
    assert len(selection.candidates) == 4
    for candidate in selection.candidates:
        assert candidate.seeds == (0, 1, 2)
        expected = np.mean([metric_value(record) for record in candidate.records])
        assert candidate.value == pytest.approx(expected)
        assert "seed" not in candidate.label
        assert "seed" not in candidate.settings
    assert not any("One run each" in note for note in selection.notes)


def test_single_runs_and_unequal_numbers_are_said():
    assert any("One run each" in note for note in select(GRID).notes)
    more = [*GRID, make_run(layers=1, nodes=100, seed=5).record]
    assert any("unequal numbers" in note for note in select(more).notes)


def test_choosing_on_the_test_split_is_said():
    selection = select(GRID, by="f1_min", split="test")
    assert selection.metric.split == selection.weakest_split == "test"
    assert any("test split" in note for note in selection.notes)
    assert not any("test split" in note for note in select(GRID).notes)


def test_ties_are_named():
    twin = [make_run(layers=2, nodes=n, accuracy=1.0).record for n in (10, 20, 30)]
    selection = select([*twin, make_run(layers=2, nodes=40, accuracy=0.5).record], direction="best")
    assert selection.chosen.value == 1
    assert len(selection.ties) == 2


def test_failed_diverged_and_missing_candidates_are_named_with_their_reason():
    failed = make_run(layers=2, nodes=400, status="failed").record
    diverged = make_run(layers=2, nodes=500, status="diverged").record
    elsewhere = make_run(layers=1, nodes=400, status="failed").record
    label = "layers=2,nodes=600,seed=0"
    missing = [Missing("0" * 12, label, (), "not run"), Missing("1" * 12, "layers=1", (), "x")]
    selection = select([*GRID, failed, diverged, elsewhere], ["layers=2"], missing=missing)
    assert {(run.label, run.status) for run in selection.uncounted} == {
        (failed.label, "failed"), (diverged.label, "diverged"), (label, "missing"),
    }  # fmt: skip
    assert "MemoryError: out of memory" in {run.reason for run in selection.uncounted}


def test_a_condition_on_results_does_not_hide_a_failed_run():
    failed = make_run(layers=2, nodes=400, status="failed").record
    selection = select([*GRID, failed], ["test.accuracy>0.5"])
    assert [run.label for run in selection.uncounted] == [failed.label]


def test_a_finished_run_without_the_value_is_named():
    run = make_run(layers=2, nodes=10)
    run.values["metrics"]["validation"]["loss"] = None
    selection = select([*GRID, run.record], by="loss")
    assert [entry.reason for entry in selection.uncounted] == ["has no finite validation loss"]


def test_different_data_among_candidates_is_said():
    other = make_run(layers=2, nodes=10, bundled=True).record
    assert any("different data" in note for note in select([*GRID, other]).notes)


def test_the_weakest_classes_and_their_mistakes_are_those_of_the_predictions():
    runs = [make_run(layers=2, seed=seed, n_test=3000, accuracy=0.8) for seed in (0, 1)]
    selection = select([run.record for run in runs], by="test.f1_min")
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


def test_nothing_that_matches_is_an_error():
    with pytest.raises(SelectionError, match="none of 4 matches"):
        select(GRID, ["layers=7"])


def test_only_failed_matches_are_an_error_that_names_them():
    failed = make_run(layers=3, status="failed").record
    with pytest.raises(SelectionError, match=r"layers=3.*failed: MemoryError"):
        select([*GRID, failed], ["layers=3"])


def test_no_records_at_all_is_an_error():
    with pytest.raises(SelectionError, match="none of 0"):
        select([])


def test_other_numbers_of_classes_work():
    records = [make_run(layers=n, classes=3, accuracy=0.9).record for n in (1, 2)]
    selection = select(records, by="f1.2")
    assert {weak.label for weak in selection.weakest} == {0, 1, 2}
    with pytest.raises(SelectionError, match="0 to 2"):
        select(records, by="f1.3")
