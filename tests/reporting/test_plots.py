"""What the plots show, read from their descriptions: the records' numbers, on the right axis."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from mnist_sweep.analysis.configurations import extremes, varying_settings
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.figures.cost import cost
from mnist_sweep.reporting.figures.curves import curves
from mnist_sweep.reporting.figures.effects import effects, importances
from mnist_sweep.reporting.figures.files import plots
from mnist_sweep.reporting.figures.gallery import gallery_of
from mnist_sweep.reporting.figures.history import history
from mnist_sweep.reporting.figures.matrices import confusion_of, f1_by_class
from mnist_sweep.reporting.figures.parallel import parallel
from mnist_sweep.reporting.figures.spread import spread
from mnist_sweep.reporting.phrases.names import extent
from support.factories import make_run, reference_grid, write_run, write_sweep
from support.shown import OBJECTIVE, configurations


def shown(tmp_path, runs):
    return configurations([load(write_sweep(tmp_path / "grid", runs))])


def metric_of(run, split="validation", name="accuracy"):
    return run.values["metrics"][split][name]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("plots"), reference_grid())


@pytest.fixture(scope="module")
def searched():
    """Twenty runs of a random search, in an order of their own."""
    rng = np.random.default_rng(0)
    runs = []
    for k in range(20):
        rate, dropout = float(10 ** rng.uniform(-4, -1)), float(rng.uniform(0, 0.5))
        run = make_run(
            learning_rate=rate, dropout=dropout, accuracy=0.95 - 0.02 * abs(np.log10(rate) + 3),
            n_test=200, n_validation=400,
        )  # fmt: skip
        run.values["environment"]["started_at"] = f"2026-01-02T03:{59 - k}:00+00:00"
        runs.append(run)
    return runs


@pytest.fixture(scope="module")
def search(tmp_path_factory, searched):
    return shown(tmp_path_factory.mktemp("search"), searched)


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


def test_the_confusion_matrix_is_scikit_learn_s():
    run = make_run()
    for split in ("test", "validation"):
        true, predicted = run.arrays[f"{split}_true"], run.arrays[f"{split}_predicted"]
        found = confusion_of([run.record], split)
        assert np.array_equal(found.counts, confusion_matrix(true, predicted))
        assert not np.array_equal(found.counts, found.counts.T), "or the test proves nothing"
        assert found.share.sum(axis=1) == pytest.approx(np.ones(10))


def test_repeats_are_added():
    runs = [make_run(seed=seed).record for seed in range(3)]
    together = confusion_of(runs)
    assert together.runs == 3
    assert np.array_equal(together.counts, sum(confusion_of([r]).counts for r in runs))


def test_learning_curves_are_the_mean_over_runs_while_they_ran(tmp_path):
    runs = [make_run(seed=0), make_run(seed=1)]
    runs[0].values["history"] = {
        "loss": [1.0, 0.5, None], "accuracy": [0.5, 0.6, 0.7],
        "val_loss": [1.2, 0.8, 0.7], "val_accuracy": [0.4, 0.5, 0.6],
    }  # fmt: skip
    runs[1].values["history"] = {
        "loss": [3.0], "accuracy": [0.7], "val_loss": [1.0], "val_accuracy": [0.6],
    }  # fmt: skip
    lines = {(one.panel, one.kind): one for one in curves(shown(tmp_path, runs), OBJECTIVE).series}
    assert lines[0, "dashed"].y[:2] == pytest.approx([2.0, 0.5])
    assert np.isnan(lines[0, "dashed"].y[2])
    assert lines[1, "both"].y == pytest.approx([50, 50, 60])
    assert list(lines[1, "both"].x) == [1, 2, 3]


def test_f1_by_class_is_the_records_f1(grid):
    for row, run in zip(f1_by_class(grid), reference_grid(), strict=True):
        assert row == pytest.approx([c["f1"] for c in run.values["metrics"]["test"]["per_class"]])


def test_cost_is_accuracy_time_and_parameters(grid):
    runs = reference_grid()
    plot = cost(grid)
    for panel, values in enumerate(
        ([r.values["time"]["train_s"] for r in runs], [r.values["parameters"] for r in runs])
    ):
        own = [one for one in plot.series if one.panel == panel]
        assert [one.x[0] for one in own] == pytest.approx(values)
        expected = [100 * metric_of(run, "test") for run in runs]
        assert [one.y[0] for one in own] == pytest.approx(expected)
        assert [one.of for one in own] == [[0], [1], [2], [3]]


def test_effects_are_the_means_over_the_other_settings(grid):
    runs = reference_grid()
    plot = effects(grid, OBJECTIVE)
    assert [x.title for x, _ in plot.panels] == ["layers", "nodes"]
    assert [text for _, text in plot.panels[1][0].ticks] == ["100", "300"]
    means = next(one for one in plot.series if one.panel == 1 and one.kind == "both")
    a = [100 * metric_of(run) for run in runs]
    assert means.y == pytest.approx([(a[0] + a[2]) / 2, (a[1] + a[3]) / 2])


def test_continuous_settings_have_continuous_axes_logarithmic_where_they_span_widely(search):
    plot = effects(search, OBJECTIVE)
    axes = {x.title: x for x, _ in plot.panels}
    assert axes["learning_rate"].is_log
    assert not axes["dropout"].is_log
    assert not axes["dropout"].ticks
    assert [list(one.x) for one in plot.series] == [
        [one.settings[name] for one in search] for name in axes
    ]


def test_parallel_coordinates_have_heights_in_proportion(search):
    plot = parallel(search, OBJECTIVE)
    names = [text for _, text in plot.panels[0][0].ticks]
    assert names[:2] == ["dropout", "learning_rate (log)"]
    heights = {}
    for one in plot.series:
        for x, y, place in zip(one.x, one.y, one.of, strict=True):
            if not np.isnan(x):
                heights[place, names[int(x)]] = y

    def scaled(values):
        return (np.array(values) - min(values)) / (max(values) - min(values))

    rates = np.log10([one.settings["learning_rate"] for one in search])
    drops = [one.settings["dropout"] for one in search]
    for name, values in (("learning_rate (log)", rates), ("dropout", drops)):
        assert [heights[k, name] for k in range(20)] == pytest.approx(scaled(values))
    strongest = set(plot.series[-1].of)
    best = max(range(20), key=lambda k: search[k].mean("validation.accuracy"))
    assert best in strongest


def test_the_history_is_in_order_of_start_and_its_line_never_falls(search, searched):
    runs, best = history(search, OBJECTIVE).series
    in_order = sorted(searched, key=lambda run: run.values["environment"]["started_at"])
    assert runs.y == pytest.approx([100 * metric_of(run) for run in in_order])
    assert best.y == pytest.approx(np.maximum.accumulate(runs.y))


def test_a_grid_has_no_history_and_a_search_says_which_settings_matter(grid, search):
    assert history(grid, OBJECTIVE) is None
    names = [plot.name for plot in plots(search, OBJECTIVE)]
    assert names[0] == "history"
    plot = importances(search, OBJECTIVE)
    assert plot.panels[0][1].ticks[0] == (0.0, "learning_rate")
    (bars,) = plot.series
    assert all(low <= high for low, high in zip(*bars.ends, strict=True))


def test_spread_has_every_run(tmp_path):
    runs = reference_grid(seeds=(0, 1))
    plot = spread(shown(tmp_path, runs), OBJECTIVE)
    dots = [one for one in plot.series if one.panel == 0 and one.of]
    assert [x for one in dots for x in one.x] == pytest.approx(
        [100 * metric_of(run, "test") for run in runs]
    )


def test_the_gallery_ranks_by_how_many_runs_are_wrong(grid):
    runs = reference_grid()
    gallery = gallery_of(grid)
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
    found = shown(tmp_path, reference_grid())
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
