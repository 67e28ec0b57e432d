"""Numbers in words: values with their unit, differences, intervals and what they cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.reporting.conclusions.selection import p_value

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics import Difference, Interval


def share(metric: str, value: float) -> str:
    """A metric's value: '97.43 %' of an accuracy, '0.9743' of the others."""
    return f"{100 * value:.2f} %" if metric == "accuracy" else f"{value:.4f}"


def change(metric: str, value: float) -> str:
    """A metric's difference: '+0.21 points' of an accuracy, '+0.0021' of the others."""
    return f"{100 * value:+.2f} points" if metric == "accuracy" else f"{value:+.4f}"


def ends(metric: str, low: float, high: float, *, signed: bool = False) -> str:
    """Two ends of an interval: '97.20 to 97.66 %', '-0.05 to +0.47 points'."""
    sign = "+" if signed else ""
    if metric == "accuracy":
        unit = "points" if signed else "%"
        return f"{100 * low:{sign}.2f} to {100 * high:{sign}.2f} {unit}"
    return f"{low:{sign}.4f} to {high:{sign}.4f}"


def interval(metric: str, found: Interval) -> str:
    """'95 % interval 97.20 to 97.66 % (other images and other seeds)'."""
    text = f"{100 * found.level:g} % interval {ends(metric, found.low, found.high)}"
    return f"{text} ({covered(found.covers)})"


def difference(found: Difference, p: float | None = None) -> str:
    """'95 % interval -0.05 to +0.47 points, p = 0.11 (other images and other seeds)'.

    Args:
        found: The difference.
        p: The p-value to show; None takes the difference's own.
    """
    span = ends(found.metric, found.low, found.high, signed=True)
    p = found.p_value if p is None else p
    shown = "" if p is None else f", p {p_value(p)}"
    return f"{100 * found.level:g} % interval {span}{shown} ({covered(found.covers)})"


def covered(covers: str) -> str:
    """What an interval covers, in words."""
    if covers == "images and seeds":
        return "covers other images and other seeds"
    return "one run, covers other images alone: another seed may turn it round"


def runs(count: int) -> str:
    """'one run', 'mean of 5 runs'."""
    return "one run" if count == 1 else f"mean of {count} runs"
