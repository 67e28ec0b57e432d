"""One metric of every configuration against the baseline's, beyond the baseline's own noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.gate.noise import Noise, image_deviation, metric_of_confusions, noise_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mnist_sweep.analysis.gate.baseline import Baseline, BaselineConfiguration, BaselineRun
    from mnist_sweep.analysis.gate.rules import Relative

ROUNDING = 1e-3
"""Share of a loss by which another processor's rounding may move it."""


@dataclass(frozen=True)
class Outcome:
    """Whether a metric held, in a sentence, and the smallest drop that would have been noticed."""

    passed: bool
    sentence: str
    noticeable: float | None = None


def judge_relative(
    relative: Relative,
    baseline: Baseline,
    shared: Sequence[tuple[BaselineConfiguration, BaselineConfiguration]],
    level: float,
) -> Iterator[tuple[str, Outcome]]:
    """Judge one metric.

    Args:
        relative: The metric and its tolerance.
        baseline: All configurations of the baseline, whose spreads are pooled.
        shared: Those that the sweep has too: the baseline's and the sweep's.
        level: Of each single comparison, one-sided.

    Yields:
        Each configuration's label and what became of it.
    """
    metric = relative.metric
    noises = _noises(baseline, metric)
    for old, new in shared:
        before, after = _values(old, metric), _values(new, metric)
        noise = noises.get(old.configuration_id)
        if before is None or after is None:
            whose = "baseline" if before is None else "sweep"
            yield old.label, _unjudged(f"{metric} has no finite value in every run of the {whose}")
        elif noise is None:
            reason = f"the baseline does not tell the noise of {metric}; make one with seed=0,1,2"
            yield old.label, _unjudged(reason)
        else:
            yield old.label, _outcome(relative, before, after, noise, level)


def _outcome(
    relative: Relative, before: list[float], after: list[float], noise: Noise, level: float
) -> Outcome:
    sign = -1 if relative.metric.endswith(".loss") else 1
    repeats = (len(before), len(after))
    change = fmean(after) - fmean(before)
    drop = -sign * change
    allowed = noise.allowed(repeats, level) + relative.tolerance
    noticeable = noise.noticeable(repeats, level) + relative.tolerance
    source = "other seeds" if noise.source == "seeds" else "other test images"
    tolerated = f" and the tolerance of {relative.tolerance:g}" if relative.tolerance else ""
    moved = f"{relative.metric} went from {fmean(before):.4f} to {fmean(after):.4f} ({change:+.4f})"
    limit = f"{allowed:.4f} that {source}{tolerated} explain"
    if not math.isfinite(drop) or drop > allowed:
        return Outcome(
            passed=False,
            sentence=f"{moved}, worse by more than the {limit}.",
            noticeable=noticeable,
        )
    return Outcome(passed=True, sentence=f"{moved}, within the {limit}.", noticeable=noticeable)


@dataclass(frozen=True)
class _Known:
    """A configuration's values, how its confusion matrix varies over images, one image's worth."""

    configuration_id: str
    values: list[float]
    images: float | None
    finest: float


def _noises(baseline: Baseline, metric: str) -> dict[str, Noise]:
    """Configuration id -> noise of the metric; those left out have none that is known."""
    known = [one for c in baseline.configurations if (one := _known(c, metric)) is not None]
    # What no confusion matrix gives (a loss) varies in a known way only where it was repeated.
    usable = [one for one in known if one.images is not None or len(one.values) > 1]
    if not usable:
        return {}
    found = noise_of(
        [one.values for one in usable],
        [one.images or 0.0 for one in usable],
        max(one.finest for one in usable),
    )
    return {one.configuration_id: noise for one, noise in zip(usable, found, strict=True)}


def _known(one: BaselineConfiguration, metric: str) -> _Known | None:
    split, _, name = metric.partition(".")
    label = name.partition(".")[2]
    values, matrix = _values(one, metric), one.runs[0].confusion.get(split)
    if values is None:
        return None
    usable = matrix and all(len(row) == len(matrix) for row in matrix)
    if not matrix or not usable or name == "loss" or (label and int(label) >= len(matrix)):
        return _Known(one.configuration_id, values, None, ROUNDING * abs(fmean(values)))
    by_class = [sum(row) for row in matrix]
    # A metric of one class, or of the weakest one, rests on that class's images alone.
    few = label or name == "f1_min"
    finest = 1 / max(min(by_class) if few else sum(by_class), 1)
    return _Known(one.configuration_id, values, image_deviation(matrix, name), finest)


def _values(one: BaselineConfiguration, metric: str) -> list[float] | None:
    """The metric of every run; None if a run has none."""
    values = [_value(run, metric) for run in one.runs]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return known if len(known) == len(values) else None


def _value(run: BaselineRun, metric: str) -> float | None:
    """A run's metric: as it is kept, or one class's as its confusion matrix gives it."""
    if metric in run.values:
        return run.values[metric]
    split, _, name = metric.partition(".")
    matrix = run.confusion.get(split)
    label = name.partition(".")[2]
    if not label or not matrix or int(label) >= len(matrix):
        return None
    return float(metric_of_confusions(np.asarray(matrix, dtype=np.float64)[None], name)[0])


def _unjudged(reason: str) -> Outcome:
    return Outcome(passed=False, sentence=f"Cannot be judged: {reason}.")
