"""How long and how large a run will be, before it runs.

The work of an epoch is taken as weights x examples plus the updates of all weights, one a batch.
Past records of this machine give seconds a unit of work; without any, a figure measured on one
core of a server of 2023 stands in.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import MLP_TARGET, Plain, is_task
from mnist_sweep.sweeping.plan.points import Plan, Point

EXAMPLES_PER_UPDATE = 8
"""An optimizer's update of all weights costs about as much as the products of eight examples."""
UNKNOWN_PARAMETERS = 1_000_000
DEFAULT_SECONDS_PER_WORK = 6e-11
DEFAULT_OVERHEAD_S = 2.5
DEFAULT_MEMORY_MB = 700.0
DEFAULT_TASK_S = 10.0
DEFAULT_TASK_MB = 200.0
"""Of a task of the user's own of which nothing is known yet."""
BYTES_PER_PARAMETER = 24
"""Weight, gradient and an optimizer's two moments, and the best weights of early stopping."""
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


def work(size: int | None, settings: Plain, n_train: int) -> float:
    """Units of work of one epoch; a model of unknown size counts as a large perceptron."""
    batches = n_train / min(settings["batch_size"], n_train)
    return float((size or UNKNOWN_PARAMETERS) * (n_train + EXAMPLES_PER_UPDATE * batches))


class Estimator:
    """Estimates from past records."""

    def __init__(self, records: Sequence[Record]) -> None:
        rates: list[tuple[float, float]] = []
        overheads, memory = [], []
        tasks: dict[str, list[float]] = {}
        for record in records:
            if record.task and record.time and record.time.total_s:
                tasks.setdefault(record.task, []).append(record.time.total_s)
            if record.time is None or not record.time.epoch_s or not record.parameters:
                continue
            units = work(record.parameters, record.config, record.data.n_train)
            rates.append((units, statistics.median(record.time.epoch_s) / units))
            overheads.append((record.time.total_s or 0.0) - (record.time.train_s or 0.0))
            if record.environment.peak_memory_mb:
                own = record.parameters * BYTES_PER_PARAMETER / 2**20
                memory.append(record.environment.peak_memory_mb - own)
        self.based_on = len(rates) + sum(map(len, tasks.values()))
        self._tasks = {name: statistics.median(seconds) for name, seconds in tasks.items()}
        self._rates = rates
        self._overhead = statistics.median(overheads) if overheads else DEFAULT_OVERHEAD_S
        self._memory = statistics.median(memory) if memory else DEFAULT_MEMORY_MB

    def of(self, point: Point, info: DatasetInfo) -> Estimate:
        """What one point should take."""
        if is_task(point.settings):
            name = point.settings["task"]["_target_"]
            return Estimate(self._tasks.get(name, DEFAULT_TASK_S), DEFAULT_TASK_MB)
        size = parameters(point.settings["model"], info.shape, info.classes)
        units = work(size, point.settings, info.n_train)
        seconds = self._overhead + point.settings["epochs"] * units * self._rate(units)
        own = (size or UNKNOWN_PARAMETERS) * BYTES_PER_PARAMETER / 2**20
        return Estimate(seconds, self._memory + own)

    def _rate(self, units: float) -> float:
        """Seconds a unit of work, from the runs whose epochs were nearest in work."""
        if not self._rates:
            return DEFAULT_SECONDS_PER_WORK
        nearest = sorted(self._rates, key=lambda rate: abs(math.log(rate[0] / units)))
        return statistics.median(rate for _, rate in nearest[:NEAREST])


def past_records(outputs: Path, cpu: str) -> list[Record]:
    """The newest finished records of sweeps in `outputs` that ran on this processor."""
    found: list[Record] = []
    paths = (path for sweep in _subdirectories(outputs) for path in _records(sweep))
    for path in sorted(paths, key=_age)[:MAX_RECORDS]:
        try:
            record = read_record(path)
        except DirectoryError:
            continue
        if record.status == RunStatus.FINISHED and record.environment.cpu == cpu:
            found.append(record)
    return found


def longest_first(points: Iterable[Point], plan: Plan) -> list[Point]:
    """Points by falling cost, so that no long run starts last; ties keep the grid's order."""

    def cost(point: Point) -> float:
        if is_task(point.settings):
            return 0.0
        info = plan.datasets[point.data_key]
        size = parameters(point.settings["model"], info.shape, info.classes)
        return float(point.settings["epochs"] * work(size, point.settings, info.n_train))

    return sorted(points, key=lambda point: -cost(point))


def wall_s(seconds: Sequence[float], workers: int) -> float:
    """Seconds until all runs have ended, each taken by the worker that is free first."""
    busy = [0.0] * max(1, workers)
    for run in seconds:
        first = busy.index(min(busy))
        busy[first] += run
    return max(busy)


def _subdirectories(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if entry.is_dir()]
    except OSError:
        return []


def _records(sweep: Path) -> list[Path]:
    return [directory / "record.json" for directory in _subdirectories(SweepPaths(sweep).runs)]


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0
