"""Parts from outside the package: a dataset, a reader and a trainer, without an edit to it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import REPOSITORY
from support.commands import environment, run

ENTRY_POINTS = """
[mnist_sweep.trainers]
recorded = my_parts:train
[mnist_sweep.readers]
arrays = my_parts:READER
"""
PARTS = """
from multiprocessing import parent_process
from pathlib import Path
import numpy as np
from mnist_sweep.data import Reader
from mnist_sweep.data.arrays import Examples

def train(network, dataset, settings, on_epoch):
    from mnist_sweep.training import fit
    Path("trained").write_text("by us, in a worker" if parent_process() else "by us, in no worker")
    return fit.train(network, dataset, settings, on_epoch)

def read(path):
    images = np.load(path)
    return Examples(images, images[:, 0, 0] // 50, str(path), str(path)), None

def load():
    images = np.load("images.npy")
    return {"x_train": images, "y_train": images[:, 0, 0] // 50}

READER = Reader(read, description="the array")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a module, its entry points and its configuration files."""
    (tmp_path / "my_parts.py").write_text(PARTS)
    installed = tmp_path / "my_parts-1.0.dist-info"
    for folder in (installed, tmp_path / "conf" / "trainer", tmp_path / "conf" / "data"):
        folder.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "conf" / "trainer" / "recorded.yaml").write_text("name: recorded\n")
    (tmp_path / "conf" / "data" / "arrays.yaml").write_text("name: arrays\npath: images.npy\n")
    (tmp_path / "conf" / "data" / "letters.yaml").write_text("name: own\n_target_: my_parts.load\n")
    images = np.random.default_rng(0).integers(0, 50, (120, 4, 4)).astype(np.uint8)
    images[:, 0, 0] = 50 * (np.arange(120) % 3)
    np.save(tmp_path / "images.npy", images)
    return tmp_path


def test_data_and_trainers_of_another_package_are_used_by_their_names(project: Path):
    done = run(
        ["--config-dir=conf", "-m", "nodes=4", "epochs=1", "report=false", "name=s",
         "data=arrays,letters", "trainer=recorded"],
        project, environment(project, PYTHONPATH=f"{REPOSITORY}:{project}"),
    )  # fmt: skip
    assert done.code == 0, done.err
    records = [json.loads(p.read_text()) for p in project.glob("outputs/s/runs/*/record.json")]
    # The same content is the same run, whichever way it was read.
    assert [record["status"] for record in records] == ["finished"]
    assert records[0]["config"]["trainer"]["name"] == "recorded"
    assert records[0]["data"]["classes"] == 3
    assert (project / "trained").read_text() == "by us, in a worker"
