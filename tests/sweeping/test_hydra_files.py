"""`.hydra/` of a run, as people who know Hydra expect it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.worker import write_hydra_files
from support.sweep_parts import job_of, point_of

HYDRA: dict[str, Any] = {
    "overrides": {"hydra": ["hydra.sweep.dir=x"], "task": ["layers=1,2"]},
    "runtime": {"cwd": "/here", "output_dir": "???"},
}


def job(directory: Path, **more: Any) -> Job:
    point = point_of(layers=2, activation="tanh")
    overrides = ["layers=2", "activation=tanh", "name='ü: b'"]
    return job_of(directory, point=replace(point, overrides=overrides), **more)


def test_the_files_say_what_was_run(tmp_path: Path):
    made = job(tmp_path, hydra=HYDRA)
    write_hydra_files(made)
    folder = made.paths.directory / ".hydra"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml", "hydra.yaml", "overrides.yaml",
    ]  # fmt: skip
    assert yaml.safe_load((folder / "config.yaml").read_text()) == made.settings
    assert yaml.safe_load((folder / "overrides.yaml").read_text()) == made.point.overrides
    hydra = OmegaConf.load(folder / "hydra.yaml").hydra
    assert hydra.overrides.task == made.point.overrides
    assert hydra.runtime.output_dir == str(made.paths.directory)
    assert hydra.runtime.cwd == "/here"


def test_what_hydra_gave_is_not_changed(tmp_path: Path):
    write_hydra_files(job(tmp_path, hydra=HYDRA))
    assert HYDRA["overrides"]["task"] == ["layers=1,2"]
    assert HYDRA["runtime"]["output_dir"] == "???"


def test_without_hydra_there_is_no_hydra_yaml(tmp_path: Path):
    made = job(tmp_path)
    write_hydra_files(made)
    assert not (made.paths.hydra / "hydra.yaml").exists()
