"""Parts of a sweep for tests: a dataset's description, points, jobs, plans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import OmegaConf
from rich.console import Console

from mnist_sweep.data import DatasetInfo
from mnist_sweep.settings import defaults
from mnist_sweep.sweeping.context import SweepContext
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.launcher import Budget, SweepLauncher
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.sweeping.plan.points import Plan, Point, identify
from support.factories import Made, make_settings

AnyLauncher = TypeVar("AnyLauncher", bound=SweepLauncher)
ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.9", "tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6",
    "hydra": "1.3.8", "mnist_sweep": "0.1.0", "git_sha": "a" * 40, "git_dirty": False,
    "cpu": "a processor",
}  # fmt: skip


def info_of(**changes: Any) -> DatasetInfo:
    values: dict[str, Any] = {
        "name": "mnist", "source": "a folder", "sha256": "d" * 64, "shape": [28, 28],
        "classes": 10, "scale": 255.0, "n_train": 54_000, "n_validation": 6_000, "n_test": 10_000,
        "validation_fraction": 0.1, "split_seed": 0, "test_fraction": None, "cache": "/cache",
        "notice": None,
    }  # fmt: skip
    return DatasetInfo.from_dict({**values, **changes})


def point_of(info: DatasetInfo | None = None, **changes: Any) -> Point:
    settings = {**defaults(), **make_settings(**changes), "name": "grid"}
    overrides = [f"{key}={value}" for key, value in changes.items()]
    return identify(settings, overrides, info or info_of())


def job_of(sweep: Path, run: Made | None = None, **changes: Any) -> Job:
    """A job in a sweep's directory: of a run that the factories made, or of a usual point."""
    point = changes.pop("point", None) or point_of()
    if run is not None:
        ids = ("run_id", "configuration_id", "label")
        point = replace(point, **{key: run.values[key] for key in ids})
    return replace(Job(point, info_of(), sweep, ENVIRONMENT), **changes)


def plan_of(*points: Point, **info: Any) -> Plan:
    data = info_of(**info)
    return Plan(list(points), {point.data_key: data for point in points})


def begun(
    launcher: AnyLauncher,
    workers: int = 1,
    scheduler: Any = None,
    **settings: Any,
) -> AnyLauncher:
    """A launcher that is ready to run jobs by these of a sweep's settings, and shows nothing."""
    values = {"retries": 0, "fail_fast": False, "n_jobs": None, "wait": True, "budget_s": None}
    launcher.config = OmegaConf.create({**values, **settings})
    launcher.context = SweepContext()
    launcher.budget = Budget(launcher.config.budget_s)
    launcher.begin([], workers, Progress(Console(quiet=True)), scheduler)
    return launcher
