"""`.hydra/` of a run, as people who know Hydra expect it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from mnist_sweep.sweeping.launch import hydra_files
from support.sweep_parts import point_of

HYDRA: dict[str, Any] = {
    "overrides": {"hydra": ["hydra.sweep.dir=x"], "task": ["layers=1,2"]},
    "runtime": {"cwd": "/here", "output_dir": "???"},
}


def job(directory: Path, **more: Any) -> dict[str, Any]:
    point = point_of(layers=2, activation="tanh")
    overrides = ["layers=2", "activation=tanh", "name='ü: b'"]
    return {
        "settings": point.settings, "overrides": overrides, "directory": str(directory), **more
    }  # fmt: skip


def test_the_files_say_what_was_run(tmp_path: Path):
    made = job(tmp_path, hydra=HYDRA)
    hydra_files.write(made)
    folder = tmp_path / ".hydra"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml", "hydra.yaml", "overrides.yaml",
    ]  # fmt: skip
    assert yaml.safe_load((folder / "config.yaml").read_text()) == made["settings"]
    assert yaml.safe_load((folder / "overrides.yaml").read_text()) == made["overrides"]
    hydra = OmegaConf.load(folder / "hydra.yaml").hydra
    assert hydra.overrides.task == made["overrides"]
    assert hydra.runtime.output_dir == str(tmp_path)
    assert hydra.runtime.cwd == "/here"


def test_what_hydra_gave_is_not_changed(tmp_path: Path):
    hydra_files.write(job(tmp_path, hydra=HYDRA))
    assert HYDRA["overrides"]["task"] == ["layers=1,2"]
    assert HYDRA["runtime"]["output_dir"] == "???"


def test_without_hydra_there_is_no_hydra_yaml(tmp_path: Path):
    hydra_files.write(job(tmp_path))
    assert not (tmp_path / ".hydra" / "hydra.yaml").exists()
