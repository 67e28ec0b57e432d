"""What the figures show, read from their data: the records' numbers, on the right axis."""

import numpy as np
import pytest

from mnist_sweep.analysis.configurations import extremes, varying_settings
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.figures.confusion import confusion_of
from mnist_sweep.reporting.figures.cost import cost_of
from mnist_sweep.reporting.figures.curves import curves_of
from mnist_sweep.reporting.figures.difference import difference_of
from mnist_sweep.reporting.figures.effects import effects_of
from mnist_sweep.reporting.figures.f1_by_digit import f1_by_digit_of
from mnist_sweep.reporting.figures.gallery import gallery_of
from mnist_sweep.reporting.figures.parallel import parallel_of
from mnist_sweep.reporting.figures.spread import spread_of
from mnist_sweep.reporting.phrases.names import extent
from support.factories import make_run, reference_grid, write_run, write_sweep
from support.shown import OBJECTIVE, configurations


def shown(tmp_path, runs):
    return configurations([load(write_sweep(tmp_path / "grid", runs))])


def test_configurations_group_the_runs_that_differ_only_in_seed(tmp_path):
    found = shown(tmp_path, reference_grid(seeds=(0, 1, 2)))
    assert [c.name for c in found] == [
        "1 layer x 100 nodes", "1 layer x 300 nodes",
        "2 layers x 100 nodes", "2 layers x 300 nodes",
    ]  # fmt: skip
    assert [[record.seed for record in c.records] for c in found] == [[0, 1, 2]] * 4
    for configuration in found:
        for record, directory in zip(configuration.records, configuration.directories, strict=True):
            assert directory.name.endswith(record.run_id)


def test_configurations_of_two_sweeps_stay_apart(tmp_path):
    first = load(write_sweep(tmp_path / "a", reference_grid()))
    second = load(write_sweep(tmp_path / "b", reference_grid()))
    found = configurations([first, second])
    assert len(found) == 8
    assert len({c.key for c in found}) == 8
    assert {c.name for c in found[:4]} & {c.name for c in found[4:]} == set()


def test_keys_are_safe_file_names_whatever_the_label_says(tmp_path):
    run = make_run()
    run.values["label"] = "../../etc/<script>|,\u202e"
    (found,) = configurations([load(write_run(run, tmp_path / "alone"))])
    assert found.key.isascii()
    assert not found.key.startswith(".")
    assert not set(found.key) & set("/<>|\\ ")


def test_the_confusion_matrix_has_the_true_class_along_the_top(tmp_path):
    run = make_run()
    confusion = confusion_of([run.record])
    record = run.values["metrics"]["test"]["confusion"]
    for true in range(10):
        for predicted in range(10):
            assert confusion.counts[predicted, true] == record[true][predicted]
    assert not np.array_equal(confusion.counts, confusion.counts.T), "or the test proves nothing"


def test_the_confusion_matrix_is_what_the_predictions_say(tmp_path):
    run = make_run()
    true, predicted = run.arrays["validation_true"], run.arrays["validation_predicted"]
    counts = confusion_of([run.record], "validation").counts
    assert counts[5, 3] == ((true == 3) & (predicted == 5)).sum()
    assert counts.sum() == true.size


def test_shares_are_of_the_true_class(tmp_path):
    confusion = confusion_of([make_run().record])
    assert confusion.share.sum(axis=0) == pytest.approx(np.ones(10))
    recall = [c["recall"] for c in make_run().values["metrics"]["test"]["per_class"]]
    assert np.diag(confusion.share) == pytest.approx(recall)
    assert np.diag(confusion.errors) == pytest.approx(np.zeros(10))


def test_repeats_are_added_and_their_difference_is_per_run():
    runs = [make_run(seed=seed).record for seed in range(3)]
    together = confusion_of(runs)
    assert together.runs == 3
    assert np.array_equal(together.counts, sum(confusion_of([r]).counts for r in runs))
    assert np.all(difference_of(together, together).counts == 0)
    other = confusion_of([make_run(nodes=300).record])
    found = difference_of(together, other).counts
    assert found == pytest.approx(other.counts - together.counts / 3)


def test_confusion_matrices_of_different_classes_do_not_compare():
    with pytest.raises(ValueError, match="do not compare"):
        difference_of(confusion_of([make_run().record]), confusion_of([make_run(classes=4).record]))


def test_learning_curves_are_the_mean_over_runs_while_they_ran(tmp_path):
    runs = [make_run(seed=0), make_run(seed=1)]
    runs[0].values["history"] = {
        "loss": [1.0, 0.5, None], "accuracy": [0.5, 0.6, 0.7],
        "val_loss": [1.2, 0.8, 0.7], "val_accuracy": [0.4, 0.5, 0.6],
    }  # fmt: skip
    runs[1].values["history"] = {
        "loss": [3.0], "accuracy": [0.7], "val_loss": [1.0], "val_accuracy": [0.6],
    }  # fmt: skip
    (configuration,) = shown(tmp_path, runs)
    curves = curves_of(configuration)
    assert curves.train["loss"][:2] == pytest.approx([2.0, 0.5])
    assert np.isnan(curves.train["loss"][2])
    assert curves.validation["accuracy"] == pytest.approx([0.5, 0.5, 0.6])


def test_f1_by_digit_is_the_records_f1(tmp_path):
    runs = reference_grid()
    heat = f1_by_digit_of(shown(tmp_path, runs))
    assert heat.f1.shape == (4, 10)
    for row, run in zip(heat.f1, runs, strict=True):
        assert row == pytest.approx([c["f1"] for c in run.values["metrics"]["test"]["per_class"]])


def test_cost_is_accuracy_time_and_parameters(tmp_path):
    runs = reference_grid()
    cost = cost_of(shown(tmp_path, runs))
    assert cost.accuracy == pytest.approx([r.values["metrics"]["test"]["accuracy"] for r in runs])
    assert cost.costs["parameters"] == pytest.approx([r.values["parameters"] for r in runs])
    expected = [r.values["time"]["train_s"] for r in runs]
    assert cost.costs["time.train_s"] == pytest.approx(expected)


def test_effects_are_the_means_over_the_other_settings(tmp_path):
    runs = reference_grid()
    found = {effect.setting: effect for effect in effects_of(shown(tmp_path, runs))}
    accuracy = {
        (r.values["config"]["layers"], r.values["config"]["nodes"]): r.values["metrics"]["test"][
            "accuracy"
        ]
        for r in runs
    }
    assert list(found) == ["layers", "nodes"]
    assert found["nodes"].values == ("100", "300")
    expected = [(accuracy[1, nodes] + accuracy[2, nodes]) / 2 for nodes in (100, 300)]
    assert found["nodes"].means == pytest.approx(expected)


def test_parallel_coordinates_end_at_the_lowest_and_highest_value(tmp_path):
    configurations_ = shown(tmp_path, reference_grid())
    parallel = parallel_of(configurations_)
    assert [axis.name for axis in parallel.axes][:2] == ["layers", "nodes"]
    accuracy = parallel.axes[-1]
    assert np.argmax(accuracy.position) == np.argmax(parallel.score)
    assert accuracy.position.min() == 0
    assert accuracy.position.max() == 1
    assert accuracy.ticks[-1] == (1.0, f"{100 * parallel.score.max():.2f}")


def test_spread_has_every_run(tmp_path):
    runs = reference_grid(seeds=(0, 1))
    spread = spread_of(shown(tmp_path, runs))
    expected = [r.values["metrics"]["test"]["accuracy"] for r in runs]
    assert np.concatenate(spread.runs["test.accuracy"]) == pytest.approx(expected)


def test_the_gallery_ranks_by_how_many_runs_are_wrong(tmp_path):
    runs = reference_grid()
    gallery = gallery_of(shown(tmp_path, runs))
    true = runs[0].arrays["test_true"]
    wrong = sum((run.arrays["test_predicted"] != true).astype(int) for run in runs)
    assert gallery.runs == 4
    assert gallery.all_wrong == (wrong == 4).sum()
    assert [item.wrong for item in gallery.mistaken] == sorted(wrong, reverse=True)[:40]
    for item in gallery.mistaken:
        assert wrong[item.row] == item.wrong
        assert true[item.row] == item.true
        assert sum(count for _, count in item.predicted) == item.wrong


def test_the_gallery_says_which_predictions_are_damaged(tmp_path):
    runs = reference_grid()
    sweep = load(write_sweep(tmp_path / "grid", runs))
    found = configurations([sweep])
    (found[0].directories[0] / "predictions.npz").write_bytes(b"not a zip")
    gallery = gallery_of(found)
    assert gallery.runs == 3
    assert "predictions.npz" in gallery.unread[0]


def test_of_many_configurations_the_best_and_the_worst_are_kept_in_order(tmp_path):
    runs = [make_run(nodes=n, accuracy=0.8 + n / 5000, n_test=100) for n in range(100, 900, 100)]
    every = shown(tmp_path, runs)
    some = extremes(every, 4, OBJECTIVE)
    by = sorted(every, key=lambda c: c.mean("validation.accuracy"))
    assert {c.name for c in some} == {c.name for c in (*by[:2], *by[-2:])}
    assert [c.name for c in some] == [c.name for c in every if c in some]
    assert extent(some, every, OBJECTIVE).startswith("the best and worst 4 of 8")
    assert extremes(every, 8, OBJECTIVE) == every


def test_settings_vary_only_where_configurations_differ(tmp_path):
    assert varying_settings(shown(tmp_path, reference_grid(seeds=(0, 1)))) == ["layers", "nodes"]
