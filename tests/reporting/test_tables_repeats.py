"""Runs that differ only in seed are one row: mean, spread, number of runs and interval."""

import csv
import io
import json
import re
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest

from mnist_sweep.analysis.answers import best_of, standing_of
from mnist_sweep.analysis.configurations import configurations, seed_variances
from mnist_sweep.analysis.statistics import interval, resample_predictions
from mnist_sweep.errors import UsageError
from mnist_sweep.metrics import Format, resolve
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.reporting.html.ranking import ranking
from mnist_sweep.reporting.numbers import with_spread
from mnist_sweep.reporting.phrases.names import with_names
from mnist_sweep.reporting.phrases.values import ends
from mnist_sweep.reporting.tables import intervals
from mnist_sweep.reporting.tables import tables as made
from mnist_sweep.reporting.tables.render import format_names, render
from mnist_sweep.reporting.tables.tables import comparison
from mnist_sweep.settings import DEFAULT_REPLICATES
from support.factories import make_run, reference_grid, write_run, write_sweep

SIZE = {"n_test": 300, "n_validation": 200}
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """The report's four networks, three runs each, and a fifth with one."""
    runs = [
        *reference_grid(seeds=SEEDS, **SIZE),
        make_run(layers=2, nodes=300, dropout=0.2, **SIZE),
    ]
    return write_sweep(tmp_path_factory.mktemp("sweeps") / "grid", runs)


def tables_of(directory, **options):
    return comparison([load(directory)], **options)


def cells(table, key):
    index = [c.key for c in table.columns].index(key)
    return [row.cells[index] for row in table.rows]


def accuracies(directory, nodes, layers=1):
    return [
        r.metrics.test.accuracy
        for r in load(directory).records
        if (r.config["layers"], r.config["nodes"], r.config["dropout"]) == (layers, nodes, 0.0)
    ]


def test_rows_are_configurations_with_their_number_of_runs(repeated):
    for table in tables_of(repeated):
        assert [c.value for c in cells(table, "repeats")] == [3, 3, 3, 3, 1]
        assert "seed" not in [c.key for c in table.columns]
        assert [c.title for c in table.columns][:4] == ["Layers", "Nodes", "Dropout", "Runs"]
        assert "means over runs" in table.title


def test_a_cell_is_the_mean_and_the_standard_deviation_over_runs(repeated):
    cell = cells(tables_of(repeated)[0], "test.accuracy")[0]
    runs = accuracies(repeated, 100)
    assert cell.value == pytest.approx(fmean(runs))
    assert cell.text == f"{100 * fmean(runs):.2f} ± {100 * stdev(runs):.2f}"


def test_a_single_run_is_shown_as_such(repeated):
    table = tables_of(repeated)[0]
    assert "±" not in cells(table, "test.accuracy")[-1].text
    assert cells(table, "repeats")[-1].text == "1"
    assert any("single run covers test examples, not seeds" in note for note in table.notes)


def test_intervals_are_the_statistics_own(repeated):
    performance, scores, _ = tables_of(repeated, level=0.9)
    files = sorted(repeated.glob("runs/layers=1,nodes=100,seed=*/predictions.npz"))
    predicted = np.stack([np.load(file)["test_predicted"] for file in files])
    true = np.load(files[0])["test_true"]
    names = ["accuracy", "f1", "precision", "recall", "f1_min", *(f"f1.{k}" for k in range(10))]
    tables = resample_predictions(
        predicted, true, names, np.random.default_rng(0), replicates=DEFAULT_REPLICATES
    )
    # Its own runs, and those of the other configurations, show by how much seeds vary.
    frame = load(repeated).frame
    data, columns = frame["dataset.sha256"].iloc[0], [f"test.{name}" for name in names]
    own = set(frame["run_id"][(frame["layers"] == 1) & (frame["nodes"] == 100)])
    expected = {
        name: interval(tables[name], 0.9, others=seed_variances(frame, column, data, own))
        for name, column in zip(names, columns, strict=True)
    }
    assert scores.content.intervals[0]["test.f1_min"] == expected["f1_min"]
    low, high = (100 * end for end in (expected["accuracy"].low, expected["accuracy"].high))
    assert cells(performance, "test.accuracy.interval")[0].text == f"{low:.2f} to {high:.2f}"
    titles = [c.title for c in performance.columns]
    assert titles[titles.index("Testing accuracy [%]") + 1] == "90 % interval [%]"


def test_the_notes_say_what_is_covered(repeated):
    notes = "\n".join(tables_of(repeated)[0].notes)
    assert "standard deviation over seeds" in notes
    assert "other seeds" in notes


@pytest.mark.parametrize("most", [None, 2])
def test_of_too_many_configurations_intervals_are_computed_when_asked_for(
    repeated, monkeypatch, most
):
    usual = tables_of(repeated, most=most, intervals=True)
    monkeypatch.setattr(made, "MAX_WITH_INTERVALS", 4)
    read = []
    monkeypatch.setattr(intervals, "read_predicted", read.append)
    tables = tables_of(repeated, most=most)
    assert not read
    for table in tables:
        assert "5 configurations are more than 4" in "\n".join(table.notes)
        assert not any("interval" in column.key for column in table.columns)
    for format_name in format_names():
        assert (".low" in render(tables, format_name)) is False
    monkeypatch.undo()
    monkeypatch.setattr(made, "MAX_WITH_INTERVALS", 4)
    again = tables_of(repeated, most=most, intervals=True)
    assert [table.rows for table in again] == [table.rows for table in usual]


def test_classes_have_intervals_only_when_asked_for(repeated):
    *_, by_class = tables_of(repeated)
    assert not any("interval" in column.key for column in by_class.columns)
    *_, by_class = tables_of(repeated, intervals=True)
    assert any("interval" in column.key for column in by_class.columns)


def test_every_run_is_shown_when_asked_for(repeated):
    table = tables_of(repeated, runs=True)[0]
    assert len(table.rows) == 13
    assert table.columns[3].key == "seed"
    assert not any("interval" in c.key for c in table.columns)


def test_without_repeats_rows_are_runs_and_said_to_be_single(tmp_path):
    directory = write_sweep(tmp_path / "grid", reference_grid(**SIZE))
    table = tables_of(directory)[0]
    assert "repeats" not in [c.key for c in table.columns]
    assert "One run per configuration: a different seed could change the order." in table.notes


def test_marks_go_by_the_mean(repeated):
    table = tables_of(repeated)[0]
    shown = cells(table, "test.accuracy")
    best = max(shown, key=lambda cell: cell.value)
    assert best.mark == "best"
    assert [cell.mark for cell in shown].count("worst") == 1


def test_runs_without_a_result_are_counted_and_named_in_their_configuration_s_row(tmp_path):
    runs = [
        *(make_run(layers=2, seed=seed, **SIZE) for seed in (0, 1)),
        make_run(layers=2, seed=2, status="failed"),
        make_run(layers=2, seed=3, **SIZE),
        make_run(layers=1, seed=0, status="failed"), make_run(layers=1, seed=1, status="failed"),
    ]  # fmt: skip
    directory = write_sweep(tmp_path / "s", runs, missing=[make_run(layers=2, seed=4)])
    broken = directory / "runs" / runs[3].directory_name / "record.json"
    broken.write_text("{")
    table = tables_of(directory)[0]
    one, two = table.rows
    assert table.content.values("repeats") == [0, 2]
    assert one.status == "failed"
    assert one.reason.startswith("0 of 2 runs finished; seed 0, 1 failed: MemoryError")
    assert two.status == "partial"
    assert two.reason.startswith("2 of 5 runs finished; seed 2 failed: MemoryError")
    assert "seed 4 missing: not run" in two.reason
    assert "seed 3 unreadable" in two.reason


def test_a_configuration_that_was_never_run_keeps_its_row(tmp_path):
    made = [make_run(layers=1, seed=seed, **SIZE) for seed in (0, 1)]
    directory = write_sweep(tmp_path / "s", made, [make_run(layers=3, seed=s) for s in (0, 1)])
    table = tables_of(directory)[0]
    assert [row.status for row in table.rows] == ["finished", "missing"]
    assert [len(members) for members in table.content.members] == [2, 2]


def test_repeats_of_which_no_record_can_be_read_have_a_row(tmp_path):
    sweep = write_sweep(tmp_path / "s", [make_run(seed=seed, **SIZE) for seed in SEEDS])
    for record in sweep.glob("runs/*/record.json"):
        record.write_text("{")
    (row,) = tables_of(sweep)[0].rows
    assert row.status == "unreadable"
    assert row.reason.startswith("0 of 3 runs finished; seed 0, 1, 2 unreadable: not valid JSON")


def test_equal_configurations_of_two_sweeps_are_not_mixed(tmp_path):
    directories = [
        write_sweep(tmp_path / name, [make_run(seed=seed, **SIZE) for seed in (0, 1)])
        for name in ("monday", "tuesday")
    ]
    table = comparison([load(directory) for directory in directories])[0]
    assert [cell.value for cell in cells(table, "sweep")] == ["monday", "tuesday"]
    assert [cell.value for cell in cells(table, "repeats")] == [2, 2]


def test_equal_runs_of_two_directories_stay_two_rows(tmp_path):
    directories = [write_run(make_run(**SIZE), tmp_path / name) for name in ("one", "two")]
    table = comparison([load(directory) for directory in directories])[0]
    assert len(table.rows) == 2


def test_conditions_on_results_hold_of_means_and_leave_no_run_out_of_one(repeated):
    runs = accuracies(repeated, 100)
    threshold = (max(runs) + fmean(runs)) / 2
    above = tables_of(repeated, where=["layers=1", "nodes=100", f"test.accuracy<{threshold}"])[0]
    assert cells(above, "test.accuracy")[0].value == pytest.approx(fmean(runs))
    assert cells(above, "repeats")[0].value == 3


def test_conditions_on_seeds_choose_runs(repeated):
    table = tables_of(repeated, where=["seed<2", "dropout=0"])[0]
    assert [cell.value for cell in cells(table, "repeats")] == [2, 2, 2, 2]


@pytest.mark.parametrize("options", [{"columns": ["seed"]}, {"sort": "run_id,desc"}])
def test_what_belongs_to_a_single_run_is_refused_with_the_way_out(repeated, options):
    with pytest.raises(UsageError, match="--runs"):
        tables_of(repeated, **options)
    assert tables_of(repeated, runs=True, **options)


def test_sorting_goes_by_the_mean(repeated):
    found = [c.value for c in cells(tables_of(repeated, sort="accuracy,desc")[0], "test.accuracy")]
    assert found == sorted(found, reverse=True)


def test_chosen_columns_have_their_intervals(repeated):
    (table,) = tables_of(
        repeated, columns=["nodes", "repeats", "validation.f1_min", "time.train_s"]
    )
    assert [c.key for c in table.columns] == [
        "nodes", "repeats", "validation.f1_min", "validation.f1_min.interval", "time.train_s",
    ]  # fmt: skip


def test_without_predictions_there_are_means_and_a_note_instead_of_intervals(tmp_path):
    directory = write_sweep(tmp_path / "s", reference_grid(seeds=(0, 1), **SIZE))
    next(directory.glob("runs/layers=1,nodes=100,*/predictions.npz")).unlink()
    table = tables_of(directory)[0]
    assert [c.text == "—" for c in cells(table, "test.accuracy.interval")] == [True] + 3 * [False]
    assert any(note.startswith("No intervals for layers=1,nodes=100: ") for note in table.notes)
    for file in directory.glob("runs/*/predictions.npz"):
        file.unlink()
    table = tables_of(directory)[0]
    assert "test.accuracy.interval" not in [c.key for c in table.columns]
    assert "No intervals for 1 more configurations." in table.notes


def test_predictions_that_are_not_the_records_give_no_interval(tmp_path):
    runs = [make_run(seed=seed, **SIZE) for seed in (0, 1)]
    other = make_run(seed=5, accuracy=0.5, **SIZE)
    runs[1].arrays = other.arrays
    rows = tables_of(write_sweep(tmp_path / "s", runs))[0].content
    assert rows.intervals == ({},)
    assert "do not belong together" in rows.unknown[0]


@pytest.mark.parametrize("format_name", format_names())
def test_every_format_shows_mean_and_number_of_runs(repeated, format_name):
    text = render(tables_of(repeated), format_name)
    runs = accuracies(repeated, 100)
    mean, sign = f"{100 * fmean(runs):.2f}", r"$\pm$" if format_name == "latex" else "±"
    expected = str(fmean(runs)) if format_name in ("csv", "json") else f"{mean} {sign}"
    assert expected in text


def test_latex_sets_small_means_and_spreads_as_powers_of_ten(repeated):
    tables = tables_of(repeated, columns=["train.loss"])
    assert r"1.69 \times 10^{-4}$ $\pm$\\{}$0.0 \times 10^{0}$" in render(tables, "latex")


def test_csv_has_numbers_only_under_names_of_their_own(repeated):
    rows = list(csv.DictReader(io.StringIO(render(tables_of(repeated), "csv"))))
    runs = accuracies(repeated, 100)
    first = rows[0]
    assert float(first["test.accuracy.spread"]) == pytest.approx(stdev(runs))
    low, mean, high = (float(first[f"test.accuracy{e}"]) for e in (".low", "", ".high"))
    assert low < mean < high
    assert first["repeats"] == "3"
    assert rows[-1]["test.accuracy.spread"] == ""
    assert not any(name.endswith(".interval") for name in first)


def test_json_has_runs_spreads_and_intervals(repeated):
    table = json.loads(render(tables_of(repeated), "json"))["tables"][0]
    first, *_, last = table["rows"]
    assert [run["seed"] for run in first["runs"]] == list(SEEDS)
    values = [run["values"]["test.accuracy"] for run in first["runs"]]
    assert values == accuracies(repeated, 100)
    assert first["values"]["test.accuracy"] == pytest.approx(fmean(values))
    assert first["spread"]["test.accuracy"] == pytest.approx(stdev(values))
    interval = first["intervals"]["test.accuracy"]
    assert interval["low"] < fmean(values) < interval["high"]
    assert (interval["level"], interval["covers"]) == (0.95, "images and seeds")
    assert last["intervals"]["test.accuracy"]["covers"] == "images"
    assert last["spread"] == {}
    assert not any(c["key"].endswith("interval") for c in table["columns"])


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_never_breaks_a_mean_from_its_spread(repeated, width):
    text = render(tables_of(repeated), "text", width=width)
    assert max(map(len, text.splitlines())) <= width
    assert not re.search(r"±\s*$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("mean", "spread", "style", "text"),
    [
        (0.97431, 0.00123, Format.PERCENT, "97.43 ± 0.12"),
        (0.97431, 0.00123, Format.SHARE, "0.9743 ± 0.0012"),
        (142.3, 3.4, Format.SECONDS, "142 ± 3"),
        (14.23, 3.43, Format.SECONDS, "14.2 ± 3.4"),
        (0.000978, 0.00012, Format.LOSS, "9.78e-04 ± 1.2e-04"),
        (0.0123, 0.0004, Format.LOSS, "0.0123 ± 0.0004"),
    ],
)
def test_a_spread_has_its_mean_s_last_digit(mean, spread, style, text):
    assert with_spread(mean, spread, style) == text


def test_the_summary_and_the_report_show_the_interval_of_the_table(repeated):
    """One method and one pool of seeds: what is shown three times is the same."""
    sweep = load(repeated)
    best = best_of(sweep)
    ranked = ranking(
        with_names(configurations(all_runs([sweep]))), resolve(sweep.objective), repeated
    )
    place = [one.column for one in ranked.metrics].index("test.accuracy")
    summary = standing_of(sweep, best).interval
    expected = ends("accuracy", summary.low, summary.high)
    assert f"{ranked.rows[0].values[place].interval} %" == expected
    shown = [one.text for one in cells(tables_of(repeated)[0], "test.accuracy.interval")]
    assert expected.removesuffix(" %") in shown


def test_a_metric_that_the_records_lack_has_no_interval(tmp_path, monkeypatch):
    directory = write_sweep(tmp_path / "s", [make_run(seed=seed, **SIZE) for seed in (0, 1)])
    sweep = load(directory)
    sweep.frame["test.accuracy"] = None  # as of records written before the metric was added
    rows = comparison([sweep], columns=["test.accuracy"])[0].content
    assert rows.intervals == ({},)
    assert "the records nan: they do not belong together" in rows.unknown[0]


def test_intervals_of_no_rows_are_none(repeated):
    rows = tables_of(repeated)[0].content
    none = replace(rows, frame=rows.frame[:0], members=())
    assert intervals.with_intervals(none, ["test.accuracy"], 0.95).intervals == ()
