"""Bad input gets one short paragraph, exit code 2 and no output: before anything trains.

Every case says what must stand in the message: the thing that is wrong, and the way out.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from support import commands
from support.commands import Done
from support.data_files import as_idx, csv_text, small_arrays, write_idx, write_npz

DIGITS = ["data=digits", "epochs=1"]
OWN_BUILDERS = """
import os
import keras


def not_a_model(input_shape, classes):
    return {"layers": 3}


def raises(input_shape, classes):
    raise RuntimeError("no weights at hand")


def other_output(input_shape, classes):
    return network(input_shape, classes + 1, "softmax")


def no_softmax(input_shape, classes):
    return network(input_shape, classes, None)


def other_input(input_shape, classes):
    return network((3, 3), classes, "softmax")


def dies(input_shape, classes):
    os._exit(9)


def network(input_shape, classes, activation):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(),
        keras.layers.Dense(classes, activation=activation),
    ])


NUMBER = 3
"""
BARE = ["~model.layers", "~model.nodes", "~model.dropout", "~model.activation"]


def own(target: str) -> list[str]:
    """The words for a network of the user's own."""
    return [*DIGITS, *BARE, f"model._target_={target}"]


SETTINGS: dict[str, tuple[list[str], list[str]]] = {
    "a wrong type": (["layers=two"], ["layers=two", "whole number from 1 to 16"]),
    "text with a blank": (["nodes='a b'"], ["nodes=a b", "whole number"]),
    "a fraction": (["epochs=1.5"], ["epochs=1.5", "whole number"]),
    "null": (["layers=null"], ["layers=null", "must not be null"]),
    "not a number": (["learning_rate=nan"], ["learning_rate=nan", "above 0"]),
    "out of range": (["dropout=1"], ["dropout=1", "from 0 to below 1"]),
    "several at once": (
        ["-m", "layers=0,1,17", "nodes=0,2", "optimizer=adm"],
        ["4 settings are wrong", "layers=0", "layers=17", "nodes=0", "did you mean adam?"],
    ),
    "nested out of range": (["early_stopping.patience=-1"], ["early_stopping.patience=-1"]),
    "a shuffled range without end": (
        ["-m", "nodes=shuffle(range(1,100000000))"], ["nodes=99999999", "from 1 to 65536"],
    ),
    "lists in lists": (["-m", "points=" + "[" * 500 + "]" * 500], ["nested at most"]),
    "an objective of no class": (["objective=test.f1.99999"], ["0 to 255", "99999"]),
    "no key": (["=1"], ["Cannot read '=1'", "it has no key"]),
    "a key too long for a file": (["x" * 5000 + "=1"], ["no such setting"]),
    "a name from the environment": (["name=${oc.env:HOME}"], ["let your own code read a secret"]),
    "an unknown key": (["lyers=2"], ["lyers=2", "did you mean layers?"]),
    "a common name of a key": (["lr=0.1"], ["lr=0.1", "did you mean learning_rate?"]),
    "an objective that is no metric": (["objective=acuracy"], ["did you mean accuracy?"]),
    "a network of a notebook": (
        ["model=own", "model._target_=__main__.build"], ["put it into a module"]
    ),
    "an unknown key forced": (["++lyers=2"], ["lyers=2", "did you mean layers?"]),
    "an unknown key added": (["+lyers=2"], ["lyers=2", "did you mean layers?"]),
    "an unknown nested key": (["data.pth=x"], ["data.pth=x", "did you mean data.path?"]),
    "an unknown key of the perceptron": (["+model.filters=2"], ["model.filters=2", "no such"]),
    "an empty grid": (["-m", "layers=range(0,0)"], ["layers=range(0,0)", "no value at all"]),
    "an empty choice": (["-m", "layers=choice()"], ["layers=choice()", "empty choice"]),
    "a range that stands still": (["-m", "layers=range(1,3,0)"], ["step is 0"]),
    "an interval": (["-m", "dropout=interval(0,0.5)"], ["dropout=interval", "takes a list"]),
    "too large a grid": (
        ["-m", "seed=range(0,1000000)"], ["1,000,000 points", "max_points=10,000"]
    ),
    "a sweep without -m": (["layers=1,2"], ["layers", "add -m"]),
    "several names": (["-m", "name=a,b"], ["name", "one value for the whole sweep"]),
    "a taken away setting": (["~layers"], ["~layers", "give it another value"]),
    "a taken away group": (["~data"], ["~data", "there must be one"]),
    "no data": (["data=null"], ["data=null", "there must be one"]),
    "a value for a group of settings": (["early_stopping=3"], ["early_stopping.patience=…"]),
    "momentum without a use": (["momentum=0.9"], ["momentum=0.9", "rmsprop,sgd"]),
    "an interpolation of nothing": (["layers=${nosuch}"], ["layers=${nosuch}", "nosuch"]),
    "no override": (["layers"], ["'layers'", "Expected key=value"]),
    "a bracket left open": (["layers=["], ["'layers=['", "Expected key=value"]),
    "a word that is no subcommand": (["tabel", "outputs/x"], ["'tabel'", "--help"]),
    "an unknown model": (["model=nosuch"], ["model=nosuch", "there are cnn, mlp"]),
    "a misspelt model": (["model=cn"], ["model=cn", "did you mean cnn?"]),
    "unknown data": (["data=nosuch"], ["data=nosuch", "digits", "mnist"]),
    "an unknown trainer": (["trainer=nosuch"], ["trainer=nosuch", "compiled, fit"]),
    "an unknown experiment": (["+experiment=nosuch"], ["experiment=nosuch", "smoke"]),
    "an experiment without plus": (["experiment=smoke"], ["+experiment=smoke"]),
    "an unknown launcher": (["hydra/launcher=nosuch"], ["hydra/launcher=nosuch", "pool"]),
    "an unknown sweeper": (["hydra/sweeper=nosuch"], ["hydra/sweeper=nosuch", "grid"]),
    "an unknown group": (["nosuch/group=x"], ["nosuch/group", "no such config group"]),
    "an unknown key of Hydra": (["hydra.nosuch=1"], ["hydra.nosuch", "--help"]),
    "an unknown option": (["--nosuch"], ["--nosuch", "--help"]),
    "an unknown config": (["--config-name", "nosuch"], ["nosuch.yaml"]),
    "an unknown config directory": (["--config-dir", "/nosuch"], ["/nosuch", "not found"]),
    "another mode": (["hydra.mode=RUN"], ["hydra.mode=RUN", "leave out -m"]),
}  # fmt: skip

PLACES: dict[str, tuple[list[str], list[str]]] = {
    "a name above outputs": ([*DIGITS, "name=../x"], ["name=../x", "one directory in outputs/"]),
    "an absolute name": ([*DIGITS, "name=/abs"], ["name=/abs", "one directory in outputs/"]),
    "an empty name": ([*DIGITS, "name="], ["name=", "one directory in outputs/"]),
    "a hidden name": ([*DIGITS, "name=.git"], ["name=.git", "one directory in outputs/"]),
    "a run above the sweep": ([*DIGITS, "hydra.sweep.subdir=../x"], ["hydra.sweep.subdir=../x"]),
    "a file in the way": ([*DIGITS, "hydra.sweep.dir=../FILE"], ["FILE", "another directory"]),
    "below a file": ([*DIGITS, "hydra.run.dir=../FILE/x"], ["FILE/x", "another directory"]),
    "no file system to write to": ([*DIGITS, "hydra.sweep.dir=/proc/x"], ["/proc/x"]),
    "a name too long for a file": (
        [*DIGITS, f"hydra.sweep.dir={'x' * 300}"], ["too long", "another directory"]
    ),
}  # fmt: skip

MODELS: dict[str, tuple[list[str], list[str]]] = {
    "no module": (own("nosuch.build"), ["nosuch.build", "No module named 'nosuch'"]),
    "no function": (own("own_builders.nosuch"), ["own_builders.nosuch", "Expected a function"]),
    "no path to a function": (own("build"), ["model._target_=build", "package.module.function"]),
    "no function but a number": (own("own_builders.NUMBER"), ["own_builders.NUMBER", "callable"]),
    "no model": (own("own_builders.not_a_model"), ["must return a Keras model", "builtins.dict"]),
    "a builder that raises": (own("own_builders.raises"), ["RuntimeError: no weights at hand"]),
    "another output": (own("own_builders.other_output"), ["shape (11,)", "(10,)"]),
    "another input": (own("own_builders.other_input"), ["other_input", "(8, 8)"]),
    "no softmax": (own("own_builders.no_softmax"), ["must end in a softmax"]),
    "a builder that kills": (own("own_builders.dies"), ["own_builders.dies", "exit code 9"]),
    "settings it does not take": (
        [*DIGITS, "model._target_=own_builders.raises"],
        ["unexpected keyword argument 'layers'", "~model.layers"],
    ),
    "a dangerous function": (own("os.system"), ["os.system", "blocklisted"]),
    "one of several": (
        ["-m", *DIGITS, "model=cnn", "model._target_=mnist_sweep.training.model.cnn,nosuch.build"],
        ["nosuch.build"],
    ),
}

DATA: dict[str, tuple[list[str], list[str]]] = {
    "no path": (["data=idx"], ["data.path", "data=idx needs"]),
    "missing idx": (["data=idx", "data.path=/nosuch"], ["/nosuch", "does not exist"]),
    "missing npz": (["data=npz", "data.path=/nosuch.npz"], ["/nosuch.npz"]),
    "missing csv": (["data=csv", "data.path=/nosuch.csv"], ["/nosuch.csv"]),
    "a path for data without one": ([*DIGITS, "data.path=/x"], ["data.path=/x", "does not use it"]),
    "truncated": (["data=idx", "data.path=FILES/truncated"], ["train-images-idx3-ubyte"]),
    "truncated gzip": (["data=idx", "data.path=FILES/gzip"], ["train-images-idx3-ubyte.gz"]),
    "fewer labels than images": (["data=idx", "data.path=FILES/labels"], ["59", "60"]),
    "other shapes in test": (["data=npz", "data.path=FILES/shapes.npz"], ["shapes.npz", "(4, 6)"]),
    "not an npz": (["data=npz", "data.path=FILES/text.npz"], ["text.npz"]),
    "labels beyond a byte": (["data=npz", "data.path=FILES/beyond.npz"], ["beyond.npz", "298"]),
    "a csv with a bad line": (["data=csv", "data.path=FILES/bad.csv"], ["bad.csv", "Line 7"]),
    "another hash": (
        [*DIGITS, f"data.sha256={'a' * 64}"], ["data.sha256", "a" * 64, "ffcbd6f168ec"]
    ),
    "mnist insisted on": (
        ["data=mnist", "data.download_timeout_s=0"], ["MNIST was not found", "MNIST_SWEEP_DATA"]
    ),
}  # fmt: skip

CASES = {**SETTINGS, **PLACES, **MODELS, **DATA}
assert len(CASES) == sum(map(len, (SETTINGS, PLACES, MODELS, DATA)))  # no name twice


def bad_files(folder: Path) -> Path:
    """Damaged datasets, one kind each."""
    arrays = small_arrays()
    images = as_idx(arrays[0])
    truncated = write_idx(folder / "truncated", arrays)
    (truncated / "train-images-idx3-ubyte").write_bytes(images[:-7])
    zipped = write_idx(folder / "gzip", arrays, zipped=True)
    (zipped / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(images)[:-20])
    write_idx(folder / "labels", (arrays[0], arrays[1][:-1], *arrays[2:]))
    write_npz(folder / "shapes.npz", (*arrays[:2], np.zeros((24, 4, 6), np.uint8), arrays[3]))
    (folder / "text.npz").write_text("label,pixel0\n")
    write_npz(folder / "beyond.npz", (arrays[0], arrays[1].astype(np.int64) + 298, *arrays[2:]))
    lines = csv_text(arrays[0], arrays[1]).splitlines()
    lines[6] = lines[6].replace(",", ",x", 1)
    (folder / "bad.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad_input")


@pytest.fixture(scope="module")
def done(places: Path) -> dict[str, Done]:
    (places / "own_builders.py").write_text(OWN_BUILDERS)
    (places / "FILE").write_text("in the way")
    (places / "FILES").mkdir()
    files = str(bad_files(places / "FILES"))
    words = {
        name: [word.replace("FILES", files) for word in words] for name, (words, _) in CASES.items()
    }
    environ = commands.environment(places, PYTHONPATH=str(places))
    return commands.run_all(words, places, environ)


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_clear_message_and_nothing_else(
    done: dict[str, Done], places: Path, name: str
):
    ended, (_, words) = done[name], CASES[name]
    assert ended.code == 2, ended.err
    assert ended.out == ""
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err
    paragraph = ended.err.strip()
    assert len(paragraph) < 1200
    assert "\n\n" not in paragraph
    assert paragraph.startswith("mnist-sweep: ")
    assert list((places / name).iterdir()) == []


def test_nothing_was_written_beside_the_commands_own_directories(
    done: dict[str, Done], places: Path
):
    assert len(done) == len(CASES)
    expected = {*CASES, "own_builders.py", "FILE", "FILES", "cache", "keras"}
    found = {path.name for path in places.iterdir()} - {"__pycache__"}
    assert found <= expected
    assert (places / "FILE").read_text() == "in the way"


def test_a_process_of_its_own_says_the_same(done: dict[str, Done], tmp_path: Path):
    name = "an unknown model"
    assert commands.run(CASES[name][0], tmp_path, commands.environment(tmp_path)) == done[name]


def test_a_traceback_comes_on_request_only(tmp_path: Path):
    environ = commands.environment(tmp_path, HYDRA_FULL_ERROR="1")
    ended = commands.run(["layers=0"], tmp_path, environ)
    assert ended.code == 2
    assert "Traceback (most recent call last)" in ended.err
    assert "layers=0: must be a whole number from 1 to 16" in ended.err
