"""Simulated baselines and reruns for the gate: runs that differ by seed and by images got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.gate.baseline import Baseline, BaselineConfiguration, BaselineRun
from mnist_sweep.analysis.gate.noise import level_of_each
from mnist_sweep.analysis.gate.relative import Outcome, judge_relative
from mnist_sweep.analysis.gate.rules import Relative

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCURACIES = (0.975, 0.985, 0.972, 0.955)


def simulated(
    rng: np.random.Generator,
    accuracies: Sequence[float],
    spread: Sequence[float],
    repeats: int,
    n_test: int = 2000,
    shared_images: float = 0.0,
) -> list[BaselineConfiguration]:
    """Configurations with `repeats` runs each.

    Args:
        rng: Where the randomness comes from.
        accuracies: True accuracy of each configuration.
        spread: Standard deviation of the accuracy over seeds, of each configuration.
        repeats: Runs of each.
        n_test: Test images.
        shared_images: Share of the images' noise that is the same in all runs, as hard images are.
    """
    made = []
    for index, (accuracy, deviation) in enumerate(zip(accuracies, spread, strict=True)):
        runs = []
        for seed in range(repeats):
            true = float(np.clip(rng.normal(accuracy, deviation), 0, 1))
            right = rng.binomial(n_test // 10, true, 10)
            right = np.round(right + shared_images * (true * n_test / 10 - right)).astype(int)
            wrong = n_test // 10 - right
            confusion = np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)
            runs.append(
                BaselineRun(
                    run_id=str(seed),
                    seed=seed,
                    values={"test.accuracy": float(right.sum() / n_test)},
                    confusion={"test": confusion.tolist()},
                )
            )
        made.append(BaselineConfiguration(configuration_id=str(index), label=str(index), runs=runs))
    return made


def outcomes(
    old: list[BaselineConfiguration], new: list[BaselineConfiguration], level: float = 0.95
) -> list[Outcome]:
    """What the gate says about test accuracy, configuration by configuration."""
    baseline = Baseline(
        kind="mnist_sweep baseline", schema_version=1, dataset={}, configurations=old
    )
    each = level_of_each(level, len(old))
    pairs = list(zip(old, new, strict=True))
    rule = Relative(metric="test.accuracy")
    return [outcome for _, outcome in judge_relative(rule, baseline, pairs, each)]
