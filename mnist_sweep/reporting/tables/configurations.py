"""Configurations for figures and plots that still load them from sweeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.analysis import configurations as grouping
from mnist_sweep.analysis.configurations import Configuration, has_repeats, varying_settings
from mnist_sweep.metrics import resolve
from mnist_sweep.records.sweep import all_runs
from mnist_sweep.reporting.phrases import names
from mnist_sweep.reporting.phrases.names import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.records.sweep import Sweep

__all__ = [
    "BY", "Configuration", "configurations", "extent", "extremes", "has_repeats", "text_of",
    "varying_settings",
]  # fmt: skip
BY = "validation.accuracy"


def configurations(sweeps: Sequence[Sweep]) -> list[Configuration]:
    """All configurations with a finished run, named, in the order of the tables."""
    return names.with_names(grouping.configurations(all_runs(sweeps)))


def extremes(shown: Sequence[Configuration], count: int) -> list[Configuration]:
    """At most `count` configurations: all, or the best and the worst half."""
    return grouping.extremes(shown, count, resolve(BY))


def extent(part: Sequence[Configuration], whole: Sequence[Configuration]) -> str:
    """Words that say which part is shown; empty if it is all."""
    return names.extent(part, whole, resolve(BY))
