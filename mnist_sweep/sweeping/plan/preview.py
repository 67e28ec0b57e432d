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

    Attributes:
        directory: The sweep's; it may not exist.
        plan: The requested points, as far as they are known.
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
        runs: One for each point.
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
    """What a plan would run."""
    estimator = past_runs(directory)
    expected = {
        point.run_id: estimator.of(point, plan.datasets[point.data_key]) for point in plan.points
    }
    order = longest_first(plan.points, plan)
    left = [expected[point.run_id] for point in order if point.run_id not in done]
    memory = sorted((estimate.memory_mb for estimate in left), reverse=True)
    return SweepPreview(
        directory,
        plan,
        tuple(PlannedRun(p, p.run_id in done, expected[p.run_id]) for p in plan.points),
        workers,
        wall_s([estimate.seconds for estimate in left], workers),
        sum(memory[:workers]),
        estimator.based_on,
    )
