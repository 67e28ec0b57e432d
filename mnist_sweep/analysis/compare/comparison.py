"""Several sides beside each other: the first is what all others are measured against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.compare.changes import (
    Change,
    ConfigurationChange,
    change_of,
    configuration_change,
    corrected,
)
from mnist_sweep.analysis.compare.matching import Differing, Matched, differing, match
from mnist_sweep.analysis.compare.side import SEED
from mnist_sweep.analysis.compare.times import MACHINE, TimeConditions, columns_of, time_conditions
from mnist_sweep.analysis.compare.verdict import Verdict, verdict_of
from mnist_sweep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.side import Side
    from mnist_sweep.metrics import Metric

MIN_FOR_MEAN = 3
"""Shared configurations needed before their mean change is tested."""

_CODE = ("git_sha", "git_dirty", "mnist_sweep", "python", "tensorflow", "keras", "numpy", "hydra")
_DATA = ("name", "sha256")


@dataclass(frozen=True, eq=False)
class Pair:
    """The first side and another one.

    Attributes:
        first: The side measured against.
        second: The other.
        matched: Which configurations are on both sides, and on one.
        changes: What changed in those on both.
        mean: The mean change of every metric over them, tested if there are three or more.
        time_conditions: Why times do not compare.
        verdict: What happened to the second side.
    """

    first: Side
    second: Side
    matched: Matched
    changes: tuple[ConfigurationChange, ...]
    mean: tuple[Change, ...]
    time_conditions: TimeConditions
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several sides.

    Attributes:
        sides: The first is what the others are compared with.
        differs: settings, seeds, data, code and machine -> what differs in them.
        pairs: One for each side after the first.
    """

    sides: tuple[Side, ...]
    differs: dict[str, tuple[Differing, ...]]
    pairs: tuple[Pair, ...]


def compare(sides: Sequence[Side], seed: int = 0) -> Comparison:
    """Compare sides with the first of them.

    Args:
        sides: At least two, see `side.load_side`.
        seed: Of the bootstrap: the same sides and seed give the same answer.

    Raises:
        UsageError: Fewer than two sides.
    """
    if len(sides) < 2:
        raise UsageError("Expected two or more directories to compare, got one. Name another.")
    sides = _named(sides)
    rng = np.random.default_rng(seed)
    matched = [match(sides[0], other) for other in sides[1:]]
    changes = [
        _changes(sides[0], other, found, rng)
        for other, found in zip(sides[1:], matched, strict=True)
    ]
    pairs = [
        _pair(sides[0], *rest) for rest in zip(sides[1:], matched, _corrected(changes), strict=True)
    ]
    runs = [side.runs for side in sides]
    columns = {
        "data": tuple(f"dataset.{name}" for name in (*_DATA, f"n_{sides[0].split}")),
        "code": ("code.sha256", *(f"environment.{name}" for name in _CODE)),
        "machine": MACHINE,
    }
    differs = {
        "settings": differing([side.settings for side in sides]),
        "seeds": differing([[{SEED: seed} for seed in own[SEED].dropna()] for own in runs]),
    }
    differs |= {
        part: differing([columns_of(own, names) for own in runs]) for part, names in columns.items()
    }
    return Comparison(tuple(sides), differs, tuple(pairs))


def _named(sides: Sequence[Side]) -> list[Side]:
    """The sides under different names: the whole path if the last parts are equal."""
    if len({side.name for side in sides}) == len(sides):
        return list(sides)
    paths = [str(side.directory) for side in sides]
    if len(set(paths)) < len(paths):
        paths = [f"{path} ({chr(65 + index)})" for index, path in enumerate(paths)]
    return [replace(side, name=path) for side, path in zip(sides, paths, strict=True)]


def _changes(
    first: Side, second: Side, matched: Matched, rng: np.random.Generator
) -> list[ConfigurationChange]:
    metrics = _metrics(first, second)
    return [configuration_change(one, metrics, first.split, rng) for one in matched.shared]


def _metrics(first: Side, second: Side) -> list[Metric]:
    columns = {metric.column for metric in second.metrics}
    return [metric for metric in first.metrics if metric.column in columns]


def _pair(
    first: Side, second: Side, matched: Matched, changes: Sequence[ConfigurationChange]
) -> Pair:
    mean = _mean(_metrics(first, second), changes)
    conditions = time_conditions(first, second)
    verdict = verdict_of(changes, mean)
    return Pair(first, second, matched, tuple(changes), mean, conditions, verdict)


def _mean(metrics: Sequence[Metric], changes: Sequence[ConfigurationChange]) -> tuple[Change, ...]:
    """The mean change over configurations; how far they differ shows its uncertainty."""
    from mnist_sweep.analysis.statistics import of_values

    found = []
    for metric in metrics:
        own = [c for one in changes for c in one.summaries if c.metric == metric.name]
        if not own:
            continue
        first, second = of_values([c.first for c in own]), of_values([c.second for c in own])
        if len(own) > 1:
            change = change_of(metric, first, second, paired=True)
            if len(own) < MIN_FOR_MEAN:
                change = replace(change, low=None, high=None, p_value=None, covers="")
        else:
            change = replace(own[0], low=None, high=None, p_value=None, p_holm=None, covers="")
        found.append(change)
    return tuple(corrected(found))


def _corrected(
    pairs: Sequence[Sequence[ConfigurationChange]],
) -> list[list[ConfigurationChange]]:
    """Holm's correction: one family of all summaries of all pairs, one of all digits."""
    every = [one for changes in pairs for one in changes]
    summaries = iter(corrected(c for one in every for c in one.summaries))
    digits = iter(corrected(c for one in every for c in one.digits))

    def renewed(one: ConfigurationChange) -> ConfigurationChange:
        return replace(
            one,
            summaries=tuple(next(summaries) for _ in one.summaries),
            digits=tuple(next(digits) for _ in one.digits),
        )

    return [[renewed(one) for one in changes] for changes in pairs]
