"""Hydra's own launchers (basic, joblib, submitit): the same jobs, carried to them as overrides.

Such a launcher composes each job's config itself and calls the task with it, perhaps on another
machine that shares the sweep's directory. What was decided before any run (which data) is read
from the plan there, never decided again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from mnist_sweep.config import Plain
from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping import directory
from mnist_sweep.sweeping.compose import to_plain
from mnist_sweep.sweeping.environment import describe
from mnist_sweep.sweeping.execute import execute, make_job, summary
from mnist_sweep.sweeping.plan import data_key, identify


def launch(launcher: Launcher, jobs: list[Plain], place: Path) -> list[Plain]:
    """Run jobs through one of Hydra's launchers and return their summaries.

    Raises:
        UsageError: The jobs ask for several numbers of threads, which one process cannot give.
    """
    threads = {job["settings"]["threads"] for job in jobs}
    if len(threads) > 1:
        raise UsageError(
            f"threads={','.join(map(str, sorted(threads)))} in one sweep needs "
            "hydra/launcher=pool, which gives every run a process of its own."
        )
    returns = launcher.launch([_overrides(job, place) for job in jobs], initial_job_idx=0)
    return [_summary_of(answer, job) for answer, job in zip(returns, jobs, strict=True)]


def task(config: DictConfig) -> Plain:
    """What Hydra's launchers call for every job: carry out the run that the config describes."""
    place = Path(str(HydraConfig.get().sweep.dir)).absolute()
    settings = to_plain(config)
    info = directory.dataset_of(place, data_key(settings))
    overrides: Sequence[str] = list(HydraConfig.get().overrides.task)
    job = make_job(identify(settings, list(overrides), info), info, place, describe())
    return execute(job)


def _overrides(job: Plain, place: Path) -> list[str]:
    subdir = Path(job["directory"]).relative_to(place)
    return [
        *job["overrides"], f"hydra.sweep.dir={_quoted(place)}",
        f"hydra.sweep.subdir={_quoted(subdir)}",
    ]  # fmt: skip


def _quoted(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _summary_of(answer: Any, job: Plain) -> Plain:
    if answer.status == JobStatus.COMPLETED:
        return dict(answer.return_value)
    try:
        reason = str(answer.return_value)
    except Exception as error:  # a failed JobReturn raises what the job raised
        reason = f"{type(error).__name__}: {error}"
    return summary(job, "failed", reason)
