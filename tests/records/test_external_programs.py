"""Directories that other programs really wrote: read in one command, with their own numbers."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_sweep.cli import main
from mnist_sweep.records.sweep import load

RUNS = [(lr, seed) for lr in (0.1, 0.01) for seed in range(3)]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made of other programs' directories stays in the test's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_SWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def accuracies(lr: float, seed: int) -> list[float]:
    noise = random.Random(f"{lr} {seed}").gauss(0, 0.004)
    return [round(0.8 + epoch / 50 + (lr == 0.1) / 20 + noise, 6) for epoch in range(3)]


def rows() -> pd.DataFrame:
    last = [(lr, seed, accuracies(lr, seed)[-1]) for lr, seed in RUNS]
    return pd.DataFrame(last, columns=["lr", "seed", "val_accuracy"])


def check_numbers(place: Path) -> None:
    """Best and worst, and the value of each run, are those that were written."""
    found = load(place).frame
    found = found[found["status"] == "finished"]
    own = dict(zip(zip(found["task.lr"], found["seed"], strict=True),
                   found["validation.accuracy"], strict=True))  # fmt: skip
    assert own == {(lr, seed): pytest.approx(accuracies(lr, seed)[-1]) for lr, seed in RUNS}


def check_commands(place: Path, scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: object) -> str:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        assert end.value.code == 0, capsys.readouterr()
        return capsys.readouterr().out

    assert "3 runs, seeds 0, 1, 2" in run("best", place)
    assert "lr=0.01 is the worst of 2" in run("worst", place)
    assert "Validation accuracy [%]" in run("table", place)
    assert "No difference" in run("compare", place, place)
    run("baseline", place, "-o", scratch / "base.json")
    assert "PASSED" in run("check", place, "--baseline", scratch / "base.json")
    run("report", place, "--no-figures", "-o", scratch / "report")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.csv", {}),
        ("german.csv", {"sep": ";", "decimal": ","}),
        ("tab.tsv", {"sep": "\t"}),
        ("excel.csv", {"sep": "\t", "encoding": "utf-16"}),
    ],
)
def test_a_table_that_pandas_wrote(tmp_path: Path, name: str, options: dict[str, Any]):
    rows().to_csv(tmp_path / name, index=False, **options)
    check_numbers(tmp_path / name)


def test_a_decimal_comma_is_one_only_where_all_values_of_a_column_are_numbers(tmp_path: Path):
    (tmp_path / "r.csv").write_text("sizes;x;accuracy\n1,2,3;0,5;0,25\n4,5;1;1\n")
    frame = load(tmp_path).frame.sort_values("test.accuracy")
    assert frame["task.sizes"].to_list() == ["1,2,3", "4,5"]
    assert frame["task.x"].to_list() == [0.5, 1]
    assert frame["test.accuracy"].to_list() == [0.25, 1]


@pytest.mark.slow
def test_what_an_export_says_of_its_runs_is_no_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    table = rows()
    table["Name"] = [f"swift-sun-{k}" for k in range(6)]
    table["State"] = "finished"
    table["Created"] = [f"2025-11-26T09:0{k}:00.000Z" for k in range(6)]
    table["_runtime"] = [12.5 + k for k in range(6)]
    crashed = pd.DataFrame([{**table.iloc[0], "Name": "x", "State": "crashed", "seed": 7}])
    pd.concat([table, crashed]).to_csv(tmp_path / "wandb.csv", index=False)
    sweep = load(tmp_path)
    assert "except State, Created, _runtime" in sweep.notes[0]
    failed = sweep.frame[sweep.frame["status"] == "failed"]
    assert failed["error.message"].to_list() == ["its state is crashed"]
    check_numbers(tmp_path)
    check_commands(tmp_path, tmp_path, capsys)


def add_run(writer: Any, values: list[float], tag: str = "Accuracy/val") -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    for step, value in enumerate(values):
        one = Summary.Value(tag=tag, simple_value=value)
        writer.add_event(Event(step=step, summary=Summary(value=[one])))
    writer.close()


def test_what_pytorch_writes_into_folders_of_their_own_is_of_their_run(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary import session_start_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for lr, seed in RUNS:
        place = tmp_path / f"run{lr}-{seed}"
        add_run(EventFileWriter(str(place)), accuracies(lr, seed))
        add_run(EventFileWriter(str(place / "Loss_train")), [2, 1], "Loss")
        writer = EventFileWriter(str(place / "1764149999.25"))
        started = session_start_pb({"lr": lr, "seed": seed}).SerializeToString()
        writer.add_event(Event(summary=Summary.FromString(started)))
        add_run(writer, [0.5], "hparam/accuracy")
    check_numbers(tmp_path)
    frame = load(tmp_path).frame
    assert frame["train.loss"].to_list() == [1] * 6
    assert frame["test.hparam_accuracy"].to_list() == [0.5] * 6


def test_settings_that_lightning_wrote_beside_its_events(tmp_path: Path):
    pytest.importorskip("tensorboard")
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for place, (lr, seed) in enumerate(RUNS):
        folder = tmp_path / f"version_{place}"
        add_run(EventFileWriter(str(folder)), accuracies(lr, seed), "val_accuracy")
        (folder / "hparams.yaml").write_text(f"lr: {lr}\nseed: {seed}\n")
    check_numbers(tmp_path)


TORCH = """
import sys
from torch.utils.tensorboard import SummaryWriter
sys.path.insert(0, sys.argv[2])
from test_external_programs import RUNS, accuracies
for lr, seed in RUNS:
    with SummaryWriter(f"{sys.argv[1]}/lr{lr}_{seed}") as writer:
        for step, value in enumerate(accuracies(lr, seed)):
            writer.add_scalar("Accuracy/val", value, step)
            writer.add_scalars("Loss", {"train": 1 - value, "val": 1.1 - value}, step)
        writer.add_hparams({"lr": lr, "seed": seed}, {"hparam/accuracy": value})
"""


def test_a_folder_of_pytorchs_summary_writer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    place = tmp_path / "runs"
    subprocess.run(
        [sys.executable, "-c", TORCH, str(place), str(Path(__file__).parent)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    check_numbers(place)
    check_commands(place, tmp_path, capsys)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own
@pytest.mark.parametrize("kind", ["database", "files"])
def test_a_store_of_mlflow(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    files = (tmp_path / "store" / "mlruns").as_uri()
    database = f"sqlite:///{tmp_path}/store/mlflow.db"
    (tmp_path / "store").mkdir()
    mlflow.set_tracking_uri(files if kind == "files" else database)
    mlflow.set_experiment("grid")
    for lr, seed in RUNS:
        with mlflow.start_run():
            mlflow.log_params({"lr": lr, "seed": seed, "opt/name": "adam"})
            for step, value in enumerate(accuracies(lr, seed)):
                mlflow.log_metrics({"val/accuracy": value, "loss": 1 - value}, step=step)
    with mlflow.start_run():
        mlflow.log_param("lr", 9)
    with mlflow.start_run():
        mlflow.log_param("lr", 8)
        mlflow.log_metric("val/accuracy", 0.5, step=0)
        mlflow.log_metric("val/accuracy", float("nan"), step=1)
    own = mlflow.search_runs(experiment_names=["grid"]).set_index("run_id")
    sweep = load(tmp_path / "store")
    assert len(sweep.frame) == len(own) == 8
    for loss, column in (("loss", "test.loss"), ("val/accuracy", "validation.accuracy")):
        theirs = sorted(own[f"metrics.{loss}"].dropna())
        assert sorted(sweep.frame[column].dropna()) == theirs
    check_numbers(tmp_path / "store")
    check_commands(tmp_path / "store", tmp_path, capsys)
    own.to_csv(tmp_path / "export.csv")
    check_numbers(tmp_path / "export.csv")
    mlflow.set_experiment("other")
    with mlflow.start_run():
        mlflow.log_params({"lr": 0.1, "seed": 0, "opt/name": "adam"})
        mlflow.log_metric("val/accuracy", 0.75)
    frame = load(tmp_path / "store").frame
    assert frame.groupby("task.experiment").size().to_dict() == {"grid": 8, "other": 1}
