"""The grid sweeper between Hydra and a launcher, with a launcher that runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.types import HydraContext
from rich.console import Console

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.context import Command
from mnist_sweep.sweeping.launch.job import Job, Origin, RunSummary
from mnist_sweep.sweeping.launch.launcher import Budget, SweepLauncher
from mnist_sweep.sweeping.launch.progress import Progress
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.sweeper import GridSweeper


class Recording(SweepLauncher):
    """Says that every job finished, up to one at which it is interrupted."""

    def __init__(self, stops_after: int | None = None) -> None:
        self.jobs: list[Job] = []
        self.ended: list[RunSummary] = []
        self.stops_after = stops_after
        self.budget = Budget(None)
        self.context: Any = SimpleNamespace(
            interrupt_if_swallowed=lambda: None, first_run_waits=lambda: None, command=Command()
        )

    def workers(self, n_jobs: int, threads: int) -> int:
        return min(n_jobs, 4 // threads)

    def start(self, job: Job) -> None:
        raise NotImplementedError

    def wait(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def make_progress(self) -> Progress:
        return Progress(Console(quiet=True))

    def launch_jobs(self, jobs: list[Job], result: SweepResult, *_arguments: Any) -> None:
        result.summaries = self.ended
        for job in jobs:
            if len(self.ended) == self.stops_after:
                raise KeyboardInterrupt
            self.jobs.append(job)
            self.ended.append(RunSummary.of(job, RunStatus.FINISHED))


Sweep = Callable[..., tuple[Any, Recording]]


@pytest.fixture
def sweep(hydra_master: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MNIST_SWEEP_CACHE", str(tmp_path / "cache"))

    def run(
        *words: str, stops_after: int | None = None, single: bool = False, **sweeper: Any
    ) -> tuple[SweepResult | Preview, Recording]:
        given = [*words, "data=digits"]
        # Hydra composes the sweep's own config of what is not swept.
        fixed = [word for word in given if "," not in word]
        loaded = hydra_master(*fixed, f"hydra.sweep.dir={tmp_path}/grid")
        grid, launcher = GridSweeper(**sweeper), Recording(stops_after)
        grid.config, grid.launcher = loaded.master, launcher
        launcher.context.command = Command(tuple(given), single=single)
        grid.hydra_context = HydraContext(config_loader=loaded.loader, callbacks=Any)
        return grid.sweep(given), launcher

    return run


def labels(jobs: Sequence[Job]) -> list[str]:
    return [job.label for job in jobs]


def test_every_point_becomes_a_job_the_longest_first(sweep: Sweep, tmp_path: Path):
    result, launcher = sweep("layers=1,2", "nodes=8", "objective=validation.f1")
    assert labels(launcher.jobs) == ["layers=2,nodes=8,seed=0", "layers=1,nodes=8,seed=0"]
    assert result.summaries == launcher.ended
    assert (result.workers, result.interrupted, result.requested) == (2, False, 2)
    assert {job.environment["workers"] for job in launcher.jobs} == {2}
    plan = read_plan(tmp_path / "grid")
    assert plan.objective == "validation.f1"
    assert set(plan.points) == {job.run_id for job in launcher.jobs}
    assert plan.last is not None
    assert plan.last.overrides[:2] == ("layers=1,2", "nodes=8")


def test_points_that_are_the_same_run_are_run_once(sweep: Sweep):
    result, launcher = sweep("nodes=8", "save_model=true,false")
    assert len(launcher.jobs) == 1
    assert result.plan.duplicates == ["layers=1,nodes=8,seed=0"]


def test_the_command_line_wins_over_the_configs_own_sweep(sweep: Sweep):
    _, launcher = sweep("nodes=4", params={"nodes": "8,16", "layers": "1,2"})
    assert labels(launcher.jobs) == ["layers=2,nodes=4,seed=0", "layers=1,nodes=4,seed=0"]


def test_sets_of_points_are_grids_beside_each_other(sweep: Sweep):
    _, launcher = sweep("seed=1", points=["layers=2 nodes=8", "layers=1 nodes=4,16"])
    assert sorted(labels(launcher.jobs)) == [
        "layers=1,nodes=16,seed=1", "layers=1,nodes=4,seed=1", "layers=2,nodes=8,seed=1",
    ]  # fmt: skip


def test_what_ended_before_an_interrupt_is_kept(sweep: Sweep):
    result, launcher = sweep("seed=1,2,3", stops_after=1)
    assert result.interrupted
    assert result.summaries == launcher.ended
    assert [one.origin for one in result.summaries] == [Origin.RAN]


def test_a_plan_runs_nothing_and_makes_no_directory(sweep: Sweep, tmp_path: Path):
    preview, launcher = sweep("layers=1,2", "plan=true")
    assert isinstance(preview, Preview)
    assert [run.is_done for run in preview.runs] == [False, False]
    assert preview.workers == 2
    assert launcher.jobs == []
    assert not (tmp_path / "grid").exists()


@pytest.mark.parametrize(
    ("words", "sweeper", "error", "message"),
    [
        (["layers=1,2"], {"single": True}, UsageError, "add -m to run all of them"),
        (["study.stages=[{name: a}]"], {"single": True}, UsageError, "add -m to run it"),
        (["name=a,b"], {}, UsageError, "name: one value for the whole sweep"),
        (["layers=1,99"], {}, SettingsError, "layers=99"),
        (["dropout=interval(0,0.5)"], {}, SettingsError, "an interval has no end of values"),
    ],
)
def test_what_no_grid_can_run_is_refused_before_anything_is_made(
    sweep: Sweep, tmp_path: Path, words: list[str], sweeper: Any, error: type, message: str
):
    with pytest.raises(error, match=message):
        sweep(*words, **sweeper)
    assert not (tmp_path / "grid").exists()


def test_a_sweeper_that_hydra_did_not_set_up_says_so():
    with pytest.raises(UsageError, match="before Hydra set it up"):
        GridSweeper().sweep([])
