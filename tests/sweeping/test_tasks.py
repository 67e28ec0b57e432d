"""Tasks of the user's own: how one is found, called and answered; a sweep of one, whole."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

import mnist_sweep as ms
from mnist_sweep.analysis.resolve_run import resolve_run
from mnist_sweep.data import NO_DATA, prepare
from mnist_sweep.errors import DirectoryError, ModelError, SelectionError, TaskError
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import write_record
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import SETTINGS, defaults, problems, run_settings
from mnist_sweep.sweeping.launch.execute import WRITING, Epoch, Report, execute
from mnist_sweep.sweeping.launch.job import Job, record_of
from mnist_sweep.sweeping.launch.user_code import checks, tasks
from mnist_sweep.sweeping.plan.points import Point, identify
from support import commands
from support.factories import make_settings
from support.sweep_parts import ENVIRONMENT

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
OWN = """
from dataclasses import dataclass
from typing import Annotated, Literal
from pydantic import Field
from mnist_sweep import report_epoch

def typed(lr: Annotated[float, Field(gt=0)], kind: Literal["a", "b"] = "a", *, seed=0): ...
def anything(**settings): return {"n": len(settings), "seed": settings["seed"]}
def whole(config): return {"x": config["x"], "seed": config["seed"]}
def plain(x=1): return {"x": x}
def many(a=0, b=0, c=0, d=0, e=0, f=0, g=0, h=0, **rest): return {}
def files(directory, threads, seed):
    (directory / "notes.txt").write_text("kept")
    return {"threads": threads}
def epochs(n=3):
    for k in range(n):
        report_epoch({"loss": 1 / (k + 1), "val_accuracy": k / n})
    return {"accuracy": 0.5}
def named_dataset(dataset): return {"letters": len(dataset)}
def default_dataset(dataset="small"): return {"letters": len(dataset)}
def on_data(dataset): return {"images": len(dataset.test_images)}
def predicts(skill=None):
    return ({"skill": skill} if skill else {}) | {"predictions": {"test": ([0, 1, 1], [0, 1, 0])}}
def raises(): raise RuntimeError("on purpose")
def exits(): raise SystemExit(3)

@dataclass
class Settings:
    depth: Annotated[int, Field(ge=1, le=8)] = 2
    seed: int = 0
def declared(settings: Settings): return {"depth": settings.depth, "seed": settings.seed}

ANSWERS = {}
def answers(which): return ANSWERS[which]
"""


@pytest.fixture(scope="module", autouse=True)
def own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """`own_tasks` and the examples of the pages can be imported."""
    place = tmp_path_factory.mktemp("modules")
    (place / "own_tasks.py").write_text(OWN)
    sys.path[:0] = [str(place), str(EXAMPLES)]
    import own_tasks

    yield own_tasks
    sys.path.remove(str(place))
    sys.path.remove(str(EXAMPLES))


def settings_of(target: str, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    top = {key: more.pop(key) for key in ("seed", "threads", "epochs", "layers") if key in more}
    made = {**defaults(), **make_settings(**top), "name": "grid"}
    made["data"] |= data or {}
    return {**made, "task": {"_target_": target, **more}}


def point_of(target: str, **more: Any) -> Point:
    data = more.get("data")
    info = prepare(settings_of(target, data)["data"]) if data else NO_DATA
    return identify(settings_of(target, **more), [], info)


def run(place: Path, target: str, report: Report = lambda _: None, **more: Any) -> Record:
    """Carry a job out in this process; its record."""
    data = more.get("data")
    info = prepare(settings_of(target, data)["data"]) if data else NO_DATA
    job = Job(point_of(target, **more), info, place, ENVIRONMENT)
    execute(job, report)
    record = record_of(job)
    assert record is not None
    return record


# ---- settings


def test_keyword_arguments_come_in_the_order_of_the_signature():
    settings = settings_of("own_tasks.many", **dict.fromkeys("yxhgfedcba", 1))
    found = tasks.find(settings)
    assert [*found.checked(), *found.given] == [*"abcdefghyx", "seed"]


def test_a_task_has_its_own_settings_and_no_others():
    point = point_of("own_tasks.typed", lr=0.1, kind="b", seed=3)
    assert point.settings == {
        "task": {"_target_": "own_tasks.typed", "lr": 0.1, "kind": "b"}, "seed": 3, "threads": 1,
    }  # fmt: skip
    assert point.label == "task=own_tasks.typed,lr=0.1,kind=b,seed=3"
    assert point.data_key == ""
    assert point.code is not None
    assert "own_tasks.py" in point.code["files"]
    assert problems(settings_of("own_tasks.typed", lr=0.1)) == []


def test_a_run_id_covers_settings_seed_and_code_and_nothing_of_keras(own_modules: Any):
    first = point_of("own_tasks.plain", x=1)
    assert point_of("own_tasks.plain", x=1.0).run_id == first.run_id
    others = [point_of("own_tasks.plain", x=2), point_of("own_tasks.plain", x=1, seed=1)]
    assert len({first.run_id, *(one.run_id for one in others)}) == 3
    assert others[1].configuration_id == first.configuration_id
    path = Path(own_modules.__file__)
    path.write_text(OWN.replace("def plain(x=1)", "def plain(x=2)"))
    try:
        assert point_of("own_tasks.plain", x=1).run_id != first.run_id
    finally:
        path.write_text(OWN)


@pytest.mark.parametrize(
    "key",
    [
        key
        for key, one in SETTINGS.items()
        if one.scope == "run"
        and one.type is not dict
        and key.partition(".")[0] not in ("seed", "threads", "data")
    ],
)
def test_a_setting_of_keras_is_refused_with_a_task(key: str):
    top, _, rest = key.partition(".")
    settings = settings_of("own_tasks.plain")
    other: Any = {int: 7, float: 0.5, bool: not SETTINGS[key].default, str: "other"}
    value = other[SETTINGS[key].type]
    if SETTINGS[key].choices:
        value = next(one for one in SETTINGS[key].choices if one != SETTINGS[key].default)
    settings[top] = {**settings[top], rest: value} if rest else value
    assert [one.key for one in problems(settings)] == [key]


@pytest.mark.parametrize(
    ("target", "more", "words"),
    [
        ("own_tasks.typed", {"lr": 0.1}, ""),
        ("own_tasks.typed", {"lr": 1}, ""),
        ("own_tasks.typed", {"lr": -1}, "task.lr=-1: input should be greater than 0"),
        ("own_tasks.typed", {"lr": "0.1"}, "task.lr=0.1: input should be a valid number"),
        ("own_tasks.typed", {"lr": 1, "kind": "c"}, "task.kind=c: input should be 'a' or 'b'"),
        ("own_tasks.typed", {}, "task.lr: own_tasks.typed needs it: set task.lr=…"),
        ("own_tasks.typed", {"lr": 1, "rl": 1}, "task.rl: own_tasks.typed has no such parameter"),
        ("own_tasks.declared", {"depth": 9}, "task.depth=9: input should be less than"),
        ("own_tasks.declared", {"dept": 3}, "task.dept: no such setting; did you mean depth?"),
        ("own_tasks.declared", {"depth": 3, "seed": 4}, ""),
        ("own_tasks.anything", {"a": 1, "b": [1, 2]}, ""),
        ("own_tasks.whole", {"x": 3}, ""),
        ("own_tasks.plain", {"seed": 1}, "seed=1: own_tasks.plain has no parameter `seed`"),
        ("own_tasks.plain", {"data": {"name": "digits"}}, "has no parameter `dataset`"),
        ("own_tasks.on_data", {}, "own_tasks.on_data needs a dataset"),
        ("own_tasks.nothing", {}, "task._target_=own_tasks.nothing cannot be imported: Attribute"),
        ("no_such_module.f", {}, "cannot be imported: ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_what_a_task_declares_is_checked(target: str, more: dict[str, Any], words: str):
    found = checks.problems_of(point_of_settings(target, more))
    assert len(found) == bool(words)
    assert words in "".join(found)


def point_of_settings(target: str, more: dict[str, Any]) -> dict[str, Any]:
    return run_settings(settings_of(target, **more))


# ---- one run


def test_settings_seed_and_directory_reach_the_task(tmp_path: Path):
    def returned(target: str, **more: Any) -> dict[str, Any]:
        found = run(tmp_path, target, **more).metrics
        assert found is not None
        return dict(found.test.values)

    assert returned("own_tasks.anything", a=1, b=2, seed=5) == {"n": 3, "seed": 5}
    assert returned("own_tasks.whole", x=2.5, seed=6) == {"x": 2.5, "seed": 6}
    assert returned("own_tasks.declared", depth=4, seed=7) == {"depth": 4, "seed": 7}
    assert returned("own_tasks.files", threads=2) == {"threads": 2}
    (kept,) = tmp_path.glob("runs/*/files/notes.txt")
    assert kept.read_text() == "kept"
    assert returned("own_tasks.on_data", data={"name": "digits"})["images"] == 360


def test_tasks_that_take_no_seed_are_named():
    targets = {"plain": {}, "typed": {"lr": 0.1}, "declared": {}, "whole": {"x": 1}, "raises": {}}
    every = [point_of_settings(f"own_tasks.{name}", more) for name, more in targets.items()]
    assert checks._problems_of_tasks(every) == ([], ["own_tasks.raises", "own_tasks.plain"])


def test_the_first_metric_is_the_tasks_own_or_else_the_accuracy(tmp_path: Path):
    for more, first in (({}, "accuracy"), ({"skill": 3}, "skill")):
        metrics = run(tmp_path, "own_tasks.predicts", **more).metrics
        assert metrics is not None
        assert next(iter(metrics.test.values)) == first


def test_a_setting_or_a_default_called_dataset_needs_no_data(tmp_path: Path):
    for kind, more, letters in [("named", {"dataset": "cifar10"}, 7), ("default", {}, 5)]:
        target = f"own_tasks.{kind}_dataset"
        assert checks.problems_of(point_of_settings(target, more)) == []
        metrics = run(tmp_path, target, **more).metrics
        assert metrics is not None
        assert metrics.test.values == {"letters": letters}


def test_epochs_are_recorded_and_a_search_may_stop_a_run(tmp_path: Path):
    seen: list[int] = []
    record = run(tmp_path, "own_tasks.epochs", lambda epoch: seen.append(epoch.number))
    assert seen == [0, 1, 2, 3, WRITING]
    assert record.history.loss == [1, 0.5, 1 / 3]
    assert record.time is not None
    assert len(record.time.epoch_s) == 3

    def stop(epoch: Epoch) -> str | None:
        return "behind" if epoch.number == 2 else None

    stopped = run(tmp_path, "own_tasks.epochs", stop, n=5)
    assert stopped.status == RunStatus.PRUNED
    assert stopped.metrics is None
    assert stopped.error is not None
    assert stopped.error.message == "stopped after epoch 2: behind"
    assert len(stopped.history.loss) == 2
    ms.report_epoch({"loss": 1.0})  # outside of a run it does nothing


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "returned NoneType: expected a mapping"),
        (0.9, "returned float: expected a mapping"),
        ({}, "returned no metric"),
        ({"x": float("nan")}, "x = nan: expected a finite number"),
        ({"x": float("inf")}, "x = inf: expected a finite number"),
        ({"x": "0.9"}, "x = '0.9': expected a finite number"),
        ({"x": True}, "x = True: expected a finite number"),
        ({"x": None}, "x = None: expected a finite number"),
        ({"top-5": 0.9}, "a metric 'top-5': expected a name"),
        ({"accuracy": 97.0}, "out of range: accuracy must be between 0 and 1, got 97"),
        ({"predictions": ([1, 2], [1])}, "predictions of 'test' that cannot be used"),
        ({"predictions": ([0.5, 1.0], [1, 1])}, "predictions of 'test' that cannot be used"),
        ({"predictions": {"train": ([1], [1])}}, "predictions of 'train' that cannot be used"),
        ({"predictions": ([1, 2], [1, 1]), "accuracy": 0.9}, "its predictions give 0.5"),
    ],
)
def test_an_answer_that_is_no_result_is_a_failed_run(
    tmp_path: Path, own_modules: Any, answer: Any, words: str
):
    own_modules.ANSWERS["this"] = answer
    record = run(tmp_path, "own_tasks.answers", which="this")
    assert record.status == RunStatus.FAILED
    assert record.error is not None
    assert record.error.type == TaskError.__name__
    assert words in record.error.message
    assert record.error.traceback is None


@pytest.mark.parametrize(
    ("target", "kind"), [("own_tasks.raises", "RuntimeError"), ("own_tasks.exits", "SystemExit")]
)
def test_a_task_that_raises_is_a_failed_run_with_its_traceback(
    tmp_path: Path, target: str, kind: str
):
    error = run(tmp_path, target).error
    assert error is not None
    assert error.type == kind
    assert "own_tasks.py" in str(error.traceback)


def test_scalars_of_libraries_are_numbers(tmp_path: Path, own_modules: Any):
    own_modules.ANSWERS["numpy"] = {"a": np.float32(0.5), "validation.b": np.int64(3)}
    metrics = run(tmp_path, "own_tasks.answers", which="numpy").metrics
    assert metrics is not None
    assert (metrics.test.a, metrics.validation.b) == (0.5, 3)


# ---- the examples


def test_with_predictions_a_forest_is_compared_like_a_network(tmp_path: Path):
    (tmp_path / "sweep.json").write_text('{"schema_version": 1, "invocations": []}')
    for trees in (1, 10):
        for seed in (0, 1):
            record = run(tmp_path, "forest.train", trees=trees, seed=seed)
            assert record.status == RunStatus.FINISHED, record.error
    sweep = ms.load(tmp_path)
    frame = sweep.frame
    assert set(frame["dataset.name"]) == {"own data"}
    assert set(frame["dataset.n_test"]) == {450}
    assert frame["dataset.sha256"].nunique() == 1
    predicted = sweep.predictions(frame["run_id"].iloc[0])
    own = f1_score(predicted.test_true, predicted.test_predicted, average="macro")
    assert frame["test.f1"].iloc[0] == pytest.approx(own)
    best = sweep.best()
    assert best.settings["task.trees"] == 10
    assert best.selection.probability is not None
    assert best.selection.probability > 0.99
    assert "95 % interval" in str(sweep.table())
    assert "F1 by class" in str(sweep.table())


def test_pytorch(tmp_path: Path):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    record = run(tmp_path, "torch_net.train", width=16, data={"name": "digits"})
    assert record.status == RunStatus.FINISHED, record.error
    assert record.metrics is not None
    assert record.metrics.test.accuracy > 0.8
    assert len(record.history.loss) == 5
    assert list(tmp_path.glob("runs/*/files/network.pt"))


# ---- a sweep


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in plain Python, two step sizes and two seeds, one of them killed and resumed."""
    place = tmp_path_factory.mktemp("swept")
    environment = commands.environment(place, PYTHONPATH=f"{Path.cwd()}:{EXAMPLES}")
    guarded = """
import os, sys
import line_fit
def train(lr=0.1, epochs=10, seed=0):
    assert "tensorflow" not in sys.modules and "keras" not in sys.modules
    if seed == 1 and lr == 0.2 and not os.path.exists("resumed"):
        os.kill(os.getpid(), 9)
    return line_fit.train(lr, epochs, seed)
"""
    (place / "guarded.py").write_text(guarded)
    words = ["-m", "task._target_=guarded.train", "task.lr=0.05,0.2", "seed=0,1", "name=line",
             "n_jobs=2", "retries=0", "objective=rmse"]  # fmt: skip
    first = commands.run(words, place, environment)
    assert first.code == 1, first.err
    assert "3 of 4 runs finished" in first.out
    assert "SIGKILL" in first.err
    (place / "resumed").touch()
    again = commands.run(["resume", "outputs/line"], place, environment)
    assert again.code == 0, again.err
    assert "4 of 4 runs finished (3 earlier)" in again.out
    assert "guarded.train, lr=0.2   test rmse" in again.out
    return place / "outputs" / "line"


@pytest.mark.slow
def test_the_table_has_its_settings_and_metrics_and_nothing_of_keras(swept: Path):
    table = ms.load(swept).table().tables
    assert [one.name for one in table] == ["performance"]
    assert [one.heading for one in table[0].columns] == [
        "task.lr", "Runs", "Training time", "Training rmse", "Testing rmse",
    ]  # fmt: skip
    assert table[0].title == "Time and metrics of guarded.train, means over runs"
    marks = [cells.marks for cells in table[0].by_column()]
    assert marks[-1] == ["worst", "best"]  # less of rmse is better


@pytest.mark.slow
def test_best_and_worst_go_by_the_tasks_own_metric(swept: Path):
    sweep = ms.load(swept)
    assert sweep.objective == "lowest:test.rmse"
    assert sweep.best().settings["task.lr"] == 0.2
    assert sweep.worst().settings["task.lr"] == 0.05
    assert sweep.best(by="highest:rmse").settings["task.lr"] == 0.05
    assert sweep.best("task.lr<0.1", by="train.rmse").settings["task.lr"] == 0.05
    with pytest.raises(SelectionError, match="did you mean rmse"):
        sweep.best(by="rsme")


@pytest.mark.slow
def test_a_tasks_run_has_no_network_and_says_how_it_gets_predictions(swept: Path):
    run_id = load(swept).frame["run_id"].iloc[0]
    with pytest.raises(ModelError, match=r"task guarded\.train, and only .*as `directory`"):
        resolve_run(swept, best=True)
    with pytest.raises(ModelError, match="Expected a run with a Keras network"):
        ms.load(swept).model(run_id)
    with pytest.raises(DirectoryError, match="stores those that it returns"):
        load(swept).predictions(run_id)


@pytest.mark.slow
def test_two_sweeps_are_compared_and_gated_over_seeds(swept: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(swept, other)
    compared = ms.compare(swept, other)
    assert "rmse" in str(compared)
    assert ms.check(other, baseline=swept).passed
    for one in load(other).records:
        assert one.metrics is not None
        worse = {"test": {"rmse": one.metrics.test.rmse + 1}}
        path = next(other.glob(f"runs/*{one.run_id}/record.json"))
        write_record(path, {**one.model_dump(), "metrics": worse})
    checked = ms.check(other, baseline=swept)
    assert not checked.passed
    assert "test.rmse went from" in str(checked)


@pytest.mark.slow
def test_the_report_has_curves_and_no_pictures_of_classes(swept: Path):
    page = (swept / "report.html").read_text()
    assert 'id="confusion"' not in page
    assert "Learning curves" in page
    assert {path.stem for path in (swept / "figures").glob("*.png")} == {
        "effects", "learning-curves", "spread",
    }  # fmt: skip


@pytest.mark.slow
def test_a_point_without_a_record_keeps_its_settings(swept: Path, tmp_path: Path):
    place = tmp_path / "line"
    shutil.copytree(swept, place)
    shutil.rmtree(next(place.glob("runs/*lr=0.2*seed=1*")))
    (missing,) = load(place).missing
    table = str(ms.load(place).table(runs=True))
    assert missing.label in "task=guarded.train,lr=0.2,seed=1"
    assert "missing: not run" in table
