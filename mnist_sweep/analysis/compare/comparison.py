"""Several sides beside each other: the first is what all others are measured against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.compare.changes import Change, Measured, measure, with_t
from mnist_sweep.analysis.compare.images import confusion_change
from mnist_sweep.analysis.compare.matching import Differing, Matched, Shared, differing, match
from mnist_sweep.analysis.compare.times import CostChange, cost_changes, incomparable
from mnist_sweep.analysis.statistics.multiplicity import holm
from mnist_sweep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mnist_sweep.analysis.compare.sides import Side

FEWEST_FOR_MEAN = 3
"""Shared configurations needed before their mean change is tested."""


@dataclass(frozen=True)
class SharedChange:
    """A shared configuration and all that changed in it.

    Attributes:
        shared: Its runs on both sides.
        measured: Metrics, digits, flipped images.
        costs: Times and memory.
        confusion: Change of the mean confusion matrix, (classes, classes), or None.
    """

    shared: Shared
    measured: Measured
    costs: tuple[CostChange, ...]
    confusion: tuple[tuple[float, ...], ...] | None

    @property
    def tells(self) -> bool:
        """Whether its tests can be about the configuration, and not about the seed alone.

        One run of another seed on each side: any difference may be the seed's.
        """
        return self.shared.paired or all(
            change.covers != "images" for change in self.measured.summaries
        )


@dataclass(frozen=True)
class Pair:
    """The first side and another one.

    Attributes:
        first: The side measured against.
        second: The other.
        matched: Which configurations are in both, and in one.
        changes: What changed in those that are in both.
        mean: The mean change of every metric over them, tested where there are three or more.
        incomparable_times: Why times do not compare.
    """

    first: Side
    second: Side
    matched: Matched
    changes: tuple[SharedChange, ...]
    mean: tuple[Change, ...]
    incomparable_times: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What differs between several sides.

    `settings`, `data`, `code` and `machine` hold only what differs.
    """

    sides: tuple[Side, ...]
    settings: tuple[Differing, ...]
    data: tuple[Differing, ...]
    code: tuple[Differing, ...]
    machine: tuple[Differing, ...]
    seeds: tuple[Differing, ...]
    pairs: tuple[Pair, ...]


def compare(sides: Sequence[Side], seed: int = 0) -> Comparison:
    """Compare sides with the first of them.

    Args:
        sides: At least two.
        seed: Of the bootstrap: the same sides and seed give the same answer.

    Raises:
        UsageError: Fewer than two sides.
    """
    if len(sides) < 2:
        raise UsageError("Expected two or more directories to compare, got one. Name another.")
    rng = np.random.default_rng(seed)
    pairs = _corrected([_pair(sides[0], other, rng) for other in sides[1:]])
    runs = [side.runs for side in sides]
    return Comparison(
        sides=tuple(sides),
        settings=differing([[run.settings for run in side] for side in runs]),
        data=differing([[run.data for run in side] for side in runs]),
        code=differing([[run.code for run in side] for side in runs]),
        machine=differing(
            [[{k: v for k, v in r.machine.items() if k != "busy"} for r in side] for side in runs]
        ),
        seeds=differing([[{"seed": run.seed} for run in side] for side in runs]),
        pairs=tuple(pairs),
    )


def _pair(first: Side, second: Side, rng: np.random.Generator) -> Pair:
    matched = match(first, second)
    changes = tuple(
        SharedChange(
            shared,
            measure(shared, first.split, rng),
            cost_changes(shared),
            confusion_change(shared.first, shared.second),
        )
        for shared in matched.shared
    )
    return Pair(first, second, matched, changes, _mean(changes), incomparable(first, second))


def _mean(changes: Sequence[SharedChange]) -> tuple[Change, ...]:
    """The mean change over configurations; how far they differ tells how sure it is."""
    if not changes:
        return ()
    found = []
    for name in [change.metric for change in changes[0].measured.summaries]:
        own = [c for one in changes for c in one.measured.summaries if c.metric == name]
        steps = [c.change for c in own]
        first, second = fmean(c.first for c in own), fmean(c.second for c in own)
        mean = Change(name, first, second, fmean(steps))
        lower = name in changes[0].shared.first[0].lower_is_better
        mean = replace(mean, better=None if mean.change == 0 else (mean.change < 0) == lower)
        if len(steps) >= FEWEST_FOR_MEAN:
            mean = with_t(mean, variance(steps) / len(steps), len(steps) - 1.0)
        found.append(mean)
    return tuple(_holm(found))


def _corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Holm's correction: one family of all summaries of all pairs, one of all digits."""
    every = [one.measured for pair in pairs for one in pair.changes]
    summaries = iter(_holm([c for m in every for c in m.summaries]))
    digits = iter(_holm([c for m in every for c in m.digits]))

    def renewed(one: SharedChange) -> SharedChange:
        measured = replace(
            one.measured,
            summaries=tuple(next(summaries) for _ in one.measured.summaries),
            digits=tuple(next(digits) for _ in one.measured.digits),
        )
        return replace(one, measured=measured)

    return [replace(pair, changes=tuple(map(renewed, pair.changes))) for pair in pairs]


def _holm(changes: Iterable[Change]) -> list[Change]:
    """The changes with `p_holm` over those that were tested."""
    members = list(changes)
    tested = [change.p_value for change in members if change.p_value is not None]
    adjusted = iter(holm(tested))
    return [
        change if change.p_value is None else replace(change, p_holm=next(adjusted))
        for change in members
    ]
