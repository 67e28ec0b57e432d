"""A sweep from its plan to its last run."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from mnist_sweep.config import DEFAULT_NAME, MLP_TARGET, Plain
from mnist_sweep.results import locks
from mnist_sweep.sweeping import directory, foreign, pool, worker
from mnist_sweep.sweeping.environment import describe
from mnist_sweep.sweeping.estimate import longest_first
from mnist_sweep.sweeping.execute import DONE, make_job, status_of
from mnist_sweep.sweeping.launcher import PoolLauncher
from mnist_sweep.sweeping.outcome import Outcome
from mnist_sweep.sweeping.plan import Plan
from mnist_sweep.sweeping.progress import choose

DEFAULT_DIRECTORY = "outputs/${name}"


class Interrupted(BaseException):
    """SIGTERM: end as Ctrl-C does."""


def place(master: DictConfig, *, single: bool) -> tuple[Path, bool]:
    """A sweep's directory, and whether it must be a new one because its name was made up."""
    raw: Any = OmegaConf.to_container(master, resolve=False)
    kind = "run" if single and raw["hydra"]["run"]["dir"] != DEFAULT_DIRECTORY else "sweep"
    made_up = raw["hydra"][kind]["dir"] == DEFAULT_DIRECTORY and raw["name"] == DEFAULT_NAME
    return Path(str(master.hydra[kind].dir)).absolute(), made_up


def check_models(plan: Plan) -> None:
    """Build each network of the user's own once, in a worker, before any run.

    Raises:
        ModelError: One cannot be built, is no Keras model, or does not fit the data.
    """
    seen = set()
    for point in plan.points:
        model, info = point.settings["model"], plan.datasets[point.data_key]
        key = (str(model), info.shape, info.classes)
        if model["_target_"] != MLP_TARGET and key not in seen:
            seen.add(key)
            pool.call(worker.count_parameters, model, info.shape, info.classes)


def preview(launcher: Launcher, master: DictConfig, plan: Plan, *, single: bool) -> Outcome:
    """The outcome of a mere plan: nothing is made or run."""
    path, _ = place(master, single=single)
    outcome = Outcome(path, plan, planned_only=True)
    if isinstance(launcher, PoolLauncher):
        threads = max(point.settings["threads"] for point in plan.points)
        outcome.workers = launcher.workers(len(plan.points), threads)
    outcome.skipped = [
        point.run_id for point in plan.points if _status(path, point.label, point.run_id) in DONE
    ]
    return outcome


def _status(path: Path, label: str, run_id: str) -> str | None:
    return status_of({"directory": str(path / "runs" / f"{label}-{run_id}"), "run_id": run_id})


def begin(master: DictConfig, plan: Plan, asked: list[str], *, single: bool) -> Outcome:
    """Claim the directory and write the plan into it.

    Raises:
        DirectoryError: The directory cannot be made or written.
    """
    path, made_up = place(master, single=single)
    outcome = Outcome(directory.claim(path, own=made_up), plan)
    hydra = [str(text) for text in master.hydra.overrides.hydra]
    outcome.notices += directory.note_invocation(outcome.directory, plan, asked, hydra, describe())
    if not locks.supported(outcome.directory):
        outcome.notices.append(
            f"The file system of {outcome.directory} has no locks: start one sweep at a time there."
        )
    return outcome


def launch(launcher: Launcher, master: DictConfig, outcome: Outcome) -> None:
    """Run what is not done yet; fills in the outcome, also when it is interrupted."""
    jobs = _open_jobs(master, outcome)
    if not jobs:
        return
    progress = choose(Console(stderr=True))
    if not isinstance(launcher, PoolLauncher):
        progress.begin(len(jobs), 1)
        outcome.summaries = foreign.launch(launcher, jobs, outcome.directory)
        return
    threads = max(job["settings"]["threads"] for job in jobs)
    outcome.workers = launcher.workers(len(jobs), threads)
    for job in jobs:
        job["environment"]["workers"] = outcome.workers
    progress.begin(len(jobs), outcome.workers)
    try:
        with _sigterm_interrupts():
            launcher.launch_jobs(jobs, outcome.workers, progress)
    finally:
        outcome.summaries = launcher.summaries
        progress.end()


def _open_jobs(master: DictConfig, outcome: Outcome) -> list[Plain]:
    """Jobs of the points that are not done, longest first."""
    plan, environment = outcome.plan, describe()
    hydra: Any = OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
    jobs = []
    for point in longest_first(plan.points, plan):
        job = make_job(point, plan.datasets[point.data_key], outcome.directory, environment)
        job["rerun_failed"] = bool(master.rerun_failed)
        job["hydra"] = hydra
        status = status_of(job)
        if status in DONE or (status == "failed" and not master.rerun_failed):
            outcome.skipped.append(point.run_id)
        else:
            jobs.append(job)
    return jobs


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    def stop(_number: int, _frame: Any) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
