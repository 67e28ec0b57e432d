"""Simulated baselines and reruns for the gate: runs that differ by seed and by images got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mnist_sweep.analysis.gate.check import relative_check
from mnist_sweep.analysis.gate.match import BaselinePair
from mnist_sweep.analysis.gate.noise import level_of_each
from mnist_sweep.analysis.gate.rules import Relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.gate import Check

ACCURACIES = (0.975, 0.985, 0.972, 0.955)


def simulated(
    rng: np.random.Generator,
    accuracies: Sequence[float],
    spread: Sequence[float],
    repeats: int,
    n_test: int = 2000,
) -> list[pd.DataFrame]:
    """The runs tables of configurations with `repeats` runs each, on the same images.

    Args:
        rng: Where the randomness comes from.
        accuracies: True accuracy of each configuration.
        spread: Standard deviation of the accuracy over seeds, of each configuration.
        repeats: Runs of each.
        n_test: Test images.
    """
    found = []
    for accuracy, deviation in zip(accuracies, spread, strict=True):
        true = np.clip(rng.normal(accuracy, deviation, repeats), 0, 1)
        measured = rng.binomial(n_test, true) / n_test
        found.append(pd.DataFrame({"dataset.n_test": n_test, "test.accuracy": measured}))
    return found


def relative_checks(
    old: Sequence[pd.DataFrame], new: Sequence[pd.DataFrame], level: float = 0.95
) -> list[Check]:
    """What the gate finds of test accuracy, configuration by configuration."""
    rule = Relative(metric="test.accuracy")
    each = level_of_each(level, len(old))
    return [
        relative_check(rule, BaselinePair("", before, after), each)
        for before, after in zip(old, new, strict=True)
    ]
