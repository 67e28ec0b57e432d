"""A sweep from its plan to its last run: the steps that grids, studies and searches share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import UsageError
from mnist_sweep.records import locks
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import DEFAULT_NAME, MLP_TARGET, SWEEP_KEYS, Plain, is_task
from mnist_sweep.sweeping.context import Command
from mnist_sweep.sweeping.launch import processes, submitted
from mnist_sweep.sweeping.launch.job import Job, failed_at, is_up_to_date, record_at, record_of
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.user_code.checks import Network, check_networks, check_tasks
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.commands import invocation_of
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.estimate import Preview, longest_first, preview_of
from mnist_sweep.sweeping.plan.points import Plan, Point
from mnist_sweep.sweeping.result import SweepResult

if TYPE_CHECKING:
    from mnist_sweep.sweeping.search.search import Search

DEFAULT_DIRECTORY = "outputs/${name}"


@dataclass(frozen=True)
class SweepRequest:
    """What Hydra gives to a sweep, a study or a search."""

    launcher: SweepLauncher
    config: DictConfig  # the sweep's own
    loader: ConfigLoader  # composes points
    overrides: list[str]  # that make points: the config's own sweep, then the command line's

    @property
    def command(self) -> Command:
        """The command line that requests it."""
        return self.launcher.context.command

    @property
    def single(self) -> bool:
        """Whether it requests one run, not a sweep: neither -m nor hydra.mode=MULTIRUN is given."""
        return self.command.single and self.config.hydra.mode is None


def place(request: SweepRequest) -> tuple[Path, bool]:
    """A sweep's directory, and whether it must be a new one because its name was made up."""
    config = request.config
    raw: Any = OmegaConf.to_container(config, resolve=False)
    single = request.single and raw["hydra"]["run"]["dir"] != DEFAULT_DIRECTORY
    kind = "run" if single else "sweep"
    # The default name is the time: a second sweep in the same second needs another directory.
    made_up = raw["hydra"][kind]["dir"] == DEFAULT_DIRECTORY and raw["name"] == DEFAULT_NAME
    return Path(str(config.hydra[kind].dir)).absolute(), made_up


def check_leaving(request: SweepRequest) -> None:
    """Refuse `wait=false` where something must happen once runs have ended."""
    config, choices = request.config, request.config.hydra.runtime.choices
    if config.wait:
        return
    needs = {
        f"hydra/launcher={choices['hydra/launcher']}": not request.launcher.can_leave,
        f"hydra/sweeper={choices['hydra/sweeper']}": choices["hydra/sweeper"] != "grid",
        "study.stages": config.study.stages,
        "budget_s": config.budget_s is not None,
        "fail_fast=true": config.fail_fast,
    }
    if found := [name for name, needed in needs.items() if needed]:
        raise UsageError(
            f"wait=false does not work with {', '.join(found)}: the command would have to stay "
            "until runs have ended. It submits a grid with hydra/launcher=slurm or submitit_local."
        )


def check_models(plan: Plan) -> list[str]:
    """Check the plan's own networks and tasks in a worker (`launch.user_code.checks`).

    Returns sentences: what of them is not used in training.
    """
    of_tasks = [point.settings for point in plan.points if is_task(point.settings)]
    if len(of_tasks) == len(plan.points) > 0:
        processes.start_fork_server(processes.PRELOAD_TASK)  # no TensorFlow
    plan.seedless = check_tasks(of_tasks)
    own = {}  # each network once
    for point in plan.points:
        settings, info = point.settings, plan.datasets[point.data_key]
        if not is_task(settings) and (model := settings["model"])["_target_"] != MLP_TARGET:
            network = Network(model, info.shape, info.classes, settings["outputs"] == "logits")
            own[str(network)] = network
    return check_networks(list(own.values()))


def preview(request: SweepRequest, plan: Plan) -> Preview:
    """What a plan would run; nothing is made or run."""
    path, _ = place(request)
    paths = SweepPaths(path)
    records = (record_at(paths.run(p.label, p.run_id), p.run_id) for p in plan.points)
    done = {record.run_id for record in records if record and RunStatus(record.status).is_final}
    threads = max(point.settings["threads"] for point in plan.points)
    return preview_of(path, plan, done, request.launcher.workers(len(plan.points), threads))


def _begin(request: SweepRequest, plan: Plan) -> SweepResult:
    """Claim the directory and write the plan into it."""
    config, command = request.config, request.command
    path, made_up = place(request)
    if not made_up:
        directory.read(path)  # a damaged plan is refused before anything is made
    if command.repeats:
        directory.check_same_data(path, command.repeats, plan)
    environment = describe()
    # Options for Hydra itself, without which it would compose other points.
    hydra = [
        *(str(text) for text in config.hydra.overrides.hydra),
        *(f"--config-dir={source.path}" for source in config.hydra.runtime.config_sources
          if source.provider == "command-line"),
    ]  # fmt: skip
    # Read by tables and the gate, which see no config: what "best" means, for one.
    own = OmegaConf.to_container(OmegaConf.masked_copy(config, list(SWEEP_KEYS)), resolve=True)
    settings = {**cast("Plain", own), "sweeper": config.hydra.runtime.choices["hydra/sweeper"]}
    invocation = invocation_of(plan, command.words, request.overrides, hydra, settings, environment)
    claimed = directory.claim(path, own=made_up)
    result = SweepResult(
        claimed, plan, invocation, environment, leaves=not config.wait, report=bool(config.report)
    )
    result.notices += directory.note_invocation(claimed, invocation)
    if not locks.supported(claimed):
        result.notices.append(
            f"The file system of {claimed} has no locks: start one sweep at a time there."
        )
    return result


def launch(request: SweepRequest, result: SweepResult, part: Plan | None = None) -> None:
    """Run what is not done yet, of all points or a part; fills in the result as far as it comes."""
    jobs = _open_jobs(request, result, part or result.plan)
    if not jobs:
        return
    threads = max(job.settings["threads"] for job in jobs)
    result.workers = request.launcher.workers(len(jobs), threads)
    jobs = [job.with_environment(workers=result.workers) for job in jobs]
    run_jobs(request, result, jobs, len(jobs), sum(job.expected_s for job in jobs))


def run_jobs(
    request: SweepRequest,
    result: SweepResult,
    jobs: list[Job],
    n_runs: int,
    expected_s: float,
    scheduler: Search | None = None,
) -> None:
    """Run jobs, and those that a scheduler adds, `n_runs` in all; fills in the result."""
    launcher = request.launcher
    launcher.context.interrupt_if_swallowed()
    progress = launcher.make_progress()
    progress.begin(n_runs, result.workers, expected_s)
    if result.report and launcher.reports_epochs:  # others may fork, which threads would disturb
        launcher.context.first_run_waits()
    launcher.launch_jobs(jobs, result, progress, scheduler)


def carry_out(
    request: SweepRequest, plan: Plan, work: Callable[[SweepRequest, SweepResult], None]
) -> SweepResult:
    """Begin a sweep and do its work; where Ctrl-C or a signal interrupts it, what was done stays.

    Raises:
        DirectoryError: The directory cannot be made or written, its plan is damaged, or it was run
            with other data. Nothing on disk has changed then.
    """
    result = _begin(request, plan)
    try:
        work(request, result)
    except KeyboardInterrupt:
        result.interrupted = True
    return result


class Jobs:
    """Makes jobs of a sweep's points; Hydra's node is converted and records are read once."""

    def __init__(self, request: SweepRequest, result: SweepResult) -> None:
        config = request.config
        self._estimator = request.launcher.estimator(result.directory)
        self._shared: Plain = {
            "sweep": result.directory,
            "environment": {**result.environment, "workers": 1},
            "rerun_failed": bool(config.rerun_failed),
            "hydra": OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True),
            "timeout_s": config.timeout_s,
            "objective": str(config.objective),
        }

    def of(self, point: Point, info: DatasetInfo, *, prune: bool = False) -> Job:
        """The job of a point on its prepared data; `prune` lets it be stopped early."""
        shared = {**self._shared, "prune": prune, "estimated": self._estimator.knows(point)}
        return Job(point, info, expected_s=self._estimator.of(point, info).seconds, **shared)


def _open_jobs(request: SweepRequest, result: SweepResult, plan: Plan) -> list[Job]:
    """Jobs of the points that are not done, longest first."""
    made, jobs = Jobs(request, result), []
    # A run of an earlier part was done when this one began, and is no skipped run of the sweep.
    known = {*result.skipped, *(summary.run_id for summary in result.summaries)}
    queued = {one.job.run_id: one for one in submitted.collect(result.directory)}
    for point in longest_first(plan.points, plan):
        job = made.of(point, plan.datasets[point.data_key])
        record = record_of(job)
        job = replace(job, failed_at=failed_at(record))
        if is_up_to_date(job, record):
            result.skipped += [point.run_id] if point.run_id not in known else []
        elif point.run_id in queued and not request.config.study.stages:  # which need the results
            result.queued.append(queued[point.run_id])
        else:
            jobs.append(job)
    return jobs
