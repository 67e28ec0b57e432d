"""What the plots show, read from their descriptions: the records' numbers, on the right axis."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from mnist_sweep.analysis.configurations import extremes, varying_settings
from mnist_sweep.records.plan_file import Invocation, PlanFile
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.figures.files import plots
from mnist_sweep.reporting.figures.gallery import gallery_of
from mnist_sweep.reporting.figures.matrices import confusion_of, f1_by_class
from mnist_sweep.reporting.figures.plots import (
    cost,
    curves,
    effects,
    history,
    importances,
    parallel,
    spread,
)
from mnist_sweep.reporting.phrases.names import extent
from support.factories import make_run, reference_grid, write_run, write_sweep
from support.shown import OBJECTIVE, configurations


def shown(tmp_path, runs):
    return configurations([load(write_sweep(tmp_path / "grid", runs))])


def xs(series):
    return [point.x for point in series.points]


def ys(series):
    return [point.y for point in series.points]


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
        assert np.array_equal(found, confusion_matrix(true, predicted))
        assert not np.array_equal(found, found.T), "or the test proves nothing"


def test_repeats_are_added():
    runs = [make_run(seed=seed).record for seed in range(3)]
    assert np.array_equal(confusion_of(runs), sum(confusion_of([run]) for run in runs))


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
    assert ys(lines[0, "dashed"])[:2] == pytest.approx([2.0, 0.5])
    assert np.isnan(ys(lines[0, "dashed"])[2])
    assert ys(lines[1, "both"]) == pytest.approx([50, 50, 60])
    assert xs(lines[1, "both"]) == [1, 2, 3]


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
        points = [point for one in own for point in one.points]
        assert [point.x for point in points] == pytest.approx(values)
        expected = [100 * metric_of(run, "test") for run in runs]
        assert [point.y for point in points] == pytest.approx(expected)
        assert [point.of for point in points] == [0, 1, 2, 3]


def test_effects_are_the_means_over_the_other_settings(grid):
    runs = reference_grid()
    plot = effects(grid, OBJECTIVE)
    assert [x.title for x in plot.x] == ["Layers", "Nodes"]
    assert [text for _, text in plot.x[1].ticks] == ["100", "300"]
    means = next(one for one in plot.series if one.panel == 1 and one.kind == "both")
    a = [100 * metric_of(run) for run in runs]
    assert ys(means) == pytest.approx([(a[0] + a[2]) / 2, (a[1] + a[3]) / 2])


def test_continuous_settings_have_continuous_axes_logarithmic_where_they_span_widely(search):
    plot = effects(search, OBJECTIVE)
    axes = {x.title: x for x in plot.x}
    assert axes["Learning rate"].is_log
    assert not axes["Dropout"].is_log
    assert not axes["Dropout"].ticks
    assert [xs(one) for one in plot.series] == [
        [one.settings[name.lower().replace(" ", "_")] for one in search] for name in axes
    ]


def test_parallel_coordinates_have_heights_in_proportion(search):
    plot = parallel(search, OBJECTIVE)
    names = [text for _, text in plot.x[0].ticks]
    assert names[:2] == ["Dropout", "Learning rate (log)"]
    heights = {}
    for one in plot.series:
        for x, y, _, place in one.points:
            if not np.isnan(x):
                heights[place, names[int(x)]] = y

    def scaled(values):
        return (np.array(values) - min(values)) / (max(values) - min(values))

    rates = np.log10([one.settings["learning_rate"] for one in search])
    drops = [one.settings["dropout"] for one in search]
    for name, values in (("Learning rate (log)", rates), ("Dropout", drops)):
        assert [heights[k, name] for k in range(20)] == pytest.approx(scaled(values))
    strongest = {point.of for point in plot.series[-1].points}
    best = max(range(20), key=lambda k: search[k].mean("validation.accuracy"))
    assert best in strongest


def test_the_history_is_in_order_of_start_and_its_line_never_falls(search, searched):
    runs, best = history(search, OBJECTIVE).series
    in_order = sorted(searched, key=lambda run: run.values["environment"]["started_at"])
    assert ys(runs) == pytest.approx([100 * metric_of(run) for run in in_order])
    assert ys(best) == pytest.approx(np.maximum.accumulate(ys(runs)))


def test_a_grid_has_no_history_and_a_search_says_which_settings_matter(grid, search):
    assert "history" not in [plot.name for plot in plots(grid, OBJECTIVE)]
    names = [plot.name for plot in plots(search, OBJECTIVE)]
    assert names[0] == "history"
    plot = importances(search, OBJECTIVE)
    assert plot.y[0].ticks[0] == (0.0, "Learning rate")
    bars, dots = map(xs, plot.series)
    for low, high, share in zip(bars[::3], bars[1::3], dots, strict=True):
        assert low <= share <= high


@pytest.mark.parametrize("sweepers", [["search"], ["default", "search"], ["default"]])
def test_a_plan_says_whether_it_was_a_search(grid, search, sweepers):
    """Not the points: a search may draw from few, and a grid be cut by conditions."""
    commands = tuple(Invocation(config={"sweeper": name}) for name in sweepers)
    plans = [PlanFile(invocations=commands), None]
    for shown in (grid, search):
        names = [plot.name for plot in plots(shown, OBJECTIVE, plans)]
        assert ("history" in names) == ("search" in sweepers)


def test_importances_that_say_nothing_are_not_shown(grid):
    """Four single runs: each setting explains between nothing and nearly all."""
    assert importances(grid, OBJECTIVE) is None


def test_spread_has_every_run(tmp_path):
    runs = reference_grid(seeds=(0, 1))
    plot = spread(shown(tmp_path, runs), OBJECTIVE)
    dots = [point for one in plot.series if one.panel == 0 for point in one.points]
    assert [point.x for point in dots if point.of is not None] == pytest.approx(
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
