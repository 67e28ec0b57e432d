"""A sweep from its plan to its last run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.data import DatasetInfo
from mnist_sweep.records import locks
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import DEFAULT_NAME, MLP_TARGET
from mnist_sweep.sweeping.interrupts import Interrupted
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.job_record import failed_at, is_up_to_date, record_at, record_of
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.networks import Network, check_networks
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.estimate import Estimator, longest_first
from mnist_sweep.sweeping.plan.points import Plan, Point
from mnist_sweep.sweeping.result import SweepResult

__all__ = ["Interrupted", "Jobs", "begin", "check_models", "launch", "place", "preview"]

DEFAULT_DIRECTORY = "outputs/${name}"


def place(master: DictConfig, *, single: bool) -> tuple[Path, bool]:
    """A sweep's directory, and whether it must be a new one because its name was made up."""
    raw: Any = OmegaConf.to_container(master, resolve=False)
    kind = "run" if single and raw["hydra"]["run"]["dir"] != DEFAULT_DIRECTORY else "sweep"
    made_up = raw["hydra"][kind]["dir"] == DEFAULT_DIRECTORY and raw["name"] == DEFAULT_NAME
    return Path(str(master.hydra[kind].dir)).absolute(), made_up


def check_models(plan: Plan) -> None:
    """Build each network of the user's own once, in a worker, before any run.

    Raises:
        ModelError: Lists those that cannot be built, are no Keras model, or do not fit the data.
    """
    own = {}
    for point in plan.points:
        model, info = point.settings["model"], plan.datasets[point.data_key]
        if model["_target_"] != MLP_TARGET:
            network = Network(model, info.shape, info.classes)
            own[str(network)] = network
    check_networks(list(own.values()))


def preview(
    launcher: SweepLauncher, master: DictConfig, plan: Plan, *, single: bool
) -> SweepResult:
    """The result of a mere plan: nothing is made or run."""
    path, _ = place(master, single=single)
    result = SweepResult(path, plan, planned_only=True)
    threads = max(point.settings["threads"] for point in plan.points)
    result.workers = launcher.workers(len(plan.points), threads)
    paths = SweepPaths(path)
    records = (record_at(paths.run(p.label, p.run_id), p.run_id) for p in plan.points)
    result.skipped = [r.run_id for r in records if r and RunStatus(r.status).is_final]
    return result


def begin(master: DictConfig, plan: Plan, asked: list[str], *, single: bool) -> SweepResult:
    """Claim the directory and write the plan into it.

    Raises:
        DirectoryError: The directory cannot be made or written.
    """
    path, made_up = place(master, single=single)
    result = SweepResult(directory.claim(path, own=made_up), plan, report=bool(master.report))
    if master.hydra.sweeper.get("same_data"):
        directory.check_same_data(result.directory, plan)
    # With what else Hydra needs to be told to come to the same points again.
    hydra = [
        *(str(text) for text in master.hydra.overrides.hydra),
        *(
            f"--config-dir={source.path}"
            for source in master.hydra.runtime.config_sources
            if source.provider == "command-line"
        ),
    ]
    result.notices += directory.note_invocation(result.directory, plan, asked, hydra, describe())
    if not locks.supported(result.directory):
        result.notices.append(
            f"The file system of {result.directory} has no locks: start one sweep at a time there."
        )
    return result


def launch(launcher: SweepLauncher, master: DictConfig, result: SweepResult) -> None:
    """Run what is not done yet; fills in the result, also when it is interrupted."""
    jobs = _open_jobs(master, result)
    if not jobs:
        return
    launcher.context.interrupt_if_swallowed()
    progress = launcher.progress()
    threads = max(job.settings["threads"] for job in jobs)
    result.workers = launcher.workers(len(jobs), threads)
    jobs = [job.with_environment(workers=result.workers) for job in jobs]
    progress.begin(len(jobs), result.workers, sum(job.expected_s for job in jobs))
    if result.report and launcher.reports_epochs:  # others may fork, which threads would disturb
        launcher.context.first_run_waits()
    try:
        launcher.launch_jobs(jobs, result.workers, progress)
    finally:
        result.summaries = launcher.summaries
        progress.end()


def _open_jobs(master: DictConfig, result: SweepResult) -> list[Job]:
    """Jobs of the points that are not done, longest first."""
    plan, made, jobs = result.plan, Jobs(master, result.directory), []
    for point in longest_first(plan.points, plan):
        job = made.of(point, plan.datasets[point.data_key])
        job = replace(job, failed_at=failed_at(record_of(job)))
        if is_up_to_date(job):
            result.skipped.append(point.run_id)
        else:
            jobs.append(job)
    return jobs


class Jobs:
    """Makes jobs of a sweep's points.

    Args:
        master: The sweep's own config.
        directory: The sweep's.
    """

    def __init__(self, master: DictConfig, directory: Path) -> None:
        self._hydra: Any = OmegaConf.to_container(master.hydra, resolve=False, enum_to_str=True)
        self._rerun_failed = bool(master.rerun_failed)
        self._directory = directory
        self._environment = describe() | {"workers": 1}
        # Their proportions are what the display needs; it learns this machine's speed as it goes.
        self._estimator = Estimator([])

    def of(self, point: Point, info: DatasetInfo, *, prune: bool = False) -> Job:
        """The job of a point on its prepared data; `prune` lets it be stopped early."""
        return Job(
            point,
            info,
            self._directory,
            self._environment,
            rerun_failed=self._rerun_failed,
            prune=prune,
            hydra=self._hydra,
            expected_s=self._estimator.of(point, info).seconds,
        )
