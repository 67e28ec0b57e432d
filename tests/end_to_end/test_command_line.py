"""The program end to end: sweeps on the bundled digits, and what they leave and say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn import metrics

import mnist_sweep
from mnist_sweep.data import DatasetInfo, load
from mnist_sweep.records.predictions import read_predictions
from mnist_sweep.records.record import Record
from mnist_sweep.settings import canonical, run_id
from mnist_sweep.training import runtime
from support import commands
from support.commands import Done, Program

SWEEP = [
    "-m", "+experiment=smoke", "data=auto", "data.download_timeout_s=0", "epochs=4", "name=smoke",
    "nodes=16,32", "seed=0",
]  # fmt: skip
WITHOUT_NODES = [word for word in SWEEP if not word.startswith("nodes=")]
OWN = """
import keras


@keras.saving.register_keras_serializable("own")
class FailsInTraining(keras.layers.Layer):
    def call(self, inputs, training=False):
        if training:
            raise RuntimeError("out of luck")
        return inputs


def narrow(input_shape, classes, width):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(),
        keras.layers.Dense(width, activation="tanh"),
        keras.layers.Dense(classes, activation="softmax"),
    ])


def unlucky(input_shape, classes):
    network = narrow(input_shape, classes, 2)
    return keras.Sequential([keras.Input(input_shape), FailsInTraining(), network])
"""


@dataclass(frozen=True)
class World:
    """A place to run commands in, and the process that runs them."""

    place: Path
    environ: dict[str, str]
    program: Program

    def run(self, *words: str) -> Done:
        return self.program.run(words, self.place)

    def sweep(self, *parts: str) -> Path:
        return self.place.joinpath("outputs", *(parts or ("smoke",)))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("command_line")
    environ = commands.environment(place)
    with Program(environ) as program:
        yield World(place, environ, program)


@pytest.fixture(scope="module")
def swept(world: World) -> Done:
    """The one sweep that most tests look at: two by two networks, no MNIST to be had."""
    return world.run(*SWEEP)


def records(place: Path) -> dict[str, Record]:
    return {record.label: record for record in mnist_sweep.load(place).records}


@pytest.fixture(scope="module")
def made(world: World, swept: Done) -> dict[str, Record]:
    assert swept.code == 0, swept.err
    return records(world.sweep())


def files(record: Record, sweep: Path) -> Path:
    return sweep / "runs" / f"{record.label}-{record.run_id}"


SUBCOMMANDS = {
    "no such directory": (["table", "outputs/nosuch"], 2, "outputs/nosuch"),
    "no such metric": (["worst", "SWEEP", "--by", "nosuch"], 2, "nosuch"),
    "no match": (["worst", "SWEEP", "--where", "layers=9"], 2, "layers=9"),
    "no directory given": (["table"], 2, "DIR"),
    "no such format": (["table", "SWEEP", "--format", "nosuch"], 2, "nosuch"),
    "no such data": (["data", "nosuch"], 2, "nosuch"),
    "nothing to resume": (["resume", "outputs/nosuch"], 2, "outputs/nosuch"),
    "help": (["table", "--help"], 0, "--where"),
    "Hydra's help": (["--hydra-help"], 0, "--multirun"),
}


PLAN = ["layers=1", "nodes=16,40", "plan=true"]
READ = {
    "table": ["table", "SWEEP"],
    "some rows": ["table", "SWEEP", "--where", "nodes=16"],
    "json": ["table", "SWEEP", "--format", "json"],
    "worst": ["worst", "SWEEP", "--where", "layers=2", "--by", "f1_min"],
    "best": ["best", "SWEEP", "--where", "layers=2", "--by", "f1_min"],
    "plan": [*WITHOUT_NODES, *PLAN],
    "plan of what is there": [*WITHOUT_NODES, *PLAN, "hydra.sweep.dir=SWEEP"],
    "our help": ["--help"],
    "our help by Hydra": ["--help", "layers=2"],
    "config": ["layers=2", "-c", "job"],
    "option first": ["-c", "job", "layers=2"],
    "data": ["data", "digits"],
}
"""What only reads the sweep, by a name; each is run in a new directory."""


@pytest.fixture(scope="module")
def answers(
    world: World, made: dict[str, Record], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Done]:
    asked = {**READ, **{name: words for name, (words, _, _) in SUBCOMMANDS.items()}}
    sweep, places = str(world.sweep()), tmp_path_factory.mktemp("answers")
    return {
        name: world.program.run([one.replace("SWEEP", sweep) for one in words], places / name)
        for name, words in asked.items()
    }


def test_a_sweep_runs_every_point_of_its_grid(swept: Done, made: dict[str, Record]):
    assert swept.code == 0, swept.err
    assert sorted(made) == [
        f"layers={layers},nodes={nodes},epochs=4,seed=0" for layers in (1, 2) for nodes in (16, 32)
    ]
    assert all(record.status == "finished" for record in made.values())


def test_hydra_shows_the_same_help(answers: dict[str, Done]):
    assert answers["our help"].out == answers["our help by Hydra"].out


def test_a_sweep_leaves_what_the_design_says(world: World, made: dict[str, Record]):
    names = {path.name for path in world.sweep().iterdir() if not path.name.startswith(".")}
    assert {"sweep.json", "runs", "tables"} <= names
    assert {path.name for path in world.sweep("smoke", "tables").iterdir()} >= {
        "comparison.md", "comparison.csv", "comparison.tex", "comparison.json",
    }  # fmt: skip
    for record in made.values():
        assert {path.name for path in files(record, world.sweep()).iterdir()} == {
            "record.json", "predictions.npz", "model.keras", "job.log", ".hydra",
        }  # fmt: skip
    assert not list(world.sweep().rglob("*.partial"))
    assert {path.name for path in world.place.iterdir()} <= {"outputs", "cache", "keras"}


def test_the_plan_tells_the_invocation(world: World, made: dict[str, Record]):
    content = json.loads((world.sweep() / "sweep.json").read_bytes())
    first = content["invocations"][0]
    assert set(SWEEP[1:]) <= set(first["overrides"])
    assert {point["run_id"] for point in first["points"]} >= {r.run_id for r in made.values()}
    (info,) = first["data"].values()
    assert info["name"] == "digits"


def test_the_summary_has_every_run_and_what_comes_next(swept: Done, made: dict[str, Record]):
    head = swept.out.splitlines()[0]
    assert head.startswith("smoke · bundled digits (NOT MNIST) · 4 of 4 runs finished · ")
    assert "MNIST was not found." in swept.out
    for record in made.values():
        assert f"{record.metrics.test.accuracy:.2%}"[:-1] in swept.out
        assert f"{record.metrics.test.f1:.4f}" in swept.out
    assert ", of 2 with layers=2   validation lowest F1" in swept.out
    assert "python -m mnist_sweep table outputs/smoke" in swept.out
    assert len(swept.out.splitlines()) <= 25
    assert "\x1b[" not in swept.out + swept.err  # not a terminal


def test_bundled_digits_are_said_loudly_everywhere(
    swept: Done, made: dict[str, Record], world: World, answers: dict[str, Done]
):
    assert "NOT MNIST" in swept.out + swept.err
    for record in made.values():
        assert record.data.name == "digits"
        assert "NOT MNIST" in str(record.data.notice)
    assert "NOT MNIST" in answers["table"].out.splitlines()[0]
    assert "NOT MNIST" in (world.sweep("smoke", "tables") / "comparison.md").read_text()


def test_metrics_are_those_that_scikit_learn_computes_from_the_predictions(
    world: World, made: dict[str, Record]
):
    for record in made.values():
        found = vars(read_predictions(files(record, world.sweep()) / "predictions.npz"))
        for split, n in (("test", record.data.n_test), ("validation", record.data.n_validation)):
            truth, predicted = found[f"{split}_true"], found[f"{split}_predicted"]
            told: Any = getattr(record.metrics, split)
            assert len(truth) == n
            report = metrics.classification_report(
                truth, predicted, output_dict=True, zero_division=0
            )
            macro = report["macro avg"]
            assert told.accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
            assert (told.precision, told.recall, told.f1) == pytest.approx(
                (macro["precision"], macro["recall"], macro["f1-score"])
            )
            for one in told.per_class:
                expected = report[str(one.label)]
                assert (one.precision, one.recall, one.f1, one.support) == pytest.approx(
                    [expected[k] for k in ("precision", "recall", "f1-score", "support")]
                )
            assert told.f1_min == min(one.f1 for one in told.per_class)
            assert told.confusion == metrics.confusion_matrix(truth, predicted).tolist()
            counts = Counter(truth.tolist())
            assert [sum(row) for row in told.confusion] == [counts[k] for k in range(10)]
        assert str(found["data_sha256"]) == record.data.sha256


def test_every_run_saw_the_same_examples(world: World, made: dict[str, Record]):
    arrays = [
        vars(read_predictions(files(record, world.sweep()) / "predictions.npz"))
        for record in made.values()
    ]
    for key in ("test_true", "validation_true", "validation_index"):
        assert all((one[key] == arrays[0][key]).all() for one in arrays)


def test_records_tell_times_environment_and_history(made: dict[str, Record]):
    for record in made.values():
        assert record.configuration_id != record.run_id
        assert [len(v) for v in (record.history.loss, record.history.val_accuracy)] == [4, 4]
        assert len(record.time.epoch_s) == 4
        assert 0 < record.time.train_s < record.time.total_s
        assert record.environment.mnist_sweep == mnist_sweep.__version__
        assert record.environment.threads == 1
        assert record.environment.device in ("CPU", "GPU")
        assert record.parameters == {  # 64 inputs, 10 classes
            (1, 16): 1210, (1, 32): 2410, (2, 16): 1482, (2, 32): 3466,
        }[record.config["layers"], record.config["nodes"]]  # fmt: skip


def test_hydras_own_files_are_there(world: World, made: dict[str, Record]):
    for record in made.values():
        folder = files(record, world.sweep()) / ".hydra"
        assert yaml.safe_load((folder / "config.yaml").read_text()) == record.config
        overrides = yaml.safe_load((folder / "overrides.yaml").read_text())
        assert f"layers={record.config['layers']}" in overrides


def test_the_saved_model_is_plain_keras_and_predicts_the_same(
    world: World, made: dict[str, Record]
):
    runtime.configure(1)
    import keras

    content = json.loads((world.sweep() / "sweep.json").read_bytes())
    (info,) = content["invocations"][0]["data"].values()
    data = load(DatasetInfo.from_dict(info))
    place = files(made["layers=2,nodes=32,epochs=4,seed=0"], world.sweep())
    network = keras.saving.load_model(place / "model.keras", safe_mode=True)
    images = data.test_images.astype("float32") / data.info.scale
    answers = np.asarray(network(images)).argmax(axis=1)
    stored = read_predictions(place / "predictions.npz")
    assert (stored.test_true == data.test_labels).all()
    assert (stored.test_predicted == answers).mean() > 0.99  # near ties may round either way


def test_the_frame_is_the_table(world: World, made: dict[str, Record]):
    frame = mnist_sweep.load(world.sweep()).frame
    assert len(frame) == len(made)
    assert set(frame["run_id"]) == {record.run_id for record in made.values()}
    assert sorted(frame["layers"]) == sorted(record.config["layers"] for record in made.values())


@pytest.fixture(scope="module")
def again(world: World, made: dict[str, Record]) -> Done:
    """One point of the sweep once more: another process, directory, data setting and program."""
    script = Path(sys.executable).with_name("mnist-sweep")
    program = (str(script),) if script.exists() else ()
    words = ["data=digits", "epochs=4", "layers=2", "nodes=16", "hydra.run.dir=else where/once"]
    return commands.run([*words, "report=false"], world.place, world.environ, program)


def test_the_same_point_gives_the_same_bits_in_another_process(
    world: World, again: Done, made: dict[str, Record]
):
    assert again.code == 0, again.err
    (record,) = mnist_sweep.load(world.place / "else where" / "once").records
    before = made["layers=2,nodes=16,epochs=4,seed=0"]
    assert record.run_id == before.run_id
    assert record.metrics == before.metrics
    assert record.history == before.history
    places = files(before, world.sweep()), files(record, world.place / "else where" / "once")
    one, other = (vars(read_predictions(place / "predictions.npz")) for place in places)
    for key, values in one.items():
        assert np.asarray(values).tobytes() == np.asarray(other[key]).tobytes()


def test_one_run_prints_its_result_and_says_where_it_is(again: Done):
    assert " · digits · 1 of 1 run finished · " in again.out
    assert "\nResult  2 layers x 16 nodes, epochs=4   validation " in again.out
    assert "else where/once" in again.out
    assert "NOT MNIST" not in again.out + again.err  # digits were asked for


def test_the_same_command_again_resumes_and_finds_all_done(world: World, made: dict[str, Record]):
    stamps = {p: p.stat().st_mtime_ns for p in world.sweep().glob("runs/*/*")}
    ended = world.run(*SWEEP, "report=false")
    assert ended.code == 0, ended.err
    assert "4 of 4 runs finished (4 earlier)" in ended.out
    assert {p: p.stat().st_mtime_ns for p in world.sweep().glob("runs/*/*")} == stamps


def test_another_grid_under_the_same_name_adds_runs_and_notices_duplicates(
    world: World, made: dict[str, Record]
):
    words = [*WITHOUT_NODES, "layers=1", "nodes=16,24,24", "report=false"]
    ended = world.run(*words)
    assert ended.code == 0, ended.err
    assert "2 of 2 runs finished (1 earlier)" in ended.out
    assert "left out as duplicates: layers=1,nodes=24" in ended.err
    assert set(records(world.sweep())) == {*made, "layers=1,nodes=24,epochs=4,seed=0"}


@pytest.fixture(scope="module")
def mixed(world: World) -> Done:
    """Networks of the user's own beside cnn; one of them fails once it is trained."""
    (world.place / "own_networks.py").write_text(OWN)
    for name, content in {
        "narrow": {"_target_": "own_networks.narrow", "width": 7},
        "unlucky": {"_target_": "own_networks.unlucky"},
    }.items():
        path = world.place / "own_conf" / "model" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
    ended = world.run(
        "-m", "model=cnn,unlucky,narrow", "nodes=8", "epochs=2", "data=digits",
        f"hydra.sweep.dir={world.place}/mixed", "--config-dir", "own_conf",
    )  # fmt: skip
    for path in (world.place / "own_networks.py", *world.place.glob("own_conf/model/*")):
        path.unlink()
    (world.place / "own_conf" / "model").rmdir()
    (world.place / "own_conf").rmdir()
    return ended


def test_a_users_own_network_is_trained_by_the_same_trainer(world: World, mixed: Done):
    found = records(world.place / "mixed")
    narrow = found["model=narrow,width=7,epochs=2,seed=0"]
    assert narrow.status == "finished"
    assert narrow.parameters == 65 * 7 + 8 * 10
    cnn = found["model=cnn,filters=16,kernel_size=3,nodes=8,epochs=2,seed=0"]
    assert cnn.status == "finished"


def test_a_failed_run_costs_itself_alone_and_the_exit_code_says_so(world: World, mixed: Done):
    assert mixed.code == 1
    assert "2 of 3 runs finished, 1 failed" in mixed.out
    unlucky = records(world.place / "mixed")["model=unlucky,epochs=2,seed=0"]
    assert unlucky.status == "failed"
    assert unlucky.metrics is None
    assert "out of luck" in unlucky.error.message
    assert "Traceback" in str(unlucky.error.traceback)
    place = files(unlucky, world.place / "mixed")
    assert "out of luck" in (place / "job.log").read_text()
    assert not (place / "model.keras").exists()
    assert "Failed  model=unlucky" in mixed.out
    assert "python -m mnist_sweep resume mixed" in mixed.out
    assert "out of luck" in mixed.err + mixed.out
    assert "Traceback" not in mixed.err + mixed.out


def test_a_failed_run_stays_failed_where_it_is_not_to_be_run_again(world: World, mixed: Done):
    table = world.run("table", "mixed")
    assert table.code == 0
    assert "failed: " in table.out


def test_tables_can_be_asked_for_again(answers: dict[str, Done], made: dict[str, Record]):
    text = answers["some rows"]
    assert text.code == 0
    assert "F1 by digit on bundled digits" in text.out
    for record in made.values():
        shown = f"{record.metrics.test.f1:.4f}" in text.out
        assert shown == (record.config["nodes"] == 16)
    assert json.loads(answers["json"].out)


def test_the_worst_and_the_best_are_named_with_their_weakest_digits(
    answers: dict[str, Done], made: dict[str, Record]
):
    two = {record.run_id: record for record in made.values() if record.config["layers"] == 2}
    chosen = {}
    for direction, choose in (("worst", min), ("best", max)):
        expected = choose(two.values(), key=lambda record: record.metrics.validation.f1_min)
        ended = answers[direction]
        assert ended.code == 0, ended.err
        nodes = expected.config["nodes"]
        assert f"2 layers x {nodes} nodes is the {direction}" in ended.out
        assert f"{expected.metrics.validation.f1_min:.4f}" in ended.out
        weakest = min(expected.metrics.validation.per_class, key=lambda one: one.f1)
        assert f"{weakest.label} (F1 {weakest.f1:.4f}" in ended.out
        chosen[direction] = nodes
    assert chosen["worst"] != chosen["best"]


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_subcommands_exit_truthfully_and_say_why(answers: dict[str, Done], name: str):
    ended, (_, code, words) = answers[name], SUBCOMMANDS[name]
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert words in (ended.err if code else ended.out)
    assert (ended.out == "") == (code != 0)


def test_a_plan_runs_nothing(
    answers: dict[str, Done], made: dict[str, Record], tmp_path_factory: pytest.TempPathFactory
):
    places = tmp_path_factory.getbasetemp() / "answers0"
    assert not any(places.glob("*/outputs"))
    planned, here = answers["plan"], answers["plan of what is there"]
    assert planned.code == 0, planned.err
    assert "2 points, 0 done, 2 to run" in planned.out
    assert "2 points, 1 done, 1 to run" in here.out
    assert made["layers=1,nodes=16,epochs=4,seed=0"].run_id in here.out


def test_help_is_one_screen_of_ours_and_hydras_options_work(answers: dict[str, Done]):
    ended = answers["our help"]
    assert ended.code == 0
    for word in ("-m", "table", "worst", "data: auto, csv, digits", "layers=1 ", "outputs/NAME"):
        assert word in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100
    config = answers["config"]
    assert config.code == 0
    assert yaml.safe_load(config.out)["layers"] == 2
    assert answers["option first"].out == config.out


def test_data_describes_a_dataset(answers: dict[str, Done]):
    ended = answers["data"]
    assert ended.code == 0
    for words in ("1,293 examples", "144 examples", "360 examples", "8 x 8", "ffcbd6f168ec"):
        assert words in ended.out


def test_a_record_holds_all_that_its_run_id_is_made_of(made: dict[str, Record], world: World):
    content = json.loads((world.sweep() / "sweep.json").read_bytes())
    (info,) = content["invocations"][0]["data"].values()
    deciding = DatasetInfo.from_dict(info).deciding()
    for record in made.values():
        assert run_id(canonical(record.config, deciding)) == record.run_id


def test_a_reader_that_is_gone_does_not_make_a_failed_sweep_a_good_one(world: World):
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", "mnist_sweep", "data=digits", "nodes=4", "epochs=1", "optimizer=sgd",
         "learning_rate=1e30", "hydra.run.dir=unread"], cwd=world.place,
        env=world.environ, stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert "diverged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 1
    assert (world.place / "unread" / "report.html").exists()
