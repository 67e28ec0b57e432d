"""`plan=true`: what a sweep would run, how long and how large; `cli.preview` puts it into words."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.sweeping.plan.estimate import Estimate, longest_first, past_runs, wall_s
from mnist_sweep.sweeping.plan.points import Plan, Point


@dataclass(frozen=True)
class Preview:
    """What `plan=true` returns in place of a result: nothing was made or run.

    `directory` is the sweep's, and may not exist. `plan` has the requested points, as far as they
    are known.
    """

    directory: Path
    plan: Plan


@dataclass(frozen=True)
class PlannedRun:
    """A point, whether its run is done, and what it should take."""

    point: Point
    is_done: bool
    expected: Estimate


@dataclass(frozen=True)
class SweepPreview(Preview):
    """What a sweep would run.

    Attributes:
        workers: The number of runs at a time.
        wall_s: Seconds that the runs which are not done should take together.
        memory_mb: The most memory that runs at a time should take, in 2**20 bytes.
        n_records: The past runs of this machine that the estimates rest on.
    """

    runs: tuple[PlannedRun, ...]
    workers: int
    wall_s: float
    memory_mb: float
    n_records: int


def preview_of(directory: Path, plan: Plan, done: Collection[str], workers: int) -> SweepPreview:
    """What a plan would run; `done` are run ids."""
    estimator = past_runs(directory)
    runs = {}
    for point in plan.points:
        expected = estimator.of(point, plan.datasets[point.data_key])
        runs[point.run_id] = PlannedRun(point, point.run_id in done, expected)
    ordered = (runs[point.run_id] for point in longest_first(plan.points, plan))
    left = [run.expected for run in ordered if not run.is_done]
    time_s = wall_s([estimate.seconds for estimate in left], workers)
    memory = sorted((estimate.memory_mb for estimate in left), reverse=True)[:workers]
    planned = tuple(runs.values())
    return SweepPreview(directory, plan, planned, workers, time_s, sum(memory), estimator.based_on)
