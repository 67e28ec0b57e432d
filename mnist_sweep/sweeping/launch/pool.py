"""A pool of workers on this machine: processes for runs, started by a fork server.

A large run has a process of its own, because (tests/benchmarks/worker_processes.py measures it):

- Time: the server has TensorFlow and Keras imported, so a new process costs a run less than 0.1 s,
  and only a fresh one always finds its network's program on disk (training/programs.py), which
  saves three quarters of compiling: names in a program depend on the networks that ran before.
- Memory: what a run leaves behind stays with a reused process, whose own memory grew from 81 to
  190 MB over six runs on MNIST, where fresh ones had 81 to 93 MB. The data are mapped and shared.
- Isolation: a crash, an out-of-memory kill or a leak costs that run alone.

Runs of the built-in networks that are too small for XLA (training/small.py) share a process one
after another: most of the time of such a run is what TensorFlow does once in a process, and tracing
its network, which is done once for all networks of a depth (training/fast/any_width.py). Code of
the user's own always gets a fresh process, as it may keep something that the next run would see.

Where there is no fork server (Windows) processes are spawned, which takes seconds each.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from multiprocessing import connection
from typing import Any

from hydra.core.config_store import ConfigStore

from mnist_sweep.cores import cores
from mnist_sweep.errors import SettingsError
from mnist_sweep.records.locks import held
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import is_task
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.gpus import CUDA_VISIBLE_DEVICES, gpus_of
from mnist_sweep.sweeping.launch.job import Job, RunSummary
from mnist_sweep.sweeping.launch.launcher import SweepLauncher
from mnist_sweep.sweeping.launch.worker import CAN_RESET_PEAK_MEMORY, WorkerProcess
from mnist_sweep.sweeping.plan.estimate import parameters
from mnist_sweep.training.small import is_small, steps_of
from mnist_sweep.training.train import BUILT_IN

REFRESH_S = 0.25
# How many small runs share a process.
MAX_RUNS = 100


ConfigStore.instance().store(
    group="hydra/launcher", name="pool", provider="mnist_sweep",
    node={"_target_": "mnist_sweep.sweeping.launch.pool.PoolLauncher"},
)  # fmt: skip


class PoolLauncher(SweepLauncher):
    """`hydra/launcher=pool`: runs jobs in processes on this machine, large ones each in its own."""

    # Its settings are the sweep's own.
    shares_gpus = True
    active: list[WorkerProcess]

    @cached_property
    def gpus(self) -> list[str] | None:
        """The GPUs of the sweep; None: runs are told none."""
        return gpus_of(self.config.gpus, tensorflow=not is_task(self.config))

    def setup(self, **options: Any) -> None:
        """Keep what Hydra gives; SettingsError where more GPUs are requested than there are."""
        super().setup(**options)
        if self.config.gpus == 0 and self.config.runs_per_gpu != 1:
            raise SettingsError("runs_per_gpu has no effect with gpus=0. Remove one of them.")
        if self.config.gpus:
            self.gpus  # noqa: B018  (looked for before anything is written)

    def workers(self, n_jobs: int, threads: int) -> int:
        """`n_jobs`, else `runs_per_gpu` on each GPU, or one run per core that `threads` leaves."""
        on_gpus = len(self.gpus or ()) * self.config.runs_per_gpu
        fit = self.config.n_jobs or on_gpus or cores() // threads
        return max(1, min(int(fit), n_jobs))

    def run(self, jobs: list[Job]) -> list[RunSummary]:
        """Run the jobs."""
        self.idle: list[WorkerProcess] = []  # they have done a small run, and may get another
        try:
            return super().run(jobs)
        finally:
            while self.idle:
                self._release(self.idle[-1])

    def start(self, job: Job) -> None:
        """Start a worker, or give the job to one that waits."""
        # The start is known here, too, for the failed record of a run that dies before it writes.
        job = job.started_now()
        if process := self.take_idle(job):
            process.give(job)
        else:
            process = WorkerProcess(job, self.free_gpu())
        self.active.append(process)
        self.progress.started(job)

    def free_gpu(self) -> dict[str, str]:
        """The variables of a run's process: they name the GPU that has the fewest runs."""
        if self.gpus is None:
            return {}
        # One only: TensorFlow, like other frameworks, opens all that it sees.
        used = Counter(one.devices.get(CUDA_VISIBLE_DEVICES) for one in (*self.active, *self.idle))
        return {CUDA_VISIBLE_DEVICES: min(self.gpus, key=lambda name: used[name], default="-1")}

    def take_idle(self, job: Job) -> WorkerProcess | None:
        """A process that waits and may take the job; if none may, one ends where room is needed."""
        # Each stays in the list as long as it is nobody's, to be ended if this is interrupted.
        for process in list(self.idle):
            if not processes.is_running(process.process):
                self._release(process)
        found = next((process for process in self.idle if can_share(job, process.job)), None)
        if found:
            self.idle.remove(found)
            return found
        if self.idle and len(self.active) + len(self.idle) >= self.n_workers:
            self._release(self.idle[0])
        return None

    def wait(self) -> None:
        """Handle messages and ends of workers, for a moment."""
        handles = [handle for process in self.active for handle in process.handles]
        ready = set(connection.wait(handles, timeout=REFRESH_S))
        for process in list(self.active):
            if epoch := process.receive(ready):
                process.answer(self.epoch(process.job, *epoch))
            if process.ended:
                self.active.remove(process)
                self._ended(process)

    def stop(self) -> None:
        """End all running workers at once."""
        # All are told before any is waited for.
        for process in self.active:
            process.process.terminate()
        processes.end(*(process.process for process in self.active))
        self.finish_unreported(process.job for process in self.active)
        self.active.clear()

    def _release(self, process: WorkerProcess) -> None:
        process.release()
        if process in self.idle:
            self.idle.remove(process)

    def _ended(self, process: WorkerProcess) -> None:
        job, summary = process.job, process.summary
        if summary is not None:
            self.finish(job, summary)
        else:
            # The lock was freed with the process: another sweep may have the run now.
            with held(job.lock) as free:
                if free:
                    self.retry_or_fail(job, process.ending, process.started, late=process.late)
                else:
                    self.postpone(job)
        # A run that failed may have left its process in any state.
        finished = summary is not None and summary.status is RunStatus.FINISHED
        if finished and process.runs < MAX_RUNS and is_shareable(job):
            self.idle.append(process)
        else:
            self._release(process)


def can_share(job: Job, earlier: Job) -> bool:
    """Whether a run may go in the process in which another one has gone."""
    return is_shareable(job) and job.settings["threads"] == earlier.settings["threads"]


def is_shareable(job: Job) -> bool:
    """Whether a run is small, and leaves nothing behind that another one would see."""
    settings = job.settings
    if is_task(settings) or settings["trainer"]["name"] not in BUILT_IN:
        return False
    size = parameters(settings["model"], job.data.shape, job.data.classes)
    changes_directory = job.hydra.get("job", {}).get("chdir")
    if size is None or changes_directory or not CAN_RESET_PEAK_MEMORY:
        return False
    return is_small(size, steps_of(settings, job.data.n_train))
