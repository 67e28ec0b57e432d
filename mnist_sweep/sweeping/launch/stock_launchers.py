"""Hydra's own launchers (basic, joblib, submitit): jobs are handed to them as overrides.

Such a launcher takes all its jobs at once, composes each job's config itself and calls the task
with it, perhaps on another machine that shares the sweep's directory. What was decided before any
run (which data) is read from the plan there, never decided again.

The plugin for submitit waits for its jobs in their order, and at the first that died it stops
waiting while the others go on unseen. So here the plugin's own function is submitted with the same
settings, and each job is reported as it ends, whatever becomes of the others.
"""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from hydra.utils import instantiate
from omegaconf import DictConfig

from mnist_sweep.errors import ModelError, UsageError
from mnist_sweep.records.paths import label_and_run_id
from mnist_sweep.records.progress_file import add_epoch
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import effective, epochs_of
from mnist_sweep.sweeping.launch.execute import Epoch, execute
from mnist_sweep.sweeping.launch.job import Job, RunSummary, failed_at, record_of
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.submitted import (
    ENDED,
    SubmittedJob,
    copy_code,
    died_with,
    ended_without_record,
    note,
    outcome_of,
    record_death,
    with_states,
)
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.overrides import hydra_text
from mnist_sweep.sweeping.plan.points import data_key, identify, to_plain

# Jobs that are handed over at a time by a search and with a budget, if `n_jobs` is not set.
DEFAULT_BATCH = 8
POLL_S = 0.5
QUERY_EVERY_S = 10.0


def task(config: DictConfig) -> RunSummary:
    """What Hydra's launchers call for every job: run what the config describes.

    Raises:
        ModelError: Here it is another run than the one that was planned.
    """
    place = Path(str(HydraConfig.get().sweep.dir)).absolute()
    settings = effective(to_plain(config))
    info = directory.dataset_of(place, data_key(settings))
    point = identify(settings, list(HydraConfig.get().overrides.task), info)
    planned = label_and_run_id(Path(str(HydraConfig.get().sweep.subdir)).name)[1]
    if point.run_id != planned:
        raise ModelError(
            f"{point.label} was planned as run {planned}, and here it is run {point.run_id}: the "
            "code of the network was edited after the sweep had started, or this machine has "
            "another version of it. Repeat the sweep's command."
        )
    job = Job(
        point, info, place, describe() | {"workers": 1}, objective=settings["objective"],
        timeout_s=settings["timeout_s"],
    )  # fmt: skip

    # No parent listens here; `mnist-sweep ui` reads the file.
    def report(epoch: Epoch) -> None:
        if epoch.number > 0:
            add_epoch(job.paths.progress, epoch.number, epochs_of(settings), epoch.figures)

    try:
        return execute(replace(job, failed_at=failed_at(record_of(job))), report)
    finally:
        job.paths.progress.unlink(missing_ok=True)


class StockLauncher(SweepLauncher):
    """Any launcher of Hydra's kind as one of this program: it gets jobs in batches."""

    reports_epochs = False
    active: list[Job]

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        submitit = "hydra_plugins.hydra_submitit_launcher"
        self.can_leave = type(launcher).__module__.startswith(submitit)

    def workers(self, n_jobs: int, threads: int) -> int:  # noqa: ARG002  (the launcher decides)
        """1: how many runs go at a time is the launcher's own setting."""
        return 1

    def begin(self, jobs: Sequence[Job], *arguments: Any, **options: Any) -> None:
        """Prepare to hand over all jobs at once, or some at a time of a search or a budget."""
        super().begin(jobs, *arguments, **options)
        _check_threads(jobs)
        some = int(self.config.n_jobs or DEFAULT_BATCH)
        self._batch = some if self.budget.seconds else len(jobs) or some

    def room(self) -> int:
        """A whole batch."""
        return self._batch

    def ahead_s(self) -> float:
        """Of the batch, as if its runs went one after another, whatever the launcher does."""
        return sum(job.expected_s for job in self.active)

    def start(self, job: Job) -> None:
        """Add a job to the batch."""
        self.active.append(job)

    def stop(self) -> None:
        """Keep what ended before an interrupt and was not reported yet; the launcher has ended."""
        self.finish_unreported(self.active)
        self.active.clear()

    def wait(self) -> None:
        """Run the batch to its end, or leave it in its queue."""
        jobs = list(self.active)
        _check_threads(jobs)
        overrides = [
            [
                *job.point.overrides, f"hydra.sweep.dir={hydra_text(str(job.sweep))}",
                f"hydra.sweep.subdir={hydra_text(f'{job.paths.directory.relative_to(job.sweep)}')}",
            ]
            for job in jobs
        ]  # fmt: skip
        answers: Iterable[tuple[int, Any]]
        if not self.can_leave:
            answers = zip(range(len(jobs)), self._launched(jobs, overrides), strict=True)
        else:
            submitted = submit(self._launcher, overrides, jobs)
            if not self.config.wait:
                self.submitted += [one for one, _ in submitted]
                self.active.clear()
                return
            answers = ended(submitted)
        for number, answer in answers:
            self.active.remove(jobs[number])
            self.finish(jobs[number], _summary_of(jobs[number], answer))

    def _launched(self, jobs: list[Job], overrides: list[list[str]]) -> Sequence[Any]:
        """What a launcher returns of its jobs once all have ended."""
        try:
            return self._launcher.launch(overrides, initial_job_idx=0)
        except Exception as error:  # noqa: BLE001  (launchers raise anything where a worker dies)
            # Hydra wraps what is raised while it composes a config, a KeyboardInterrupt too.
            self.context.interrupt_if_swallowed()
            return [outcome_of(job, f"its launcher {died_with(error)}") for job in jobs]


def submit(
    launcher: Any, overrides: Sequence[Sequence[str]], jobs: Sequence[Job]
) -> list[tuple[SubmittedJob, Any]]:
    """Submit jobs with a copy of the code that they run; returns them as noted, and submitit's.

    Raises:
        UsageError: They were not accepted, and none runs.
    """
    start = copy_code(jobs[0].sweep, jobs)
    # `settings` are hydra.launcher's; those that are left at the end are submitit's parameters.
    kind, settings = launcher._EXECUTOR, dict(launcher.params)  # noqa: SLF001  (slurm or local)
    settings.pop("_target_", None)
    folder = settings.pop("submitit_folder")
    first = {f"{kind}_python": shlex.join([sys.executable, "-u", str(start)])}
    if kind == "slurm":
        first["slurm_max_num_timeout"] = settings.pop("max_num_timeout")
    count = len(jobs)
    try:
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        # Settings of the plugin's base have the same name on every cluster; not so `slurm_qos`.
        common = {one.name for one in fields(BaseQueueConf)}
        executor = submitit.AutoExecutor(folder=folder, cluster=kind, **first)
        executor.update_parameters(
            **{key if key in common else f"{kind}_{key}": value for key, value in settings.items()}
        )
        # As the plugin's own `launch` calls it.
        submitted = executor.map_array(
            launcher,
            [list(words) for words in overrides],
            ["hydra.sweep.dir"] * count,
            list(range(count)),
            [f"job_id_for_{number}" for number in range(count)],
            [Singleton.get_state()] * count,
        )
    except Exception as error:  # submitit raises anything: no Slurm here, a wrong partition
        raise UsageError(
            f"Expected to submit {count} runs by submitit, but "
            f"{type(error).__name__}: {' '.join(str(error).split())[:500]}. Check the settings "
            "of hydra.launcher, or run on this machine with hydra/launcher=pool."
        ) from error
    noted = [
        SubmittedJob(
            cluster=kind,
            job_id=one.job_id,
            machine=platform.node(),
            folder=str(Path(folder).expanduser().absolute()),
            job=replace(job, data=replace(job.data, stamp=None), hydra={}),
        )
        for one, job in zip(submitted, jobs, strict=True)
    ]
    note(jobs[0].sweep, noted)
    return list(zip(noted, submitted, strict=True))


def ended(submitted: Sequence[tuple[SubmittedJob, Any]]) -> Iterator[tuple[int, Any]]:
    """Wait for jobs, and cancel those that have not ended if interrupted.

    Yields:
        Which job (from 0) ended, with Hydra's JobReturn, or why (a str) its process died.
    """
    waiting, user = dict(enumerate(submitted)), os.getuid() if hasattr(os, "getuid") else 0
    asked, gone = time.monotonic(), dict[str, SubmittedJob]()
    try:
        while waiting:
            dead: dict[str, SubmittedJob] = {}
            if time.monotonic() - asked > QUERY_EVERY_S:
                # submitit asks sacct, which knows nothing where Slurm keeps no accounts.
                before, seen = gone, with_states([one for one, _ in waiting.values()], user)
                gone = {one.job_id: one for one in seen if one.state in ENDED}
                # Gone at two looks: not only its result comes a little late.
                dead = {job_id: one for job_id, one in gone.items() if job_id in before}
                asked = time.monotonic()
            for number, (one, job) in list(waiting.items()):
                if job.done():
                    try:
                        answer = job.results()[0]
                    except Exception as error:  # noqa: BLE001  (anything, where a process died)
                        answer = f"its job {died_with(error)}"
                elif one.job_id in dead:
                    answer = ended_without_record(dead[one.job_id])
                else:
                    continue
                del waiting[number]
                yield number, answer
            time.sleep(POLL_S if waiting else 0)
    finally:
        for _, job in waiting.values():
            job.cancel(check=False)
        if submitted:
            note(submitted[0][0].job.sweep, gone=[one for one, _ in submitted])


def _check_threads(jobs: Sequence[Job]) -> None:
    threads = {job.settings["threads"] for job in jobs}
    if len(threads) > 1:
        raise UsageError(
            f"threads={','.join(map(str, sorted(threads)))} in one sweep needs "
            "hydra/launcher=pool, which gives every run a process of its own."
        )


def _summary_of(job: Job, answer: Any) -> RunSummary:
    """From Hydra's JobReturn, from why (a str) the process died, or a summary as it is."""
    if isinstance(answer, str):
        return record_death(job, answer)
    try:
        returned = answer if isinstance(answer, RunSummary) else answer.return_value
    except Exception as error:  # noqa: BLE001  (a failed JobReturn raises what the job raised)
        returned = f"{type(error).__name__}: {error}"
    if isinstance(returned, RunSummary):
        return returned
    return RunSummary.of(job, RunStatus.FAILED, str(returned))


def make_launcher(
    hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
) -> SweepLauncher:
    """The launcher that a sweep's config names, ready to run jobs.

    Raises:
        UsageError: It cannot be imported or made, or is no launcher.
    """
    given: dict[str, Any] = {
        "hydra_context": hydra_context, "task_function": task_function, "config": config,
    }  # fmt: skip
    target = str(config.hydra.launcher._target_)
    found: Any
    # Hydra makes plugins of these two packages only, and finds them without an import.
    if target.startswith(("hydra_plugins.", "hydra._internal.")):
        found = Plugins.instance().instantiate_launcher(**given)
    else:
        try:
            found = instantiate(config.hydra.launcher, _convert_="all")
        except HydraException as error:
            reason = " ".join(str(error).partition("\nfull_key")[0].split())
            raise UsageError(f"hydra.launcher._target_={target}: {reason}") from error
        if not isinstance(found, Launcher):
            raise UsageError(
                f"hydra.launcher._target_={target} makes a {type(found).__name__}: expected a "
                "launcher, a class derived from mnist_sweep.sweeping.launch.launcher.SweepLauncher."
            )
        found.setup(**given)
    if isinstance(found, SweepLauncher):
        return found
    stock = StockLauncher(found)
    stock.setup(**given)
    return stock
