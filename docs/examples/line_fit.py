"""A task in plain Python: fit a line to noisy points by gradient descent.

mnist-sweep -m task._target_=line_fit.train task.lr=0.05,0.2 seed=0,1 name=line
"""

from __future__ import annotations

import random
from math import sqrt
from typing import Annotated

from pydantic import Field

from mnist_sweep import report_epoch


def train(
    lr: Annotated[float, Field(gt=0, le=1)] = 0.1,
    epochs: Annotated[int, Field(ge=1)] = 10,
    seed: int = 0,
) -> dict[str, float]:
    """Fit a line. The annotations define the ranges of the settings.

    Args:
        lr: Step size.
        epochs: Passes over the points.
        seed: Seed of the points.

    Returns:
        The error on held-out points and on the fitted points.
    """
    source = random.Random(seed)  # noqa: S311  (no secret)
    points = [(x / 10, 3 * x / 10 - 1 + source.gauss(0, 0.1)) for x in range(-10, 11)]
    fitted, held_out = points[::2], points[1::2]
    slope = offset = 0.0
    for _ in range(epochs):
        for x, y in fitted:
            error = slope * x + offset - y
            slope -= lr * error * x
            offset -= lr * error
        report_epoch(
            {
                "rmse": rmse(fitted, slope, offset),
                "val_rmse": rmse(held_out, slope, offset),
            }
        )
    return {
        "rmse": rmse(held_out, slope, offset),
        "train.rmse": rmse(fitted, slope, offset),
    }


def rmse(points: list[tuple[float, float]], slope: float, offset: float) -> float:
    """Root mean squared error of a line."""
    return sqrt(sum((slope * x + offset - y) ** 2 for x, y in points) / len(points))
