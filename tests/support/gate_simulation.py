"""Simulated baselines and reruns for the gate: runs that differ by seed and by images got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mnist_sweep.analysis.gate.check import relative_check
from mnist_sweep.analysis.gate.noise import level_of_each
from mnist_sweep.analysis.gate.pairs import pairs
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
) -> pd.DataFrame:
    """The runs table of configurations with `repeats` runs each, on the same images.

    Args:
        rng: Where the randomness comes from.
        accuracies: True accuracy of each configuration.
        spread: Standard deviation of the accuracy over seeds, of each configuration.
        repeats: Runs of each.
        n_test: Test images.
    """
    rows = []
    for index, (accuracy, deviation) in enumerate(zip(accuracies, spread, strict=True)):
        for seed in range(repeats):
            true = float(np.clip(rng.normal(accuracy, deviation), 0, 1))
            rows.append(
                {
                    "configuration_id": str(index),
                    "label": str(index),
                    "seed": seed,
                    "dataset.n_test": n_test,
                    "test.accuracy": rng.binomial(n_test, true) / n_test,
                }
            )
    return pd.DataFrame(rows)


def relative_checks(old: pd.DataFrame, new: pd.DataFrame, level: float = 0.95) -> list[Check]:
    """What the gate finds of test accuracy, configuration by configuration."""
    matched = pairs(old, new)
    each = level_of_each(level, len(matched))
    return [relative_check(Relative(metric="test.accuracy"), pair, each) for pair in matched]
