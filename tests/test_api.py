"""The Python interface: what the command line can do, from a script or a notebook."""

import doctest
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import mnist_sweep as ms
from mnist_sweep import api
from mnist_sweep.errors import SelectionError, SettingsError, UsageError
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult
from support.factories import Made, make_run, reference_grid, write_sweep


@pytest.fixture
def grid(tmp_path):
    return ms.load(write_sweep(tmp_path / "grid", reference_grid(seeds=(0, 1))))


def test_the_package_lists_its_interface():
    names = ["Sweep", "__version__", "check", "compare", "load", "report_epoch", "sweep"]
    assert dir(ms) == names
    with pytest.raises(AttributeError, match="nothing"):
        ms.nothing  # noqa: B018  (looked up, for the error)


def test_the_best_is_meant_by_the_objective_and_the_worst_by_what_is_asked(grid):
    means = grid.frame.groupby("configuration_id")["validation.accuracy"].mean()
    assert grid.objective == "validation.accuracy"
    assert grid.best().value == pytest.approx(means.max())
    worst = grid.worst("layers=2", by="f1_min")
    two = grid.frame[grid.frame["layers"] == 2]
    assert worst.value == pytest.approx(
        two.groupby("configuration_id")["validation.f1_min"].mean().min()
    )
    assert worst.settings["layers"] == 2
    assert set(worst.run_ids) <= set(two["run_id"])
    assert "2 layers" in str(worst)
    on_test = grid.best(split="test")
    assert on_test.selection.metric.column == "test.accuracy"
    with pytest.raises(SelectionError, match="f1_min"):
        grid.best(by="f1min")


def test_tables_are_text_in_any_format_and_show_themselves(grid):
    tables = grid.table("layers=1")
    assert "300" in str(tables)
    assert json.loads(tables.text("json"))
    assert tables.text("md").count("|")
    html = grid._repr_html_()
    assert html.count("<table>") == 3
    assert "8 finished" in html
    assert re.search(r"\nBest    \d layers? x \d+ nodes   validation \d+", html)


def test_names_from_records_are_escaped_in_a_notebook(tmp_path):
    run = make_run()
    run.values["config"]["optimizer"] = "<script>"
    html = ms.load(write_sweep(tmp_path / "grid", [run])).table(columns=["optimizer"])
    assert "<script>" not in html._repr_html_()


def test_directories_are_compared_and_checked(grid, tmp_path):
    other = write_sweep(tmp_path / "other", reference_grid(seeds=(0, 1)))
    compared = ms.compare(grid, other)
    assert str(compared)
    with pytest.raises(UsageError, match="expected one of"):
        compared.text("pdf")
    assert compared._repr_html_().startswith("<pre ")
    passed = ms.check(other, baseline=grid.directory)
    assert passed
    assert passed.passed
    with pytest.raises(UsageError, match="two or more"):
        ms.compare("missing")  # before anything is read


def test_another_programs_results_become_a_runs_table(tmp_path):
    for number in (1, 2):
        folder = tmp_path / "multirun" / str(number)
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps({"test": {"acc": number / 10}}))
    found = ms.load(
        tmp_path / "multirun", record="*/results.json", metrics={"accuracy": "test.acc"}
    )
    assert sorted(found.frame["test.accuracy"]) == [0.1, 0.2]
    assert found.best().value == 0.2
    assert found.best(by="test.accuracy").value == 0.2
    assert found.objective == "highest:test.accuracy"
    assert found.record(found.frame["run_id"].iloc[0]).metrics.test.values == {"accuracy": 0.1}
    assert found.report(tmp_path / "report", figures=False).exists()
    recognised = ms.load(tmp_path / "multirun", metrics={"accuracy": "test.acc"}, record="*/*.json")
    assert recognised.notes


@pytest.mark.slow
def test_a_report_is_written_and_its_path_returned(grid):
    page = grid.report(figures=False)
    assert page == grid.directory / "report.html"
    assert page.exists()


@pytest.mark.slow
def test_a_report_is_made_of_what_was_loaded(grid, monkeypatch):
    monkeypatch.setattr("mnist_sweep.reporting.report.load", pytest.fail)
    assert grid.report(figures=False).exists()


@pytest.mark.slow
def test_plots_are_figures_by_name_and_show_themselves(grid):
    plots = grid.plots()
    assert {"effects", "accuracy-against-cost"} <= set(plots)
    engine = plots["learning-curves"].get_layout_engine()
    assert engine is not None  # of the plots' own style: the legend covers no axis
    assert plots._repr_html_().count('<img src="data:image/png;base64,') == len(plots)
    figure = plots["learning-curves"]
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_the_version_needs_no_interface():
    program = (
        "import sys, mnist_sweep as ms; print(ms.__version__, 'mnist_sweep.api' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [ms.__version__, "False"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([8, 16], "key=8,16"), (None, "key=null"), (True, "key=true"), (0.001, "key=0.001"),
        ("adam", "key=adam"), ("a b, c", "key='a b, c'"), ("it's", r"key='it\'s'"), ("", "key=''"),
        ({"a": 1, "b": [1]}, "key={a:1,b:[1]}"), (range(3), "key=0,1,2"),
        ([[8, 16], [32]], "key=[8,16],[32]"), (np.logspace(-4, -3, 2), "key=0.0001,0.001"),
        (np.float64(0.5), "key=0.5"), (np.arange(2), "key=0,1"),
    ],
)  # fmt: skip
def test_a_keyword_becomes_an_override(value, text):
    assert api._overrides("key", value) == [text]


@pytest.mark.parametrize("value", ["a b", "a,b", "it's", "50 %", "x=y", "(a)", "ü"])
def test_quoted_text_is_read_back_by_hydra(value):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides(api._overrides("key", value))
    read = override.value()
    assert getattr(read, "text", read) == value


def test_a_function_stands_for_its_name():
    name = "support.factories.make_run"
    assert api._overrides("model", make_run) == ["model=own", f"model._target_={name}"]
    assert api._overrides("task", make_run) == [f"task._target_={name}"]
    assert api._overrides("model", [make_run, Made]) == [
        "model=own", f"model._target_={name},support.factories.Made",
    ]  # fmt: skip
    assert api._overrides("model", ["mlp", "cnn"]) == ["model=mlp,cnn"]
    assert api._overrides("seed", [0, 1]) == ["seed=0,1"]


def test_what_stands_in_for_mnist_is_a_warning_in_a_line(tmp_path, monkeypatch):
    directory = write_sweep(tmp_path / "grid", reference_grid(bundled=True))
    monkeypatch.setattr(api, "_run", lambda _: SweepResult(directory, Plan(), report=False))
    with pytest.warns(UserWarning, match=r"^bundled digits \(NOT MNIST\): .* data mnist$") as found:
        ms.sweep()
    assert len(found) == 1


def test_a_notebook_shows_an_error_in_lines_that_need_no_break():
    error = SettingsError("Nothing was run: a setting is wrong.\n  " + "word " * 60)
    first, *rest = "\n".join(error._render_traceback_()).splitlines()
    assert first == "SettingsError: Nothing was run: a setting is wrong."
    assert len(rest) > 3
    assert all(len(line) <= 90 for line in rest)


def test_a_wrong_setting_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match="did you mean layers"):
        ms.sweep("lyers=2", data="digits", name="api")
    with pytest.raises(SettingsError, match="no such choice"):
        ms.sweep("model=nosuch", data="digits", name="api")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_a_sweep_is_run_and_its_networks_loaded(tmp_path):
    program = """
import mnist_sweep as ms

if __name__ == "__main__":
    grid = ms.sweep("layers=1", nodes=[4, 8], data="digits", epochs=1, name="api", report=False)
    assert list(grid.frame["status"]) == ["finished"] * 2, grid
    run_id = grid.best().run_ids[0]
    assert grid.predictions(run_id).test_predicted.size == grid.frame["dataset.n_test"].iloc[0]
    assert grid.model(run_id).count_params() == grid.record(run_id).parameters
    print("done")
"""
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.endswith("done\n"), done.stderr


def test_the_examples_in_docstrings_are_python():
    found = [one for module in (api, api.directory) for one in doctest.DocTestFinder().find(module)]
    examples = [example for test in found for example in test.examples]
    assert len(examples) >= 6
    for example in examples:
        compile(example.source, "<example>", "single")


def test_sets_of_points_are_one_value():
    (points,) = api._overrides("points", [{"layers": 1, "nodes": [8, 16]}, ["layers=2"]])
    assert points == "points=[{layers:1,nodes:[8,16]},['layers=2']]"
    assert api._overrides("exclude", ["layers=1", "nodes>8"]) == ["exclude=['layers=1','nodes>8']"]


def test_results_of_other_programs_are_compared(tmp_path):
    for side, value in (("a", 0.9), ("b", 0.8)):
        for job in range(2):
            place = tmp_path / side / str(job)
            place.mkdir(parents=True)
            (place / "results.json").write_text(json.dumps({"test": {"acc": value}}))
    sides = (tmp_path / "a", tmp_path / "b")
    compared = ms.compare(*sides, record="*/results.json", metrics={"acc": "test.acc"})
    assert [change.metric for change in compared.comparison.pairs[0].mean] == ["acc"]
