"""The tables show every run, with the records' numbers, their data and their split."""

import json
import shutil
from dataclasses import replace

import pytest

from mnist_sweep.errors import DirectoryError, SelectionError, UsageError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.tables.tables import comparison, write_tables
from support.factories import BUNDLED_NOTICE, make_run, reference_grid, write_run, write_sweep


def tables_of(tmp_path, made, missing=(), **options):
    return comparison([load(write_sweep(tmp_path / "grid", made, missing))], **options)


def column(table, key):
    index = [c.key for c in table.columns].index(key)
    return [row.cells[index] for row in table.rows]


def values(table, key):
    return [cell.value for cell in column(table, key)]


def test_the_report_s_two_tables_and_f1_by_digit_are_made(tmp_path):
    performance, scores, digits = tables_of(tmp_path, reference_grid())
    assert [c.title for c in performance.columns] == [
        "Layers", "Nodes", "Training time [s]", "Training loss", "Training accuracy [%]",
        "Testing accuracy [%]",
    ]  # fmt: skip
    assert [c.heading for c in scores.columns][2:] == ["F1", "Precision", "Recall", "Lowest F1"]
    assert [c.heading for c in digits.columns][2:] == [str(k) for k in range(10)]


def test_classes_are_called_by_their_names_where_the_data_have_names(tmp_path):
    run = make_run(n_test=60, n_validation=40)
    run.values["data"] |= {"name": "fashion", "class_names": [f"shirt {k}" for k in range(10)]}
    (_, _, by_class) = tables_of(tmp_path, [run])
    assert by_class.title == "F1 by class on fashion, test split"
    assert [c.heading for c in by_class.columns][2:] == [f"shirt {k}" for k in range(10)]
    (chosen,) = comparison([load(tmp_path / "grid")], columns=["f1.8"])
    assert chosen.columns[0].heading == "Testing F1 of shirt 8"
    assert by_class.columns[-1].key == "test.f1.9"


def test_the_numbers_are_the_records_own_in_the_order_of_the_settings(tmp_path):
    runs = reference_grid()
    performance, scores, digits = tables_of(tmp_path, runs[::-1])
    assert list(zip(values(performance, "layers"), values(performance, "nodes"), strict=True)) == [
        (1, 100), (1, 300), (2, 100), (2, 300),
    ]  # fmt: skip
    for index, run in enumerate(runs):
        metrics = run.values["metrics"]
        assert values(performance, "time.train_s")[index] == run.values["time"]["train_s"]
        assert values(performance, "train.loss")[index] == metrics["train"]["loss"]
        assert values(performance, "train.accuracy")[index] == metrics["train"]["accuracy"]
        assert values(performance, "test.accuracy")[index] == metrics["test"]["accuracy"]
        assert values(scores, "test.f1")[index] == metrics["test"]["f1"]
        assert values(scores, "test.precision")[index] == metrics["test"]["precision"]
        assert values(scores, "test.recall")[index] == metrics["test"]["recall"]
        for k in range(10):
            expected = metrics["test"]["per_class"][k]["f1"]
            assert values(digits, f"test.f1.{k}")[index] == expected


def test_every_title_says_the_data_and_the_split(tmp_path):
    for table in tables_of(tmp_path, reference_grid()):
        assert "MNIST" in table.title
        assert "test split" in table.title
        assert any("dddddddddddd" in note for note in table.notes)


def test_bundled_digits_are_said_loudly_in_every_table(tmp_path):
    for table in tables_of(tmp_path, reference_grid(bundled=True)):
        assert "NOT MNIST" in table.title
        assert table.notices == (BUNDLED_NOTICE,)


def test_only_settings_that_vary_are_shown_the_seed_last(tmp_path):
    runs = [
        make_run(layers=2, seed=seed, dropout=dropout, optimizer="sgd", trainer={"name": name})
        for seed in (0, 1) for dropout in (0.0, 0.2) for name in ("fit", "compiled")
    ]  # fmt: skip
    keys = [c.key for c in tables_of(tmp_path, runs, runs=True)[0].columns]
    assert keys[:5] == ["layers", "nodes", "dropout", "trainer.name", "seed"]


def test_a_model_s_own_setting_is_shown_only_where_it_says_something_new(tmp_path):
    cnn = {"_target_": "my.models.cnn", "filters": 8}
    runs = [make_run(), make_run(model=cnn), make_run(model={**cnn, "filters": 16})]
    keys = [c.key for c in tables_of(tmp_path, runs)[0].columns]
    assert "model" in keys
    assert "model.filters" in keys
    assert "model.layers" not in keys
    assert "model._target_" not in keys


def test_a_network_of_ones_own_has_no_layers_in_its_table(tmp_path):
    runs = [make_run(model={"_target_": "my.models.resnet", "depth": d}) for d in (18, 50)]
    table = tables_of(tmp_path, runs)[0]
    assert [c.key for c in table.columns][:2] == ["model.depth", "time.train_s"]


def test_a_setting_that_a_run_does_not_use_is_a_dash_and_null_a_value(tmp_path):
    runs = [make_run(), make_run(model={"_target_": "my.models.cnn"}), make_run(weight_decay=0.1)]
    table = tables_of(tmp_path, runs)[0]
    assert [cell.text for cell in column(table, "layers")] == ["—", "1", "1"]
    assert [cell.text for cell in column(table, "weight_decay")] == ["null", "null", "0.1"]


def test_runs_without_a_result_stand_in_their_place_with_the_reason(tmp_path):
    runs = [
        make_run(nodes=100), make_run(nodes=200, status="failed"),
        make_run(nodes=300, status="diverged"), make_run(nodes=500), make_run(nodes=600),
    ]  # fmt: skip
    sweep = write_sweep(tmp_path / "grid", runs, missing=[make_run(nodes=400)])
    (sweep / "runs" / runs[-1].directory_name / "record.json").write_text("{")
    for table in comparison([load(sweep)]):
        assert values(table, "nodes") == [100, 200, 300, 400, 500, 600]
        texts = [cell.text for cell in column(table, "status")]
        assert texts[0] == "finished"
        assert texts[1] == "failed: MemoryError: out of memory"
        assert texts[2] == "diverged: the loss was nan in epoch 3"
        assert texts[3] == "missing: not run"
        assert texts[5].startswith("unreadable: not valid JSON")


def test_a_run_that_cannot_even_be_named_still_has_its_row(tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run()])
    (sweep / "runs" / "notes").mkdir()
    table = comparison([load(sweep)])[0]
    assert sorted(row.status for row in table.rows) == ["finished", "unreadable"]


def test_there_is_no_status_column_where_all_runs_finished(tmp_path):
    assert all(
        "status" not in [c.key for c in table.columns]
        for table in tables_of(tmp_path, reference_grid())
    )


def test_best_and_worst_are_marked_by_what_is_shown(tmp_path):
    for table in tables_of(tmp_path, reference_grid()):
        for index, definition in enumerate(table.columns):
            cells = [row.cells[index] for row in table.rows]
            if definition.higher_is_better is None:
                assert {cell.mark for cell in cells} == {""}
                continue
            ordered = sorted(cells, key=lambda c: c.value, reverse=definition.higher_is_better)
            if ordered[0].text == ordered[-1].text:
                assert {cell.mark for cell in cells} == {""}
                continue
            best, worst = ordered[0].text, ordered[-1].text
            for cell in cells:
                assert (cell.mark == "best") == (cell.text == best)
                assert (cell.mark == "worst") == (cell.text == worst)


def test_less_time_is_better(tmp_path):
    runs = [make_run(nodes=10, train_s=1.0), make_run(nodes=20, train_s=2.0)]
    table = tables_of(tmp_path, runs)[0]
    assert [cell.mark for cell in column(table, "time.train_s")] == ["best", "worst"]


def test_sorting_by_a_metric_puts_runs_without_it_last(tmp_path):
    runs = [*reference_grid(), make_run(layers=1, nodes=1, status="failed")]
    for sort, sign in (("test.accuracy,desc", -1), ("accuracy", 1), ("test.accuracy,asc", 1)):
        table = tables_of(tmp_path, runs, sort=sort)[0]
        found = values(table, "test.accuracy")
        assert found[-1] is None
        assert found[:-1] == sorted(found[:-1], key=lambda v: sign * v)
        shutil.rmtree(tmp_path / "grid")


def test_rows_are_filtered_by_conditions(tmp_path):
    table = tables_of(tmp_path, reference_grid(), where=["layers=2", "nodes>=300"])[0]
    assert values(table, "layers") == [2]


def test_chosen_columns_are_shown_in_one_table(tmp_path):
    (table,) = tables_of(
        tmp_path, reference_grid(), columns=["nodes", "validation.f1_min", "f1.8", "parameters"]
    )
    assert [c.key for c in table.columns] == [
        "nodes", "validation.f1_min", "test.f1.8", "parameters",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"sort": "acuracy"}, UsageError, "--sort"),
        ({"sort": "nodes,down"}, UsageError, "KEY,desc"),
        ({"columns": ["nods"]}, UsageError, "did you mean nodes"),
        ({"where": ["lyers=2"]}, SelectionError, "did you mean layers"),
        ({"where": ["layers=9"]}, SelectionError, "none matches"),
    ],
)
def test_what_does_not_exist_is_refused(tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        tables_of(tmp_path, reference_grid(), **options)


def test_several_directories_are_compared_in_one_table_and_told_apart(tmp_path):
    first = write_sweep(tmp_path / "monday", reference_grid())
    second = write_sweep(tmp_path / "tuesday", reference_grid(bundled=True))
    table = comparison([load(first), load(second)])[0]
    assert [c.key for c in table.columns][:2] == ["sweep", "dataset.name"]
    assert len(table.rows) == 8
    assert "MNIST and bundled digits (NOT MNIST)" in table.title


def test_data_of_one_name_and_different_content_are_told_apart(tmp_path):
    runs = [make_run(layers=1), make_run(layers=2)]
    runs[1].values["data"]["sha256"] = "e" * 64
    table = tables_of(tmp_path, runs)[0]
    assert [cell.text for cell in column(table, "dataset.sha256")] == ["d" * 12, "e" * 12]


def test_a_single_run_s_directory_has_tables_too(tmp_path):
    directory = write_run(make_run(), tmp_path / "run")
    assert len(comparison([load(directory)])[0].rows) == 1


def test_all_formats_are_written_beside_the_runs(tmp_path):
    sweep = write_sweep(tmp_path / "grid", reference_grid())
    write_tables(sweep)
    assert sorted(path.name for path in (sweep / "tables").iterdir()) == [
        "comparison.csv", "comparison.json", "comparison.md", "comparison.tex",
    ]  # fmt: skip
    assert json.loads((sweep / "tables" / "comparison.json").read_text())["tables"]
    write_tables(sweep)
    assert len(list((sweep / "tables").iterdir())) == 4


def test_tables_are_written_even_if_every_run_failed(tmp_path):
    sweep = write_sweep(tmp_path / "grid", [make_run(status="failed")], [make_run(layers=2)])
    assert [len(table.rows) for table in write_tables(sweep)[1]] == [2, 2, 2]


def test_a_directory_that_cannot_be_written_is_a_clear_error(tmp_path):
    sweep = write_sweep(tmp_path / "grid", reference_grid())
    (sweep / "tables").write_text("in the way")
    with pytest.raises(DirectoryError, match="tables"):
        write_tables(sweep)


def test_what_was_stopped_early_is_never_marked(tmp_path):
    runs = [make_run(nodes=n, n_test=60, n_validation=40) for n in (8, 16)]
    stopped = make_run(nodes=32, status="pruned", error={"type": "Pruned", "message": "poor"})
    sweep = load(write_sweep(tmp_path / "grid", [*runs, stopped]))
    seconds = sweep.frame["nodes"].map({8: 1.0, 16: 2.0, 32: 1.0})
    tables = comparison([replace(sweep, frame=sweep.frame.assign(**{"time.train_s": seconds}))])
    assert [cell.mark for cell in column(tables[0], "time.train_s")] == ["best", "worst", ""]
