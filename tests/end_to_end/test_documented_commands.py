"""Every command that a page shows is run, in a folder that has what the pages speak of."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_sweep.cli import SUBCOMMANDS
from mnist_sweep.cli.output import ExitCode
from mnist_sweep.sweeping.launch import gpus
from support.commands import Done, environment, run, run_all
from support.data_files import csv_text, small_arrays, write_idx
from support.doc_pages import CALLS, ROOT, blocks

BASELINE = ("baseline", "outputs/grid", "-o", "b.json")
GRID = ("-m", "layers=1,2", "nodes=100,300", "name=grid", "data=digits", "epochs=1", "report=false")
COPIES = ("other", "last_week", "today", "smoke", "night")
NOT_RUN = {
    ("data", "mnist"): "needs the network",
    ("table", "mlruns"): "needs a store of MLflow; tests/records reads such stores",
    (
        "-m",
        "layers=1,2",
        "nodes=100,300",
        "hydra/launcher=ray",
        "hydra.launcher.address=auto",
    ): "needs a cluster of Ray; tests/reliability starts one",
    ("ui",): "serves until it is stopped; tests/ui runs it",
    ("ui", "/data/team", "--port", "9000"): "serves until it is stopped; tests/ui runs it",
    ("report", "outputs/grid", "--watch"): "waits until it is stopped; tests/reporting runs it",
}
"""Commands that cannot be run here, and why."""
NEEDS = {"mlflow": "mlflow", "tensorboard": "tensorboard", "+experiment=search": "optuna",
         "hydra/sweeper=search": "optuna",
         "hydra/launcher=slurm": "hydra_plugins.hydra_submitit_launcher"}  # fmt: skip
"""Word of a command -> the package of an extra that it needs."""
TO_RUN = [
    (page, words)
    for page, words in CALLS
    if not page.startswith("docs/tutorials") and words not in NOT_RUN
]
"""Those of tutorials are run as their pages are followed, with `--long`."""
NETWORK = """
import keras

def build(input_shape, classes, **sizes):
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(),
        keras.layers.Dense(classes, activation="softmax"),
    ])

resnet = build
"""
TASK = "def train(lr=0.1, rate=0.1, seed=0):\n    return {'rmse': lr}\n\nsimulate = train\n"
DATA = """
import numpy as np

def load():
    digits = np.random.default_rng(0).integers(0, 256, (200, 8, 8)).astype("uint8")
    return {"x_train": digits, "y_train": np.arange(200) % 10}
"""


def work_in(folder: Path) -> Path:
    """A folder with the user's files that the pages name."""
    files = {
        "my_networks.py": NETWORK, "my_data.py": DATA,
        "my_package/__init__.py": TASK, "my_package/networks.py": NETWORK,
        "my_project/__init__.py": TASK, "my_project/networks.py": NETWORK,
        "my_conf/model/tiny.yaml": "_target_: my_networks.build\nfilters: 16\n",
    }  # fmt: skip
    for gain in (0.0, 0.02):
        for width in (1, 2):
            place = f"theirs/{gain}/{width}"
            files[f"{place}/.hydra/config.yaml"] = f"gain: {gain}\nwidth: {width}\n"
            files[f"{place}/results.json"] = json.dumps({"accuracy": 0.9 + gain})
    for place, text in [*files.items()]:
        if place.startswith("theirs/"):
            files[place.replace("theirs/0.0/", "multirun/before/")] = text
            files[place.replace("theirs/0.02/", "multirun/after/")] = text
    files["runs.csv"] = "lr,accuracy\n0.1,0.9\n0.2,0.8\n"
    images, labels, *_ = small_arrays(200, shape=(28, 28), classes=10)
    files["train.csv"] = csv_text(images, labels)
    small, labels, *_ = small_arrays(20, shape=(8, 8), classes=10)
    rows = csv_text(small // 16, labels).splitlines()
    files["test.csv"] = "\n".join(row.partition(",")[2] for row in rows)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    write_idx(folder / "fashion", small_arrays(200, 50, shape=(28, 28), classes=10))
    (folder / "photos").mkdir()
    picture = np.full((40, 40), 250, dtype=np.uint8)
    picture[8:32, 18:22] = 20
    Image.fromarray(picture).save(folder / "photos" / "one.png")
    return folder


def missing(words: tuple[str, ...]) -> str:
    """What a command needs and this environment lacks: a package of an extra, or GPUs."""
    if "gpus=2" in words and len(gpus.visible(tensorflow=True)) < 2:
        return "two GPUs"
    for word, package in NEEDS.items():
        if word in words:
            try:
                found = importlib.util.find_spec(package)
            except ModuleNotFoundError:
                found = None
            if found is None:
                return package
    return ""


def as_run(words: tuple[str, ...]) -> tuple[str, ...]:
    """A command that takes seconds: sweeps are planned, reports have no figures."""
    if words[0] not in SUBCOMMANDS or words[0] == "resume":
        return (*dict.fromkeys((*words, "plan=true")),)
    return (*words, "--no-figures") if words[0] == "report" else words


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Done]:
    """The result of each command; one process and one folder run all, in the order of the pages."""
    places = tmp_path_factory.mktemp("documented")
    work = work_in(places / "work")
    environ = environment(places, MNIST_SWEEP_DATA=str(work / "train.csv"), PYTHONPATH=str(ROOT))
    assert run(GRID, work, environ).code == ExitCode.DONE
    for name in COPIES:
        shutil.copytree(work / "outputs" / "grid", work / "outputs" / name)
    wanted = dict.fromkeys((BASELINE, *(words for _, words in TO_RUN)))
    commands = {words: str(k) for k, words in enumerate(wanted)}
    commands = {words: name for words, name in commands.items() if not missing(words)}
    for name in commands.values():
        (places / name).symlink_to(work)
    ended = run_all({name: as_run(words) for words, name in commands.items()}, places, environ)
    return {words: ended[name] for words, name in commands.items()}


@pytest.mark.parametrize(("page", "words"), TO_RUN, ids=[f"{p}: {' '.join(w)}" for p, w in TO_RUN])
def test_a_command_of_a_page_can_be_given(
    done: dict[tuple[str, ...], Done], page: str, words: tuple[str, ...]
):
    if words not in done:
        pytest.skip(f"needs {missing(words)}")
    ended = done[words]
    allowed = {ExitCode.DONE}
    if "lyers=2" in words:  # the page shows how it is refused
        allowed = {ExitCode.NOTHING_RUN}
    assert ended.code in allowed, f"{page}\n{ended.out}{ended.err}"


def test_commands_that_are_not_run_are_in_a_page():
    assert {words for _, words in CALLS} >= {*NOT_RUN}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("own-network", "outputs/first/report.html"),
        ("own-task", "mine.json"),
        ("kaggle", "submission.csv"),
        ("notebook", "outputs/notebook/report.html"),
        ("study", "outputs/study/report.html"),
    ],
)
def test_a_tutorial_can_be_followed(tmp_path: Path, name: str, made: str):
    """Its files are written and its commands given, in the order of the page."""
    images, labels, *_ = small_arrays(200, shape=(28, 28), classes=10)
    (tmp_path / "train.csv").write_text(csv_text(images, labels))
    rows = csv_text(images, labels).splitlines()
    (tmp_path / "test.csv").write_text("\n".join(row.partition(",")[2] for row in rows))
    program = tmp_path / "bin" / "mnist-sweep"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mnist_sweep "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    environ = environment(tmp_path, PATH=path, PYTHONPATH=str(ROOT))
    cells = []
    for block in blocks("python", "sh", "yaml", pages=[ROOT / f"docs/tutorials/{name}.md"]):
        if block.text.startswith("# "):
            file, _, text = block.text.removeprefix("# ").partition("\n")
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
        elif block.language == "python":
            cells.append(block.text)
        lines = block.text.replace("\\\n", " ").splitlines()
        for line in lines if block.language == "sh" else ():
            done = subprocess.run(
                ["bash", "-c", line], cwd=tmp_path, env=environ, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == (3 if "exits with 3" in line else 0), (line, done.stderr)
    subprocess.run([sys.executable, "-c", "".join(cells)], cwd=tmp_path, env=environ, check=True)
    assert (tmp_path / made).exists()
