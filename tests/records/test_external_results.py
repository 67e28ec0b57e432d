"""Directories that other programs wrote: recognised, or read through a mapping."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import mnist_sweep as ms
from mnist_sweep.analysis.compare import VerdictKind, compare, load_side
from mnist_sweep.cli import main
from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.external import found as external_found
from mnist_sweep.records.external import hydra
from mnist_sweep.records.external.found import split_and_name
from mnist_sweep.records.external.mapping import (
    ResultMapping,
    mapping_of,
    read_mapped,
    read_mapping,
)
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.comparison.render import text

PLAIN_HYDRA_APP = """
import json, pathlib, random, hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base=None, config_path=None, config_name="plain")
def app(cfg):
    noise = random.Random(f"{cfg.seed} {cfg.width}").gauss(0, 0.001)
    values = {"accuracy": 0.9 + cfg.gain + cfg.width / 1000 + noise, "scores": {"loss": [2, 1]}}
    place = pathlib.Path(HydraConfig.get().runtime.output_dir)
    (place / "results.json").write_text(json.dumps(values))

if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore
    ConfigStore.instance().store("plain", {"width": 1, "seed": 0, "gain": 0.0})
    app()
"""
MAPPING = ResultMapping(
    record="*/results.json", metrics={"test_acc": "accuracy", "loss": "scores.loss.-1"}
)


def write_job(directory: Path, values: object, config: str | None = None) -> Path:
    directory.mkdir(parents=True)
    (directory / "results.json").write_text(
        values if isinstance(values, str) else json.dumps(values)
    )
    if config is not None:
        (directory / ".hydra").mkdir()
        (directory / ".hydra" / "config.yaml").write_text(config)
    return directory


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """What is made of other programs' directories stays in the test's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_SWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def multiruns(tmp_path_factory):
    """Two multiruns of a ten-line Hydra app: the second gains ten points."""
    place = tmp_path_factory.mktemp("plain")
    app = place / "app.py"
    app.write_text(PLAIN_HYDRA_APP)
    for name, gain in (("before", 0.0), ("after", 0.1)):
        subprocess.run(
            [sys.executable, str(app), "-m", "width=1,2", "seed=0,1,2", f"gain={gain}",
             f"hydra.sweep.dir={place / name}", "hydra.sweep.subdir=${hydra.job.num}"],
            check=True, capture_output=True, cwd=place, timeout=120,
        )  # fmt: skip
    return place


def test_two_plain_multiruns_are_compared_by_their_repeats(multiruns):
    sides = [load_side(multiruns / name, mapping=MAPPING) for name in ("before", "after")]
    found = compare(sides)
    assert [one.name for one in found.differs["settings"]] == ["gain"]
    pair = found.pairs[0]
    assert [one.shared.name for one in pair.changes] == ["width=1", "width=2"]
    for one in pair.changes:
        accuracy = next(c for c in one.summaries if c.metric == "test_acc")
        assert accuracy.change == pytest.approx(0.1, abs=0.005)
        assert accuracy.significant
    assert pair.verdict.kind is VerdictKind.BETTER


def test_a_multirun_against_itself_does_not_differ(multiruns):
    side = load_side(multiruns / "before", mapping=MAPPING)
    pair = compare([side, side]).pairs[0]
    assert {c.change for one in pair.changes for c in one.summaries} == {0.0}
    assert pair.verdict.kind is VerdictKind.NOISE


def test_repeats_that_all_change_alike_are_a_change(tmp_path):
    for name, value in (("a", 0.5), ("b", 0.25)):
        for seed in range(3):
            write_job(tmp_path / name / str(seed), {"err": value}, config=f"seed: {seed}\nx: 1")
    mapping = mapping_of("*/results.json", ["err"])
    pair = compare([load_side(tmp_path / name, mapping=mapping) for name in "ab"]).pairs[0]
    assert pair.verdict.kind is VerdictKind.BETTER


def test_what_is_mixed_or_cannot_be_known_is_said(tmp_path):
    for name in ("first", "second"):
        for seed in (0, 1):
            write_job(tmp_path / name / str(seed), {"acc": seed / 2}, f"seed: {seed}")
    assert "2 of 4 runs have the settings and the seed of another" in load(tmp_path).notes[0]
    assert "of another" not in load(tmp_path / "first").notes[0]
    both = compare([load_side(tmp_path / name) for name in ("first", "second")])
    assert "Data, code and machine are not known of all." in text(both)


def test_it_is_a_runs_table_with_the_usual_columns(multiruns):
    runs = load(multiruns / "before", MAPPING).frame
    assert set(runs["status"]) == {"finished"}
    assert runs["test.loss"].to_list() == [1.0] * 6
    assert sorted(runs["seed"]) == [0, 0, 1, 1, 2, 2]
    assert sorted(runs["task.width"]) == [1, 1, 1, 2, 2, 2]
    assert runs["configuration_id"].nunique() == 2


def test_less_of_a_metric_may_be_better(tmp_path):
    for place, value in enumerate((1.0, 2.0)):
        write_job(tmp_path / str(place), {"skill": value, "loss": value}, f"x: {place}")
    guessed = load_side(tmp_path)
    assert {m.name: m.higher_is_better for m in guessed.metrics} == {"skill": True, "loss": False}
    said = ResultMapping(record="*/*.json", metrics={"skill": "skill"}, lower_is_better=["skill"])
    assert [m.higher_is_better for m in load_side(tmp_path, mapping=said).metrics] == [False]
    assert load(tmp_path, said).objective == "lowest:test.skill"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("accuracy", ("test", "accuracy")), ("val_loss", ("validation", "loss")),
        ("val/acc", ("validation", "acc")), ("metrics.test.acc", ("test", "acc")),
        ("loss_train", ("train", "loss")), ("train/epoch_loss", ("train", "loss")),
        ("value", ("test", "value")), ("best_val_acc", ("test", "best_val_acc")),
        ("confusion", ("test", "confusion_")),
    ],
)  # fmt: skip
def test_a_metrics_name_says_its_split(name, meant):
    assert split_and_name(name) == meant


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("{", "not valid JSON"),
        ("[1, 2]", "no accuracy"),
        ('{"accuracy": "high"}', "is 'high', not a finite number"),
        ('{"accuracy": true}', "is True, not"),
        ('{"accuracy": NaN}', "is nan"),
        ('{"accuracy": 1e999}', "is inf"),
        ('{"accuracy": ' + "9" * 400 + "}", "9999, not a finite number"),
        ('{"accuracy": null}', "is None"),
        ('{"accurcy": 1}', "there is accurcy"),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_reason(tmp_path, content, reason):
    write_job(tmp_path / "good", {"accuracy": 0.9})
    bad = write_job(tmp_path / "bad", "{}") / "results.json"
    bad.write_bytes(content.encode("utf-8", "surrogateescape"))
    sweep = load(tmp_path, mapping_of("*/results.json", ["acc=accuracy"]))
    assert len(sweep.frame) == 1
    (problem,) = sweep.problems
    assert problem.path == bad
    assert reason in problem.reason


def test_a_lost_metric_leaves_the_others(tmp_path):
    write_job(tmp_path / "0", {"a": 1})
    side = load_side(tmp_path, mapping=mapping_of("*/results.json", ["a", "b"]))
    assert side.runs["test.a"].to_list() == [1.0]
    assert "no b" in side.without_result[0].reason


def test_a_damaged_hydra_config_is_named(tmp_path):
    write_job(tmp_path / "0", {"a": 1}, config="{: [")
    with pytest.raises(DirectoryError, match=r"config\.yaml: not YAML"):
        load(tmp_path, mapping_of("*/results.json", ["a"]))


def test_yaml_in_a_config_is_never_executed(tmp_path):
    write_job(tmp_path / "0", {"a": 1}, config="x: !!python/object/apply:os.system ['exit 1']")
    with pytest.raises(DirectoryError, match="not YAML"):
        load(tmp_path, mapping_of("*/results.json", ["a"]))


def test_runs_without_hydra_are_told_apart_by_their_directories(tmp_path):
    for name in ("wide", "deep"):
        write_job(tmp_path / name, {"a": 1})
    side = load_side(tmp_path, mapping=mapping_of("*/results.json", ["a"]))
    assert list(side.settings) == [{"run_directory": "deep"}, {"run_directory": "wide"}]


@pytest.mark.parametrize(
    ("record", "metrics"),
    [("/etc/*", ["a"]), ("../*", ["a"]), ("", ["a"]), ("*", ["=a"]),
     ("*", ["a="]), ("*", ["a", "a=b"])],
)  # fmt: skip
def test_a_malformed_mapping_is_refused(record, metrics):
    with pytest.raises(UsageError):
        mapping_of(record, metrics)


def test_a_mapping_file_says_the_same(tmp_path):
    file = tmp_path / "mapping.yaml"
    file.write_text("record: '*/r.json'\nmetrics: {acc: m.acc, err: m.err}\nseed: rng\n")
    assert read_mapping(file) == ResultMapping(
        record="*/r.json", metrics={"acc": "m.acc", "err": "m.err"}, seed="rng"
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "record: 3", "record: a\nmetrics: 3", "record: a\nmetric: {}",
             "{", "record: a\nmetrics: {a: 3}", "record: a\nmetrics: {a: b}\nlower_is_better: a"],
)  # fmt: skip
def test_a_malformed_mapping_file_is_refused_by_name(tmp_path, text):
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"mapping\.yaml"):
        read_mapping(file)


def test_a_directory_of_no_known_kind_needs_a_pattern(tmp_path):
    with pytest.raises(DirectoryError, match="--record"):
        load(tmp_path, mapping_of(None, ["acc"]))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DirectoryError, match="it is a file"):
        load(tmp_path / "notes.txt")


def test_no_match_says_what_there_is(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DirectoryError, match=r"notes\.txt"):
        load(tmp_path, MAPPING)
    with pytest.raises(DirectoryError, match="there is none"):
        load(tmp_path / "nothing", MAPPING)


@pytest.mark.parametrize(
    ("text", "said"),
    [("record: a\nrecord: b\nmetrics: [m]", "'record' is listed twice"), (None, "file")],
)
def test_a_mapping_with_a_key_twice_or_that_is_a_pipe_is_refused(tmp_path, text, said):
    path = tmp_path / "mapping.yaml"
    path.write_text(text) if text else os.mkfifo(path)
    with pytest.raises(UsageError, match=said):
        read_mapping(path)


def test_a_hydra_multirun_is_recognised(multiruns):
    sweep = load(multiruns / "before")
    assert sweep.objective == "highest:test.accuracy"
    assert len(sweep.frame) == 6
    assert sweep.frame["test.scores_loss"].to_list() == [1.0] * 6
    (note,) = sweep.notes
    assert "a Hydra multirun" in note
    assert "the seed is the setting seed" in note
    assert "Without predictions" in note
    record = sweep.record(sweep.frame["run_id"].iloc[0])
    assert record.history.model_dump()["test_scores_loss"] == [2, 1]


def test_a_job_without_results_is_a_failed_run(tmp_path):
    write_job(tmp_path / "0", {"acc": 0.5}, "lr: 1")
    (write_job(tmp_path / "1", {}, "lr: 2") / "results.json").unlink()
    sweep = load(tmp_path)
    assert dict(zip(sweep.frame["task.lr"], sweep.frame["status"], strict=True)) == {
        1: "finished", 2: "failed",
    }  # fmt: skip


FOLDS = "fit_time,test_score,fold,hydra_dir\n0.5,{0},1,x\n0.7,{1},2,x\n"


def job_with_table(place: Path, score: float, text: str = FOLDS) -> Path:
    (place / ".hydra").mkdir(parents=True)
    (place / ".hydra" / "config.yaml").write_text(f"forest: {{trees: {place.name}}}\n")
    (place / "metrics.csv").write_text(text.format(score, score + 0.02))
    return place


def test_a_table_beside_hydras_settings_is_of_one_run(tmp_path):
    for trees, score in ((5, 0.75), (20, 0.875)):
        job_with_table(tmp_path / str(trees), score)
    for found in (
        hydra.read(tmp_path, hydra.find(tmp_path)),
        read_mapped(tmp_path, ResultMapping(record="*/metrics.csv")),
    ):
        assert {run.settings["forest.trees"]: run.metrics for run in found.runs} == {
            5: pytest.approx({"fit_time": 0.6, "test_score": 0.76}),
            20: pytest.approx({"fit_time": 0.6, "test_score": 0.885}),
        }
        assert [[*run.settings] for run in found.runs] == [["forest.trees"]] * 2


def test_a_table_by_epoch_is_a_history_and_a_result_in_json_comes_first(tmp_path):
    text = "epoch,val_acc,val_loss\n0,{0},\n1,{1},0.5\n"
    job_with_table(tmp_path / "3", 0.5, text)
    (job_with_table(tmp_path / "4", 0.5) / "result.json").write_text('{"val_acc": 0.25}')
    first, second = hydra.read(tmp_path, hydra.find(tmp_path)).runs
    assert first.metrics == {"val_acc": 0.52, "val_loss": 0.5}
    assert first.history["val_acc"] == [0.5, 0.52]
    assert second.metrics == {"val_acc": 0.25}


def test_a_jobs_table_that_cannot_be_read_is_named(tmp_path):
    job_with_table(tmp_path / "3", 0.5)
    (job_with_table(tmp_path / "4", 0.5) / "metrics.csv").write_bytes(b"\xff,\x00\n")
    found = hydra.read(tmp_path, hydra.find(tmp_path))
    assert [path.parent.name for path, _ in found.problems] == ["4"]
    assert [run.failed for run in found.runs] == [
        "", "no JSON, YAML or CSV file with numbers beside .hydra/",
    ]  # fmt: skip


def test_a_directory_that_changed_is_read_again(tmp_path):
    first = write_job(tmp_path / "0", {"acc": 0.5}, "lr: 1")
    write_job(tmp_path / "1", {"acc": 0.75}, "lr: 2")
    assert sorted(load(tmp_path).frame["test.acc"]) == [0.5, 0.75]
    (first / "results.json").write_text('{"acc": 0.25}')
    shutil.rmtree(tmp_path / "1")
    assert list(load(tmp_path).frame["test.acc"]) == [0.25]


def test_a_result_may_have_its_history_under_another_name(tmp_path):
    write_job(tmp_path / "0", {"loss": 0.25, "epoch_loss": [1.0, 0.5]}, "x: 1")
    (record,) = load(tmp_path).records
    assert record.metrics.test.loss == 0.25
    assert record.history.model_dump()["test_loss"] == [1.0, 0.5]


def test_a_jobs_history_is_kept_beside_a_result_in_another_file(tmp_path):
    job = write_job(tmp_path / "0", {"val_acc": 0.95}, "x: 1")
    (job / "results.json").rename(job / "a_result.json")
    (job / "history.json").write_text('{"val_acc": [0.5, 0.8, 0.9]}')
    (record,) = load(tmp_path).records
    assert record.metrics.validation.values["acc"] == 0.95
    assert list(record.history.model_dump()["val_acc"]) == [0.5, 0.8, 0.9]


def test_a_later_single_value_leaves_the_history():
    run = external_found.FoundRun("a", Path("a"))
    run.add("loss", [1.0, 0.5])
    run.add("loss", [0.25])
    assert run.metrics == {"loss": 0.25}
    assert run.history == {"loss": [1.0, 0.5]}


def test_only_a_list_has_a_last_value(tmp_path):
    for name, value in (("a", 0.5), ("b", [0.25, 0.5])):
        write_job(tmp_path / name, {"acc": value})
    found = read_mapped(tmp_path, mapping_of("*/results.json", ["x=acc.-1"]))
    assert [(run.name, run.metrics, run.history) for run in found.runs] == [
        ("b", {"x": 0.5}, {"x": [0.25, 0.5]})
    ]
    assert [(path.parent.name, why) for path, why in found.problems] == [("a", "no acc.-1")]


def test_an_external_run_without_a_whole_seed_says_none(tmp_path):
    write_job(tmp_path / "0", {"acc": 0.5}, "seed: one")
    assert load(tmp_path).frame["label"].to_list() == ["task=hydra,seed=None"]


def test_a_problem_with_a_tables_columns_is_one_short_line(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("a\N{EM SPACE}\N{LINE SEPARATOR}b," + "q" * 500 + "\n1,2\n")
    ((_, why),) = read_mapped(file, mapping_of(None, ["acc"])).problems
    assert "there are a b, qqq" in why
    assert len(why) <= 300


@pytest.mark.parametrize("text", ["lr,acc\n0.1,{}\n", "lr,{}\n0.1,0.5\n"])
def test_a_field_too_long_for_csv_is_refused(tmp_path, text):
    (tmp_path / "runs.csv").write_text(text.format("1" * 140_000))
    with pytest.raises(DirectoryError, match=r"CSV table at .*runs\.csv: field larger than"):
        load(tmp_path / "runs.csv")


def test_an_accuracy_in_percent_is_a_share(tmp_path):
    for place, value in enumerate((97.5, 88.0)):
        write_job(tmp_path / str(place), {"accuracy": value}, f"x: {place}")
    sweep = load(tmp_path)
    assert sorted(sweep.frame["test.accuracy"]) == [0.88, 0.975]
    assert "accuracy is in percent" in sweep.notes[0]


def test_a_sweep_of_ours_below_is_not_taken_for_a_multirun(tmp_path):
    write_job(tmp_path / "grid" / "runs" / "x", {"accuracy": 0.5}, "lr: 1")
    (tmp_path / "grid" / "sweep.json").write_text("{}")
    with pytest.raises(DirectoryError, match="Did you mean"):
        load(tmp_path)


def write_mlflow_run(experiment: Path, name: str, status: int, lr: str, values: list[float]):
    run = experiment / name
    (run / "params").mkdir(parents=True)
    (run / "metrics" / "val").mkdir(parents=True)
    (run / "meta.yaml").write_text(f"run_id: {name}\nstatus: {status}\nlifecycle_stage: active\n")
    (run / "params" / "lr").write_text(lr)
    lines = [f"1700000000000 {value} {step}" for step, value in enumerate(values)]
    (run / "metrics" / "val" / "acc").write_text("\n".join(reversed(lines)) + "\n")


def test_an_mlflow_store_of_files_is_recognised(tmp_path):
    store = tmp_path / "mlruns" / "0"
    store.mkdir(parents=True)
    (store / "meta.yaml").write_text("name: Default\n")
    write_mlflow_run(store, "a" * 32, 3, "0.1", [0.5, 0.75])
    write_mlflow_run(store, "b" * 32, 4, "0.2", [0.5])
    (tmp_path / "mlruns" / ".trash").mkdir()
    for path in (tmp_path, tmp_path / "mlruns", store):
        frame = load(path).frame.set_index("task.lr")
        assert frame.loc[0.1, "validation.acc"] == 0.75
        assert frame.loc[0.2, "status"] == "failed"
        assert frame.loc[0.2, "error.message"] == "MLflow says FAILED"
    first = next(one for one in load(store).records if one.status == "finished")
    assert first.history.model_dump()["val_acc"] == [0.5, 0.75]


MLFLOW_TABLES = """
    CREATE TABLE experiments (experiment_id, name, lifecycle_stage);
    CREATE TABLE runs (run_uuid, status, lifecycle_stage, start_time, experiment_id);
    CREATE TABLE params (run_uuid, key, value);
    CREATE TABLE metrics (run_uuid, key, value, timestamp, step, is_nan);
"""


def write_database(path: Path, rows: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(MLFLOW_TABLES + rows)
        database.commit()


def test_an_mlflow_database_is_recognised(tmp_path):
    rows = """
        INSERT INTO experiments VALUES (0, 'Default', 'active');
        INSERT INTO runs VALUES ('a', 'FINISHED', 'active', 1, 0);
        INSERT INTO runs VALUES ('b', 'FINISHED', 'deleted', 2, 0);
        INSERT INTO params VALUES ('a', 'lr', '0.1'), ('b', 'lr', '0.2');
        INSERT INTO metrics VALUES ('a', 'f1', 0.5, 1, 0, 0), ('a', 'f1', 0.75, 2, 1, 0);
    """
    write_database(tmp_path / "mlflow.db", rows)
    frame = load(tmp_path).frame
    assert frame[["task.lr", "test.f1"]].to_numpy().tolist() == [[0.1, 0.75]]


TWO_EXPERIMENTS = """
    INSERT INTO experiments VALUES (0, 'digits', 'active'), (1, 'prices', 'active');
    INSERT INTO runs VALUES ('a', 'FINISHED', 'active', 1, 0);
    INSERT INTO runs VALUES ('b', 'FINISHED', 'active', 2, 1);
    INSERT INTO metrics VALUES ('a', 'f1', 0.5, 1, 0, 0), ('b', 'rmse', 7, 1, 0, 0);
"""


def test_of_several_experiments_one_can_be_chosen_and_all_are_named(tmp_path, capsys):
    write_database(tmp_path / "mlflow.db", TWO_EXPERIMENTS)
    mixed = load(tmp_path)
    assert "experiments are mixed, as a setting: 'digits', 'prices'; choose one" in mixed.notes[0]
    assert set(mixed.frame["task.experiment"]) == {"digits", "prices"}
    chosen = load(tmp_path, mapping_of(None, [], "prices"))
    assert chosen.frame["test.rmse"].to_list() == [7]
    assert chosen.objective == "lowest:test.rmse"
    assert "task.experiment" not in chosen.frame
    assert ms.load(tmp_path, experiment="digits").frame["test.f1"].to_list() == [0.5]
    with pytest.raises(UsageError, match=r"no experiment '.*' in .*; known: 'digits', 'prices'"):
        load(tmp_path, mapping_of(None, [], "price"))
    one = (str(tmp_path), "--experiment", "digits")
    for words in (
        ("table", *one), ("best", *one), ("worst", *one), ("compare", str(tmp_path), *one),
        ("report", *one, "--no-figures", "-o", str(tmp_path / "report")),
        ("baseline", *one, "-o", str(tmp_path / "b.json")),
        ("check", *one, "--baseline", str(tmp_path / "b.json")),
    ):  # fmt: skip
        with pytest.raises(SystemExit) as end:
            main([*words])
        shown = capsys.readouterr()
        assert "prices" not in shown.out + shown.err, words
        assert end.value.code == 0, shown


def test_too_many_runs_are_refused_before_their_files_are_read(tmp_path, monkeypatch):
    write_job(tmp_path / "0", "damaged", "{")
    write_job(tmp_path / "1", "damaged", "{")
    monkeypatch.setattr(external_found, "MAX_RUNS", 1)
    for read in (load, lambda path: read_mapped(path, MAPPING)):
        with pytest.raises(DirectoryError, match="holds 2 runs; at most 1 are read"):
            read(tmp_path)


def test_without_a_split_other_programs_are_compared_by_their_objective(tmp_path):
    rows = "lr,seed,auc,f1,val_accuracy,val_auc\n0.1,0,0.7,0.6,0.5,0.6\n0.1,1,0.7,0.6,0.6,0.6\n"
    (tmp_path / "a.csv").write_text(rows)
    side = load_side(tmp_path / "a.csv")
    assert [metric.column for metric in side.metrics] == ["validation.accuracy", "validation.auc"]
    side = load_side(tmp_path / "a.csv", "test")
    assert [metric.column for metric in side.metrics] == ["test.f1", "test.auc"]


def test_experiments_of_a_database_that_measure_other_things_are_named_by_the_gate(
    tmp_path, capsys
):
    write_database(tmp_path / "mlflow.db", TWO_EXPERIMENTS)
    baseline = str(tmp_path / "baseline.json")
    with pytest.raises(SystemExit):
        main(["baseline", str(tmp_path), "-o", baseline])
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path), "--baseline", baseline])
    assert "in some runs of the baseline, of experiment prices." in capsys.readouterr().out


def test_a_tensorboard_folder_is_recognised(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for name, value in (("lr=0.1,seed=0", 0.5), ("lr=0.2,seed=0", 0.75)):
        for split in ("train", "validation"):
            writer = EventFileWriter(str(tmp_path / name / split))
            for step in (0, 1):
                one = Summary.Value(tag="epoch_accuracy", simple_value=value * (step + 1) / 2)
                writer.add_event(Event(step=step, summary=Summary(value=[one])))
            writer.close()
    sweep = load(tmp_path)
    assert sweep.objective == "highest:validation.accuracy"
    frame = sweep.frame.set_index("task.lr")
    assert frame["validation.accuracy"].to_dict() == {0.1: 0.5, 0.2: 0.75}
    assert frame["train.accuracy"].to_dict() == {0.1: 0.5, 0.2: 0.75}
    assert list(sweep.records[0].history.val_accuracy) in ([0.25, 0.5], [0.375, 0.75])


def test_what_was_exported_to_tensorboard_comes_back(tmp_path):
    pytest.importorskip("tensorboard")
    from mnist_sweep.reporting.export import ExportOptions, tensorboard
    from support.factories import reference_grid, write_sweep

    ours = load(write_sweep(tmp_path / "grid", reference_grid()))
    tensorboard.export(ours, ExportOptions(output=tmp_path / "events"))
    theirs = load(tmp_path / "events")
    for name in ("validation.accuracy", "test.f1"):
        assert sorted(theirs.frame[name]) == pytest.approx(sorted(ours.frame[name]))


@pytest.mark.parametrize("as_directory", [False, True])
def test_a_table_of_runs_is_recognised(tmp_path, as_directory):
    file = tmp_path / "runs.csv"
    file.write_text("Name;params.lr;random_state;test_acc;val_loss\na;0.1;1;0.5;2\nb;0.2;1;0.75;\n")
    sweep = load(tmp_path if as_directory else file)
    frame = sweep.frame.set_index("task.lr")
    assert frame["test.acc"].to_dict() == {0.1: 0.5, 0.2: 0.75}
    assert frame["seed"].to_list() == [1, 1]
    assert frame["validation.loss"].notna().to_list() == [True, False]
    assert "metrics are test_acc, val_loss" in sweep.notes[0]


def test_columns_that_are_not_called_like_metrics_are_named(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("width,points\n1,3\n1,4\n2,5\n")
    with pytest.raises(DirectoryError, match="width, points"):
        load(file)
    sweep = load(file, mapping_of(None, ["skill=points"]))
    assert sweep.objective == "highest:test.skill"
    assert "numbered" in sweep.notes[0]
    assert sorted(zip(sweep.frame["task.width"], sweep.frame["seed"], strict=True)) == [
        (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip


@pytest.mark.slow
def test_every_command_works_on_it(multiruns, tmp_path, capsys):
    def run(*words: object) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        assert end.value.code == 0, capsys.readouterr().err
        output = capsys.readouterr()
        assert f"{before} was read as " in output.err
        return output.out

    before = multiruns / "before"
    assert "Testing accuracy" in run("table", before)
    assert "hydra, width=2 is the best" in run("best", before, "--by", "test.accuracy")
    assert "hydra, width=1 is the worst" in run("worst", before)
    assert "No difference" in run("compare", before, before) or "noise" in run(
        "compare", before, before
    )
    baseline = tmp_path / "baseline.json"
    run("baseline", before, "-o", baseline)
    assert "PASSED" in run("check", before, "--baseline", baseline)
    run("report", before, "--no-figures", "--output", tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "hydra, width=2" in page
    table = run("table", before, "--record", "*/results.json", "--metric", "skill=accuracy")
    assert "skill" in table


def test_rows_of_several_tables_are_runs_of_their_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.csv").write_text("lr,seed,accuracy\n0.1,0,0.5\n0.1,1,0.6\n")
    sweep = load(tmp_path, ResultMapping(record="*/r.csv"))
    assert len(sweep.frame) == 4
    assert sweep.problems == ()


def test_settings_that_json_does_not_hold_are_texts(tmp_path):
    config = "seed: 0\nday: 2024-01-01\nlimit: .inf\nsizes: [1, .nan]\n"
    write_job(tmp_path / "0", {"accuracy": 0.5}, config)
    settings = load(tmp_path).frame.iloc[0]
    assert settings["task.day"] == "2024-01-01"
    assert settings["task.limit"] == "inf"


def test_a_database_that_is_not_mlflows_is_refused(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(200))
    with pytest.raises(DirectoryError, match=r"MLflow's database at .*mlflow\.db"):
        load(tmp_path / "mlflow.db", ResultMapping(metrics={"a": "accuracy"}))


def test_a_single_file_is_read_through_a_mapping(tmp_path):
    (tmp_path / "results.json").write_text('{"schema_version": 2, "scores": {"acc": 0.5}}')
    sweep = load(tmp_path / "results.json", ResultMapping(metrics={"acc": "scores.acc"}))
    assert sweep.frame["test.acc"].tolist() == [0.5]
    every = load(tmp_path / "results.json", ResultMapping(record="*"))
    assert "test.schema_version" not in every.frame


def test_a_damaged_copy_in_the_cache_is_written_again(tmp_path):
    (tmp_path / "runs.csv").write_text("lr,seed,accuracy\n0.1,0,0.5\n")
    first = load(tmp_path / "runs.csv")
    first.run_paths(first.frame["run_id"].iloc[0]).record.write_bytes(b"\xff")
    assert load(tmp_path / "runs.csv").problems == ()


def test_a_metric_whose_last_value_is_not_finite_is_none():
    run = external_found.FoundRun("a", Path("a"))
    run.add("loss", [0.5, float("nan")])
    run.add("accuracy", [float("nan"), 0.5])
    run.add("empty", [])
    assert run.metrics == {"accuracy": 0.5}
    assert run.history == {"accuracy": [None, 0.5]}


@pytest.mark.parametrize(
    ("text", "metrics", "said"),
    [
        ("lr,acc\n0.1,0.5\n", ["acc=nocolumn"], "there is no column nocolumn; there are lr, acc."),
        ("lr,acc\n", [], "the table has no rows."),
        ("lr,acc\n", ["acc"], "the table has no rows."),
        ("width,points\n", [], "the table has no rows."),
    ],
)
def test_a_table_without_the_column_or_without_rows_says_so(tmp_path, text, metrics, said):
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(DirectoryError) as error:
        load(tmp_path / "runs.csv", mapping_of(None, metrics))
    assert said in str(error.value)
