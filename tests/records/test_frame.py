"""`load` gives records, problems and what is missing; its frame is the same as a data frame."""

import json
from pathlib import Path

import pandas as pd
import pytest
from pandas.api.types import is_string_dtype

from mnist_sweep.errors import DirectoryError, SelectionError
from mnist_sweep.records.fields import column_order, columns_of_planned, flat, result_columns
from mnist_sweep.records.paths import SweepPaths, scalar, settings_of
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.records.table import combined, frame, plain
from support.factories import make_run, reference_grid, write_sweep


@pytest.fixture
def sweep(tmp_path):
    runs = [
        *reference_grid(),
        make_run(layers=3, status="failed"),
        make_run(layers=2, nodes=300, dropout=0.2, weight_decay=0.01),
    ]
    made = write_sweep(tmp_path / "grid", runs, missing=[make_run(layers=4)])
    (made / "runs" / "broken-0123456789ab").mkdir()
    (made / "runs" / "broken-0123456789ab" / "record.json").write_text("{")
    return load(made)


def test_loading_gives_everything_there_is(sweep):
    assert (len(sweep.records), len(sweep.problems), len(sweep.missing)) == (6, 1, 1)


def test_a_frame_has_a_row_for_every_record_failed_ones_included(sweep):
    assert list(sweep.frame["run_id"]) == [record.run_id for record in sweep.records]
    assert sorted(sweep.frame["status"].unique()) == ["failed", "finished"]


def test_a_frame_holds_the_records_numbers(sweep):
    frame = sweep.frame.set_index("run_id")
    for record in sweep.records:
        row = frame.loc[record.run_id]
        if record.metrics is None:
            assert pd.isna(row["test.accuracy"])
            assert pd.isna(row["parameters"])
            assert row["error.type"] == "MemoryError"
        else:
            assert row["test.f1_min"] == record.metrics.test.f1_min
            assert row["test.f1_min"] == min(row[f"test.f1.{k}"] for k in range(10))
            assert row["validation.recall.8"] == record.metrics.validation.per_class[8].recall
            assert row["train.loss"] == record.metrics.train.loss
            assert row["time.train_s"] == record.time.train_s
        assert row["layers"] == record.config["layers"]
        assert row["trainer.name"] == "compiled"
        assert row["dataset.sha256"] == record.data.sha256


def test_columns_have_types_that_allow_what_is_absent(sweep):
    types = sweep.frame.dtypes.astype(str)
    assert types["layers"] == types["parameters"] == types["seed"] == "Int64"
    assert types["dropout"] == types["weight_decay"] == types["test.accuracy"] == "float64"
    assert types["save_model"] == "boolean"
    assert is_string_dtype(sweep.frame["status"])  # str, and object before pandas 3


def test_every_record_has_the_same_names(sweep):
    names = {tuple(flat(record)) for record in sweep.records}
    assert len(names) == 1


def test_columns_of_results_are_there_once_and_in_order():
    columns = result_columns(10)
    assert len(columns) == len(set(columns))
    errors = [name for name in sorted(columns, key=column_order) if name.startswith("error.")]
    assert errors == ["error.message", "error.type"]


def test_a_missing_point_is_known_by_its_label_and_the_defaults(sweep):
    rows = all_runs([sweep])
    row = rows[rows["status"] == RunStatus.MISSING].iloc[0]
    expected = flat(make_run(layers=4).record)
    assert {key: row[key] for key in ("layers", "nodes", "dropout", "seed", "trainer.name")} == {
        key: expected[key] for key in ("layers", "nodes", "dropout", "seed", "trainer.name")
    }


def test_planned_points_of_tasks_and_networks_have_their_own_settings_each():
    points = [("task=sim,lr=0.1,seed=1", ()), ("layers=2,seed=0", ("+model.width=3",))]
    found = columns_of_planned(points)
    names = ("task.lr", "seed", "layers", "epochs", "model.width")
    assert [found[name] for name in names] == [
        [0.1, None],
        [1, 0],
        [None, 2],
        [None, 20],
        [None, 3],
    ]


def test_a_plan_of_more_settings_than_any_sweep_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr("mnist_sweep.records.fields.MAX_CELLS", 5_000)
    points = [("", (f"+model.k{number}=1",)) for number in range(100)]
    with pytest.raises(DirectoryError, match=r"^The 100 planned runs .* have 51 settings or more"):
        columns_of_planned(points)


def test_tables_below_each_other_keep_types_and_leave_gaps():
    one = frame({"a": [1, None], "b": ["x", "y"], "c": [None, None], "run_id": ["1", "2"]}, 2)
    two = frame({"a": [3], "c": [0.5], "d": [[1]], "run_id": ["3"]}, 1)
    found = combined([(one, "s"), (two, "t")])
    values = {name: plain(found[name]) for name in ("a", "b", "c", "d", "sweep")}
    assert values == {
        "a": [1, None, 3], "b": ["x", "y", None], "c": [None, None, 0.5], "d": [None, None, [1]],
        "sweep": ["s", "s", "t"],
    }  # fmt: skip
    assert [str(found[name].dtype) for name in "acd"] == ["Int64", "float64", "object"]
    assert is_string_dtype(found["b"].dropna())


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 2, "nodes": 300, "dropout": 0.2, "optimizer": "sgd", "momentum": 0.9},
        {"trainer": {"name": "fit"}, "early_stopping": {"patience": 3}, "weight_decay": 0.01},
    ],
)
def test_a_label_spells_the_settings_it_was_made_of(settings):
    run = make_run(**settings)
    spelled = settings_of(run.record.label)
    row = flat(run.record)
    assert spelled == {key: row[key] for key in spelled}
    assert len(spelled) >= 3


def test_what_is_no_setting_is_passed_over():
    spelled = settings_of("layers=2,<b>=1,lyers=3", ("+experiment=x", "model.depth=4"))
    assert spelled == {"layers": 2, "model.depth": 4}


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("0.5", 0.5), ("1e-3", 0.001), ("null", None), ("True", True), ("adam", "adam"),
     ("'2x'", "2x"), ("nan", "nan"), ("", "")],
)  # fmt: skip
def test_text_spells_a_plain_value(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_one_run_is_found_by_its_id(sweep):
    run_id = sweep.frame["run_id"].iloc[0]
    assert sweep.record(run_id).run_id == run_id
    assert sweep.record(run_id) is sweep.record(run_id)
    assert sweep.run_paths(run_id).record.is_file()
    assert sweep.run_paths(run_id).directory.name.endswith(run_id)
    assert len(sweep.predictions(run_id).test_true) == 1000
    with pytest.raises(SelectionError, match="No run 0000"):
        sweep.record("0000")


def test_all_runs_are_those_with_a_record_the_missing_and_the_unreadable(sweep, tmp_path):
    other = load(write_sweep(tmp_path / "other", reference_grid(seeds=(7,))))
    table = all_runs([sweep, other])
    assert table["sweep"].value_counts().to_dict() == {"grid": 8, "other": 4}
    assert table["status"].value_counts().to_dict() == {
        "finished": 9, "failed": 1, "missing": 1, "unreadable": 1,
    }  # fmt: skip
    missing = table[table["status"] == RunStatus.MISSING].iloc[0]
    assert (missing["layers"], missing["error.message"]) == (4, "not run")
    unreadable = table[table["status"] == RunStatus.UNREADABLE].iloc[0]
    assert (unreadable["run_id"], unreadable["label"]) == ("0123456789ab", "broken")
    assert "not valid JSON" in unreadable["error.message"]
    assert Path(unreadable["directory"]) == sweep.directory / "runs" / "broken-0123456789ab"
    assert table["layers"].dtype == "Int64"
    assert len(all_runs([])) == 0


def test_the_objective_is_the_last_commands_or_the_default(sweep):
    assert sweep.objective == "validation.accuracy"
    path = SweepPaths(sweep.directory).sweep_json
    plan = json.loads(path.read_text())
    plan["invocations"].append({"config": {"objective": "test.f1_min"}})
    path.write_text(json.dumps(plan))
    assert load(sweep.directory).objective == "test.f1_min"
