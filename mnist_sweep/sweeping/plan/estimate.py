"""How long and how large runs will be before they run, and what `plan=true` answers with that.

The work of an epoch is taken as weights x examples plus the updates of all weights, one a batch.
Past records of this machine give seconds a unit of work; without any, a figure measured on one
core of a server of 2023 stands in.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import MLP_TARGET, Plain, is_task
from mnist_sweep.sweeping.plan.environment import cpu
from mnist_sweep.sweeping.plan.points import Plan, Point

# An optimizer's update of all weights costs about as much as the products of eight examples.
EXAMPLES_PER_UPDATE = 8
UNKNOWN_PARAMETERS = 1_000_000
DEFAULT_SECONDS_PER_WORK = 6e-11
DEFAULT_OVERHEAD_S = 2.5
DEFAULT_MEMORY_MB = 700.0
# Of a task of the user's own of which nothing is known yet.
DEFAULT_TASK_S = 10.0
DEFAULT_TASK_MB = 200.0
# Weight, gradient and an optimizer's two moments, and the best weights of early stopping.
BYTES_PER_PARAMETER = 24
MAX_RECORDS = 200
NEAREST = 3


@dataclass(frozen=True)
class Estimate:
    """What a run should take: seconds alone on a core, and megabytes of memory."""

    seconds: float
    memory_mb: float


def parameters(model: Plain, shape: Sequence[int], classes: int) -> int | None:
    """Weights of a multilayer perceptron; None for other models, which must be built to know."""
    if model["_target_"] != MLP_TARGET:
        return None
    widths = [math.prod(shape), *[model["nodes"]] * model["layers"], classes]
    return int(sum((a + 1) * b for a, b in itertools.pairwise(widths)))


def _work(size: int | None, settings: Plain, n_train: int) -> float:
    """Units of work of one epoch; a model of unknown size counts as a large perceptron."""
    batches = n_train / min(settings["batch_size"], n_train)
    return float((size or UNKNOWN_PARAMETERS) * (n_train + EXAMPLES_PER_UPDATE * batches))


def _work_of(point: Point, info: DatasetInfo) -> tuple[int | None, float]:
    size = parameters(point.settings["model"], info.shape, info.classes)
    return size, _work(size, point.settings, info.n_train)


class Estimator:
    """Estimates from past records."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._rates: list[tuple[float, float]] = []  # work of an epoch, seconds a unit of it
        overheads, memory = [], []
        tasks: dict[str, list[float]] = {}
        for record in records:
            if record.task and record.time and record.time.total_s:
                tasks.setdefault(record.task, []).append(record.time.total_s)
            if record.time is None or not record.time.epoch_s or not record.parameters:
                continue
            units = _work(record.parameters, record.config, record.data.n_train)
            self._rates.append((units, median(record.time.epoch_s) / units))
            overheads.append((record.time.total_s or 0.0) - (record.time.train_s or 0.0))
            if record.environment.peak_memory_mb:
                own = record.parameters * BYTES_PER_PARAMETER / 2**20
                memory.append(record.environment.peak_memory_mb - own)
        self.based_on = len(self._rates) + sum(map(len, tasks.values()))
        self._tasks = {name: median(seconds) for name, seconds in tasks.items()}
        self._overhead = median(overheads or [DEFAULT_OVERHEAD_S])
        self._memory = median(memory or [DEFAULT_MEMORY_MB])

    def knows(self, point: Point) -> bool:
        """Whether there were records of such a run."""
        if is_task(point.settings):
            return point.settings["task"]["_target_"] in self._tasks
        return bool(self._rates)

    def of(self, point: Point, info: DatasetInfo) -> Estimate:
        """What one point should take."""
        if is_task(point.settings):
            name = point.settings["task"]["_target_"]
            return Estimate(self._tasks.get(name, DEFAULT_TASK_S), DEFAULT_TASK_MB)
        size, units = _work_of(point, info)
        # A unit takes longer in small networks: from the runs whose epochs were nearest in work.
        nearest = sorted(self._rates, key=lambda rate: abs(math.log(rate[0] / units)))[:NEAREST]
        rate = median([rate for _, rate in nearest] or [DEFAULT_SECONDS_PER_WORK])
        own = (size or UNKNOWN_PARAMETERS) * BYTES_PER_PARAMETER / 2**20
        seconds = self._overhead + point.settings["epochs"] * units * rate
        return Estimate(seconds, self._memory + own)


def past_runs(directory: Path) -> Estimator:
    """Estimates from the newest finished runs of this machine beside a sweep's directory."""
    found, here = list[Record](), cpu()
    paths = directory.parent.glob("*/runs/*/record.json")
    for path in heapq.nlargest(MAX_RECORDS, paths, key=_modified):
        with suppress(DirectoryError):
            # On another processor the same run takes another time.
            record = read_record(path)
            if record.status == RunStatus.FINISHED and record.environment.cpu == here:
                found.append(record)
    return Estimator(found)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # removed in this moment
        return 0.0


def longest_first(points: Iterable[Point], plan: Plan) -> list[Point]:
    """Points by falling cost, so that no long run starts last; ties keep the grid's order."""

    def cost(point: Point) -> float:
        if is_task(point.settings):
            return 0.0
        _, units = _work_of(point, plan.datasets[point.data_key])
        return float(point.settings["epochs"] * units)

    return sorted(points, key=lambda point: -cost(point))


def wall_s(seconds: Iterable[float], workers: int) -> float:
    """Seconds until all runs have ended, each taken by the worker that is free first."""
    busy = [0.0] * max(1, workers)
    for run in seconds:
        heapq.heapreplace(busy, busy[0] + run)
    return max(busy)


@dataclass(frozen=True)
class PlannedRun:
    """A point, whether its run is done, and what it should take."""

    point: Point
    is_done: bool
    expected: Estimate


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What `plan=true` returns in place of a result: nothing was made or run."""

    directory: Path  # the sweep's, which may not exist
    plan: Plan  # the requested points, as far as they are known
    runs: tuple[PlannedRun, ...] = ()
    workers: int = 0  # runs at a time; 0: the launcher decides
    wall_s: float = 0.0  # until those that are not done have ended
    memory_mb: float = 0.0  # the most that runs at a time should take, in 2**20 bytes
    n_records: int = 0  # past runs of this machine that this rests on


def preview_of(directory: Path, plan: Plan, done: Collection[str], workers: int) -> Preview:
    """What a plan would run; `done` are run ids."""
    estimator = past_runs(directory)
    runs = {}
    for point in plan.points:
        expected = estimator.of(point, plan.datasets[point.data_key])
        runs[point.run_id] = PlannedRun(point, point.run_id in done, expected)
    ordered = (runs[point.run_id] for point in longest_first(plan.points, plan))
    left = [run.expected for run in ordered if not run.is_done]
    memory = sorted((estimate.memory_mb for estimate in left), reverse=True)
    return Preview(
        directory=directory,
        plan=plan,
        runs=tuple(runs.values()),
        workers=workers,
        wall_s=wall_s([estimate.seconds for estimate in left], workers),
        memory_mb=sum(memory[:workers]),
        n_records=estimator.based_on,
    )
