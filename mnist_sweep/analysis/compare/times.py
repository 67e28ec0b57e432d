"""How much longer one side's runs took, and what keeps their times from being compared."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from mnist_sweep.analysis.compare.matching import differing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.matching import Shared
    from mnist_sweep.analysis.compare.sides import ComparedRun, Side

SHOWN = ("train_s", "epoch_s", "total_s", "peak_memory_mb")


@dataclass(frozen=True)
class CostChange:
    """A time (seconds) or memory (MB): the median over either side's runs, and their ratio."""

    name: str
    first: float
    second: float

    @property
    def ratio(self) -> float | None:
        """The second over the first; None where the first is 0."""
        return self.second / self.first if self.first > 0 else None


def cost_changes(shared: Shared) -> tuple[CostChange, ...]:
    """Times and memory that both sides know of a shared configuration."""
    found = []
    for name in SHOWN:
        sides = [_values(runs, name) for runs in (shared.first, shared.second)]
        if all(sides):
            found.append(CostChange(name, median(sides[0]), median(sides[1])))
    return tuple(found)


def incomparable(first: Side, second: Side) -> tuple[str, ...]:
    """Reasons why the sides' times do not compare; empty where none is known."""
    rows = [[run.machine for run in side.runs] for side in (first, second)]
    reasons = []
    for one in differing(rows):
        if one.name == "busy":
            continue
        words = [", ".join(map(str, values)) for values in one.values]
        reasons.append(f"{one.name} {words[0]} against {words[1]}")
    for side in (first, second):
        busy = [run for run in side.runs if run.machine.get("busy")]
        if busy:
            reasons.append(
                f"the machine was busy with something else during {len(busy)} of "
                f"{len(side.runs)} runs of {side.name}"
            )
    return tuple(reasons)


def _values(runs: Sequence[ComparedRun], name: str) -> list[float]:
    values = [run.times.get(name) for run in runs]
    return [value for value in values if isinstance(value, (int, float))]
