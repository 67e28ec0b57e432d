"""The effect of a study's change is paired on fresh seeds, beside the naive difference."""

import shutil
from statistics import fmean

import numpy as np
import pytest

from mnist_sweep.analysis.statistics import holm
from mnist_sweep.analysis.study_effect import UnknownEffect, study_effects
from mnist_sweep.analysis.uncertainty import select_with_uncertainty
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import load
from support.factories import make_run, run_directories, write_run, write_study

SIZE = {"n_test": 500, "n_validation": 300}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("studies") / "study"
    write_study(directory, repeats=3, **SIZE)
    return directory


@pytest.fixture
def study(made, tmp_path):
    """A study of three repeats, to be changed at will."""
    return shutil.copytree(made, tmp_path / "study")


def effects(directory, best=None):
    return study_effects(load_study(directory), load(directory), best)


def accuracies(records):
    return [record.metrics.test.accuracy for record in records]


def test_the_change_is_measured_on_fresh_seeds_against_the_unchanged_network(study):
    (effect,) = effects(study)
    assert effect.change == {"dropout": 0.2}
    assert effect.seeds == (3, 4, 5)
    assert (effect.split, effect.selected_split) == ("test", "validation")
    assert [r.seed for r in effect.changed] == [r.seed for r in effect.unchanged] == [3, 4, 5]
    assert {r.config["dropout"] for r in effect.unchanged} == {0.0}
    overall = effect.overall["accuracy"]
    expected = fmean(accuracies(effect.changed)) - fmean(accuracies(effect.unchanged))
    assert overall.estimate == pytest.approx(expected)
    assert overall.low < overall.estimate < overall.high
    assert (effect.unpaired, effect.unknown) == ((), None)


def test_the_naive_difference_is_to_the_runs_it_was_selected_by(study):
    (effect,) = effects(study)
    assert {r.seed for r in effect.selected} == {0, 1, 2}
    assert effect.selected_mean == pytest.approx(fmean(accuracies(effect.selected)))
    estimate = effect.overall["accuracy"].estimate
    assert effect.naive == pytest.approx(estimate + effect.retraining)


def test_the_accuracy_is_tested_first_and_the_rest_only_where_it_changed(study):
    unchanged = [record.run_id for record in effects(study)[0].unchanged]
    best = select_with_uncertainty(load(study), run_ids=unchanged, questions=2)
    (effect,) = effects(study, best)
    assert [*effect.overall] == ["accuracy", "f1_min"]
    first, *rest = [*effect.overall.values(), *effect.per_class]
    assert first.p_holm == min(2 * first.p_value, 1)
    expected = np.minimum(2 * np.array(holm([d.p_value for d in rest])), 1)
    np.testing.assert_allclose([d.p_holm for d in rest], np.maximum(expected, first.p_holm))
    assert len(rest) == 11
    assert {d.margin for d in (first, *rest)} == {0.002}
    assert effect.against_best.estimate == effect.overall["accuracy"].estimate
    assert effect.against_best.p_holm == min(2 * effect.against_best.p_value, 1)


def test_it_is_the_statistics_own_difference_of_the_stored_predictions(study):
    (effect,) = effects(study)
    places = run_directories(study)

    def accuracies_of(records):
        files = [places[r.run_id] / "predictions.npz" for r in records]
        return [
            np.mean(np.load(one)["test_predicted"] == np.load(one)["test_true"]) for one in files
        ]

    found = effect.overall["accuracy"]
    apart = np.subtract(accuracies_of(effect.changed), accuracies_of(effect.unchanged))
    assert found.estimate == pytest.approx(apart.mean())
    assert found.covers == "images and seeds"
    # Two configurations and the grid's four, of three runs each, show how much seeds vary.
    assert found.df >= 12


def test_a_run_without_its_partner_is_named_and_not_counted(study):
    (effect,) = effects(study)
    lost = effect.changed[0]
    shutil.rmtree(run_directories(study)[lost.run_id])
    (again,) = effects(study)
    assert again.seeds == (4, 5)
    lost, partner = sorted(again.unpaired, key=lambda run: run.status, reverse=True)
    assert (lost.status, lost.reason) == ("missing", "not run")
    assert "dropout=0.2,seed=3" in lost.label
    assert (partner.status, partner.reason) == ("finished", "")


def test_a_failed_control_is_named_with_its_reason(study):
    (effect,) = effects(study)
    nodes = effect.unchanged[0].config["nodes"]
    failed = make_run(layers=2, nodes=nodes, seed=3, status="failed", **SIZE)
    directory = SweepPaths(study).run(failed.values["label"], failed.values["run_id"]).directory
    write_run(failed, directory)
    (again,) = effects(study)
    assert again.seeds == (4, 5)
    assert ("failed", "MemoryError: out of memory") in {
        (run.status, run.reason) for run in again.unpaired
    }


def test_without_any_pair_it_says_that_nothing_is_known(study):
    (effect,) = effects(study)
    places = run_directories(study)
    for record in effect.unchanged:
        shutil.rmtree(places[record.run_id])
    (again,) = effects(study)
    assert again.overall == {}
    assert again.unknown is UnknownEffect.NO_PAIR


@pytest.mark.parametrize("which", ["changed", "unchanged", "selected"])
def test_without_predictions_it_says_so(study, which):
    (effect,) = effects(study)
    (run_directories(study)[getattr(effect, which)[0].run_id] / "predictions.npz").unlink()
    (again,) = effects(study)
    assert again.unknown is UnknownEffect.UNREADABLE
    assert "no such file" in again.detail


def test_without_the_runs_it_was_selected_by_it_says_so(study):
    (effect,) = effects(study)
    places = run_directories(study)
    for record in effect.selected:
        shutil.rmtree(places[record.run_id])
    assert effects(study)[0].unknown is UnknownEffect.SELECTED_GONE


def test_a_study_that_selected_nothing_yet_has_no_effects(study):
    value = load_study(study)
    stage = value.stages[0].model_copy(update={"selection": None})
    early = value.model_copy(update={"stages": (stage, *value.stages[1:])})
    assert study_effects(early, load(study)) == []
