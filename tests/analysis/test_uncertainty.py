"""A selection says how sure it is, or why that is not known; nothing is dropped silently."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from mnist_sweep.analysis.selection import Unknown, select
from mnist_sweep.analysis.statistics import compare_all, resample_predictions
from mnist_sweep.analysis.uncertainty import select_again, select_with_uncertainty
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import read_predicted, write_predictions
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import write_record
from mnist_sweep.records.sweep import all_runs, load
from support.factories import make_run, reference_grid, run_directories, write_sweep

SIZE = {"n_test": 400, "n_validation": 300}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sweeps") / "grid"
    return write_sweep(directory, reference_grid(seeds=(0, 1), **SIZE))


@pytest.fixture
def grid(made, tmp_path):
    """The report's four networks, two runs each, to be changed at will."""
    return shutil.copytree(made, tmp_path / "grid")


def predictions_of(directory, **settings):
    run = make_run(**settings, **SIZE)
    return RunPaths(directory / "runs" / run.directory_name).predictions


def test_it_selects_what_select_selects(grid):
    sweep = load(grid)
    found = select_with_uncertainty(sweep, ["layers=2"], "accuracy", "best", split="test")
    plain = select(all_runs([sweep]), ["layers=2"], "accuracy", "best", split="test")
    assert [dataclasses.replace(one, confidence=None) for one in found.candidates] == [
        *plain.candidates
    ]
    assert (found.metric, found.where, found.notes) == (plain.metric, plain.where, plain.notes)
    assert found.metric.split == "test"


def test_its_numbers_are_the_statistics_of_the_stored_predictions(grid):
    sweep = load(grid)
    found = select_with_uncertainty(sweep, by="f1_min", replicates=300, seed=5)
    records = [r for candidate in found.candidates for r in candidate.records]
    predicted = np.stack([
        np.load(predictions_of(grid, layers=r.config["layers"], nodes=r.config["nodes"],
                               seed=r.seed, accuracy=0.9))["validation_predicted"]
        for r in records
    ])  # fmt: skip
    true = np.load(next(grid.glob("runs/*/predictions.npz")))["validation_true"]
    rng = np.random.default_rng(5)
    table = resample_predictions(predicted, true, ["f1_min"], rng, replicates=300)["f1_min"]
    expected = compare_all(table, [np.arange(2) + 2 * i for i in range(4)], "worst", rng)
    sure = [one.confidence for one in found.candidates]
    assert [s.probability for s in sure] == expected.probability.tolist()
    assert [s.p_value for s in sure] == expected.p_values.tolist()
    assert [s.distinguishable for s in sure] == expected.distinguishable.tolist()
    assert (found.images, found.covers) == (300, "images and seeds")
    assert found.probability == expected.probability[0]


def test_the_same_seed_gives_the_same_answer(grid):
    first, second = (select_with_uncertainty(load(grid), seed=3).to_json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_a_network_that_is_plainly_worst_is_distinguishable_if_it_has_repeats(tmp_path, seeds):
    runs = [
        make_run(layers=2, nodes=n, accuracy=a, seed=seed, **SIZE)
        for n, a in ((10, 0.6), (20, 0.97))
        for seed in seeds
    ]
    found = select_with_uncertainty(load(write_sweep(tmp_path / "s", runs)))
    assert found.chosen.settings["nodes"] == 10
    assert found.probability > 0.99
    if len(seeds) > 1:
        assert (found.covers, found.not_distinguishable) == ("images and seeds", ())
    else:
        # One run each says nothing of configurations.
        assert (found.covers, len(found.not_distinguishable)) == ("images", 1)
        assert [one.confidence.p_value for one in found.candidates] == [None, None]


def test_equal_networks_cannot_be_told_apart(tmp_path):
    runs = [make_run(layers=2, nodes=n, accuracy=0.95, **SIZE) for n in (10, 20, 30)]
    found = select_with_uncertainty(load(write_sweep(tmp_path / "s", runs)))
    assert len(found.not_distinguishable) == 2
    assert 0.2 < found.probability < 0.9


def test_only_the_named_runs_count(grid):
    sweep = load(grid)
    ids = [r.run_id for r in sweep.records if r.seed == 0 and r.config["layers"] == 1]
    found = select_with_uncertainty(sweep, run_ids=ids)
    counted = {r.run_id for c in found.candidates for r in c.records}
    assert counted == set(ids)
    assert found.run_ids == tuple(sorted(ids))


def test_failed_and_missing_candidates_are_named(tmp_path):
    failed = make_run(layers=2, nodes=500, status="failed")
    directory = write_sweep(
        tmp_path / "s", [*reference_grid(**SIZE), failed], [make_run(layers=2, nodes=600)]
    )
    value = select_with_uncertainty(load(directory), ["layers=2"]).to_json()
    assert [(u["label"], u["status"]) for u in value["uncounted"]] == [
        ("layers=2,nodes=500,seed=0", "failed"), ("layers=2,nodes=600,seed=0", "missing"),
    ]  # fmt: skip


def test_json_is_strict_and_has_everything(grid):
    found = select_with_uncertainty(load(grid), ["layers=2"], level=0.9, replicates=200)
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert value["configuration_id"] == value["chosen"]["configuration_id"]
    assert value["chosen"] == value["candidates"][0]
    assert sum(c["probability"] for c in value["candidates"]) == pytest.approx(1)
    assert value["uncertainty"]["probability"] == value["chosen"]["probability"]
    assert (value["level"], value["replicates"], value["seed"]) == (0.9, 200, 0)
    assert value["uncertainty_unknown"] is None


def test_missing_predictions_leave_the_selection_and_say_so(grid):
    predictions_of(grid, layers=1, nodes=100, seed=0).unlink()
    found = select_with_uncertainty(load(grid))
    assert found.candidates == select(all_runs([load(grid)])).candidates
    assert found.probability is None
    assert found.unknown is Unknown.UNREADABLE
    assert "no such file" in found.detail
    assert found.to_json()["uncertainty"] is None


def test_predictions_of_other_images_are_not_compared(grid):
    path, loaded = predictions_of(grid, layers=1, nodes=100, seed=0), load(grid)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    write_predictions(path, {**arrays, "validation_index": arrays["validation_index"] + 1})
    assert "different ones" in select_with_uncertainty(loaded).detail
    assert select_with_uncertainty(loaded, by="f1_min", split="test").unknown is None
    write_predictions(path, {**arrays, "data_sha256": np.array("e" * 64)})
    found = select_with_uncertainty(loaded, by="f1_min", split="test")
    assert "different ones" in found.detail


def test_predictions_that_are_not_the_record_s_are_not_believed(grid):
    path, loaded = predictions_of(grid, layers=1, nodes=100, seed=0), load(grid)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    write_predictions(path, {**arrays, "validation_predicted": arrays["validation_true"]})
    assert select_with_uncertainty(loaded).unknown is Unknown.MISMATCH
    assert [one.path for one in load(grid).problems] == [path]


def test_predictions_of_classes_that_there_are_not_are_damage(grid):
    path, loaded = predictions_of(grid, layers=1, nodes=100, seed=0), load(grid)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    write_predictions(path, {**arrays, "validation_predicted": arrays["validation_true"] + 9})
    assert "between 0 and 9" in select_with_uncertainty(loaded).detail


@pytest.mark.parametrize("by", ["time.train_s", "loss", "train.accuracy"])
def test_metrics_that_predictions_do_not_tell_have_no_uncertainty(grid, by):
    found = select_with_uncertainty(load(grid), by=by)
    assert found.unknown is Unknown.NOT_FROM_PREDICTIONS
    assert select_again(load(grid), found.to_json()) == found


def test_a_declared_direction_is_kept_with_the_selection(grid):
    found = select_with_uncertainty(load(grid), by="highest:time.train_s", direction="best")
    again = select_again(load(grid), json.loads(json.dumps(found.to_json())))
    assert again == found
    assert again.chosen.value == max(one.value for one in found.candidates)


def test_one_candidate_has_nothing_to_be_told_from(grid):
    found = select_with_uncertainty(load(grid), ["layers=2", "nodes=300"])
    assert found.unknown is Unknown.ONE_CANDIDATE


def test_a_tie_s_winner_is_the_selected_one(tmp_path):
    run = make_run(layers=2, nodes=10, accuracy=0.9, simulation_seed=1, **SIZE)
    twin = make_run(layers=2, nodes=20, accuracy=0.9, simulation_seed=1, **SIZE)
    found = select_with_uncertainty(load(write_sweep(tmp_path / "s", [run, twin])))
    assert not found.chosen.confidence.distinguishable
    assert found.not_distinguishable == found.ties


@pytest.mark.parametrize(("level", "replicates"), [(0, 200), (1, 200), (0.95, 99)])
def test_senseless_levels_and_replicates_are_refused(grid, level, replicates):
    with pytest.raises(DataError):
        select_with_uncertainty(load(grid), level=level, replicates=replicates)


def test_what_is_no_selection_cannot_be_made_again(grid):
    value = select_with_uncertainty(load(grid)).to_json()
    with pytest.raises(DirectoryError, match="'level'"):
        select_again(load(grid), {k: v for k, v in value.items() if k != "level"})
    with pytest.raises(SelectionError):
        select_again(load(grid), {**value, "run_ids": []})


def test_a_single_run_s_directory_holds_its_own_predictions(grid):
    run = next((grid / "runs").iterdir())
    assert read_predicted([run], "test").predicted.shape == (1, 400)


def test_damaged_labels_of_one_split_leave_the_other_readable(grid):
    path = predictions_of(grid, layers=1, nodes=100, seed=0)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file}
    np.savez_compressed(path, **{**arrays, "validation_predicted": np.zeros(3)})
    assert read_predicted([path.parent], "test").true.shape == (400,)
    with pytest.raises(DirectoryError, match="validation_predicted"):
        read_predicted([path.parent], "validation")


def test_unequal_records_keep_their_own_runs(grid):
    sweep = load(grid)
    record = sweep.records[0]
    write_record(
        RunPaths(run_directories(grid)[record.run_id]).record,
        record.model_copy(
            update={"status": RunStatus.FAILED, "metrics": None, "error": _failure()}
        ),
    )
    found = select_with_uncertainty(load(grid))
    assert sorted(len(c.values) for c in found.candidates) == [1, 2, 2, 2]
    assert dataclasses.asdict(found.chosen.confidence)["distinguishable"] is False


def _failure():
    from mnist_sweep.records.record import Failure

    return Failure(type="E", message="m")


def test_of_too_many_candidates_nothing_is_resampled_unless_asked_for(grid):
    found = select_with_uncertainty(load(grid), most=3)
    assert (found.unknown, found.probability) == (Unknown.TOO_MANY, None)
    assert select_with_uncertainty(load(grid), most=None).unknown is None


def test_the_sweeps_objective_decides_unless_a_metric_is_named(grid):
    assert select_with_uncertainty(load(grid)).metric.column == "validation.accuracy"
    by_test = dataclasses.replace(load(grid), objective="test.f1")
    assert select_with_uncertainty(by_test).metric.column == "test.f1"
