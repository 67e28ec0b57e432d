"""How much longer one side's runs took, and what keeps their times from being compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.matching import Differing, differing
from mnist_sweep.analysis.plain_rows import plain_rows
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import read_record

if TYPE_CHECKING:
    import pandas as pd

    from mnist_sweep.analysis.compare.matching import Shared
    from mnist_sweep.analysis.compare.side import Side

MACHINE = ("environment.cpu", "environment.threads", "environment.workers", "environment.device")
COSTS = ("time.train_s", "time.epoch_s", "time.total_s", "environment.peak_memory_mb")
BUSY = 2.0
"""An epoch this many times as long as the median one shows that the machine did other work."""
_N_WARM_UP = 1
_MIN_EPOCHS = 4
_MIN_EPOCH_S = 0.2
"""The time of a shorter epoch says nothing of the machine's load."""


@dataclass(frozen=True)
class CostChange:
    """A time (seconds) or memory (MB): the median over either side's runs, and their ratio."""

    name: str
    first: float
    second: float

    @property
    def ratio(self) -> float | None:
        """The second over the first; None if the first is 0."""
        return self.second / self.first if self.first > 0 else None


@dataclass(frozen=True)
class TimeConditions:
    """Why the times of two sides do not compare: the machines differ, or were busy.

    `busy` counts each side's runs with epochs that only other work on the machine explains.
    """

    machine: tuple[Differing, ...]
    busy: tuple[int, int]


def cost_changes(shared: Shared) -> tuple[CostChange, ...]:
    """Times and memory that both sides know of a shared configuration."""
    return tuple(
        CostChange(name.partition(".")[2], median(first), median(second))
        for name in COSTS
        if (first := values_of(shared.first, name)) and (second := values_of(shared.second, name))
    )


def time_conditions(first: Side, second: Side) -> TimeConditions:
    """What keeps the times of two sides from being compared."""
    rows = [columns_of(side.runs, MACHINE) for side in (first, second)]
    return TimeConditions(differing(rows), (_n_busy(first.runs), _n_busy(second.runs)))


def columns_of(runs: pd.DataFrame, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some columns as a row per run, without their prefix; those that are there."""
    known = {name: name.partition(".")[2] for name in names if name in runs}
    return plain_rows(runs[[*known]].rename(columns=known))


def values_of(runs: pd.DataFrame, column: str) -> list[float]:
    """A column's values of the runs that have one."""
    return runs[column].dropna().astype("float64").tolist() if column in runs else []


def _n_busy(runs: pd.DataFrame) -> int:
    """Runs with an epoch that took much longer than most, but for the first, which may compile."""
    if "time.epoch_s" not in runs:
        return 0
    # Only these records are read: the table has the median alone.
    slow = runs[runs["time.epoch_s"] >= _MIN_EPOCH_S]
    found = 0
    for directory in slow["directory"]:
        times = read_record(RunPaths(Path(directory)).record).time
        epochs = times.epoch_s[_N_WARM_UP:] if times else []
        found += len(epochs) >= _MIN_EPOCHS and max(epochs) > BUSY * median(epochs)
    return found
