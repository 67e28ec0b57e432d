"""Several sides beside each other: the first is what all others are measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import fmean, median

import numpy as np

from mnist_sweep.analysis.compare.changes import (
    Change,
    ConfigurationChange,
    change_of_means,
    configuration_change,
)
from mnist_sweep.analysis.compare.match import Differing, Matched, differing, match
from mnist_sweep.analysis.compare.sides import MACHINE, Side, columns_of
from mnist_sweep.analysis.statistics import holm
from mnist_sweep.analysis.varying import SEED
from mnist_sweep.metrics import Metric
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.table import RunsTable

_CODE = ("git_sha", "git_dirty", "mnist_sweep", "python", "tensorflow", "keras", "numpy", "hydra")
# An epoch this many times as long as the median one shows that the machine did other work.
_BUSY = 2.0
_MIN_EPOCHS = 4
_MIN_EPOCH_S = 0.2  # the time of a shorter epoch says nothing of the machine's load


class VerdictKind(StrEnum):
    """What happened to the second side."""

    NOTHING_SHARED = "nothing shared"
    IDENTICAL = "identical"
    NOISE = "noise"  # tested, and no change is significant
    UNTESTED = "untested"  # single runs differ, and nothing says whether configurations do
    BETTER = "better"
    WORSE = "worse"
    MIXED = "mixed"  # better in some configurations, worse in others


@dataclass(frozen=True)
class Verdict:
    """The verdict of one pair of sides."""

    kind: VerdictKind
    # What it is about: the largest significant change, or the largest at all; of single runs the
    # mean over configurations.
    change: Change | None = None
    configuration: str = ""  # of the change; empty if it is the mean over all
    # In how many configurations that metric changed significantly; of single runs, in how many it
    # moved in the direction of the mean.
    n_changed: int = 0
    n_tests: int = 0
    # Classes whose F1 changed significantly, with the mean of these changes, largest first.
    digits: tuple[tuple[str, float], ...] = ()
    # Whether the leading metric's change is shown to be below the margin in every configuration.
    equivalent: bool = False


@dataclass(frozen=True, eq=False)
class Pair:
    """The first side and another one: what changed in the configurations that both have."""

    first: Side
    second: Side
    matched: Matched
    changes: tuple[ConfigurationChange, ...]
    mean: tuple[Change, ...]  # of every metric over them, as it was seen, without a test
    machine: tuple[Differing, ...]  # what differs between the machines
    busy: tuple[int, int]  # runs with epochs that only other work on the machine explains
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several sides, with a pair for each after the first."""

    sides: tuple[Side, ...]
    differs: dict[str, tuple[Differing, ...]]  # in settings, seeds, data, code and machine
    pairs: tuple[Pair, ...]


def compare(sides: Sequence[Side], seed: int = 0) -> Comparison:
    """Compare two or more sides with the first; the same sides and seed give the same answer."""
    names = [side.name for side in sides]
    if len({*names}) < len(names):  # their whole paths tell them apart, or letters
        names = [str(side.directory) for side in sides]
        if len({*names}) < len(names):
            names = [f"{name} ({chr(65 + index)})" for index, name in enumerate(names)]
    first, *others = (replace(one, name=name) for one, name in zip(sides, names, strict=True))
    rng = np.random.default_rng(seed)
    columns = {
        "data": tuple(f"dataset.{name}" for name in ("name", "sha256", f"n_{first.split}")),
        "code": ("code.sha256", *(f"environment.{name}" for name in _CODE)),
        "machine": MACHINE,
    }
    runs = [side.runs for side in (first, *others)]
    differs = {
        "settings": differing([side.settings for side in (first, *others)]),
        "seeds": differing([[{SEED: seed} for seed in own[SEED].dropna()] for own in runs]),
    }
    differs |= {
        part: differing([columns_of(own, names) for own in runs]) for part, names in columns.items()
    }
    matched = [match(first, other) for other in others]
    changes = [
        [configuration_change(one, _metrics(first, other), first, rng) for one in own.shared]
        for other, own in zip(others, matched, strict=True)
    ]
    # Metrics and digits of all pairs are shown together: one family.
    every = (change for own in changes for one in own for change in (*one.summaries, *one.digits))
    adjusted = iter(holm([one.p_value for one in every if one.p_value is not None]))

    def corrected(changes: tuple[Change, ...]) -> tuple[Change, ...]:
        return tuple(
            one if one.p_value is None else replace(one, p_holm=next(adjusted)) for one in changes
        )

    pairs = []
    for other, shared, own in zip(others, matched, changes, strict=True):
        tested = tuple(
            replace(one, summaries=corrected(one.summaries), digits=corrected(one.digits))
            for one in own
        )
        metrics = _metrics(first, other)
        mean = []
        for metric in metrics:
            of = [c for one in tested for c in one.summaries if c.metric == metric.name]
            if of:
                one, two = fmean(c.first for c in of), fmean(c.second for c in of)
                mean.append(change_of_means(metric, one, two))
        machine = differing([columns_of(side.runs, MACHINE) for side in (first, other)])
        busy = (_n_busy(first.runs), _n_busy(other.runs))
        verdict = _verdict(tested, mean, [metric.name for metric in metrics])
        pairs.append(Pair(first, other, shared, tested, tuple(mean), machine, busy, verdict))
    return Comparison((first, *others), differs, tuple(pairs))


def _metrics(first: Side, second: Side) -> list[Metric]:
    columns = {metric.column for metric in second.metrics}
    return [metric for metric in first.metrics if metric.column in columns]


def _n_busy(runs: RunsTable) -> int:
    """Runs with an epoch that took much longer than most, but for the first, which may compile."""
    if "time.epoch_s" not in runs:
        return 0
    # Only these records are read: the table has the median alone.
    slow = runs[runs["time.epoch_s"] >= _MIN_EPOCH_S]
    found = 0
    for directory in slow["directory"]:
        times = read_record(RunPaths(directory).record).time
        epochs = times.epoch_s[1:] if times else []
        found += len(epochs) >= _MIN_EPOCHS and max(epochs) > _BUSY * median(epochs)
    return found


def _verdict(
    changes: Sequence[ConfigurationChange], mean: Sequence[Change], metrics: Sequence[str]
) -> Verdict:
    """Sum up one pair of sides; of `metrics` the first is what a verdict is about."""
    if not changes:
        return Verdict(VerdictKind.NOTHING_SHARED)
    if all(one.identical for one in changes):
        return Verdict(VerdictKind.IDENTICAL)
    every = [(one.shared.name, change) for one in changes for change in one.summaries]
    tested = [(name, change) for name, change in every if change.p_value is not None]
    if not tested:
        # One run a side: what was seen, on average, and nothing about configurations.
        seen = _largest([("", change) for change in mean], metrics)[1]
        same = [c for _, c in every if seen and (c.metric, c.better) == (seen.metric, seen.better)]
        return Verdict(VerdictKind.UNTESTED, seen, "", len(same))
    found = [(name, change) for name, change in tested if change.significant]
    if not found:
        name, change = _largest(tested, metrics)
        leading = [one for _, one in tested if one.metric == metrics[0]]
        equivalent = len(leading) == len(changes) and all(one.equivalent for one in leading)
        return Verdict(VerdictKind.NOISE, change, name, n_tests=len(tested), equivalent=equivalent)
    counts = Counter(change.metric for _, change in found)
    metric = metrics[0] if counts[metrics[0]] else counts.most_common(1)[0][0]
    found = [(name, change) for name, change in found if change.metric == metric]
    name, change = _largest(found, metrics)
    signs = {change.better for _, change in found}
    kind = VerdictKind.BETTER if signs == {True} else VerdictKind.WORSE
    kind = VerdictKind.MIXED if len(signs) > 1 else kind
    steps: dict[str, list[float]] = {}
    for own in (own for one in changes for own in one.digits if own.significant):
        steps.setdefault(own.metric.partition(".")[2], []).append(own.change)
    order = sorted(steps, key=lambda label: -abs(sum(steps[label])))
    digits = tuple((label, fmean(steps[label])) for label in order)
    return Verdict(kind, change, name, len(found), len(tested), digits)


def _largest(
    found: Sequence[tuple[str, Change]], metrics: Sequence[str]
) -> tuple[str, Change | None]:
    """The largest change of the first metric that changed."""
    for metric in metrics:
        own = [one for one in found if one[1].metric == metric and one[1].change]
        if own:
            return max(own, key=lambda one: abs(one[1].change))
    return found[0] if found else ("", None)
