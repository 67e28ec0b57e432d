"""How long and how large a run will be, before it runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mnist_sweep.config import MLP_TARGET, Plain
from mnist_sweep.sweeping.plan import Plan, Point
from mnist_sweep.training.data import DatasetInfo


def parameters(model: Plain, info: DatasetInfo) -> int | None:
    """Weights of a multilayer perceptron; None for other models, which must be built to know."""
    if model["_target_"] != MLP_TARGET:
        return None
    widths = [math.prod(info.shape), *[model["nodes"]] * model["layers"], info.classes]
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


def cost(point: Point, info: DatasetInfo) -> float:
    """A figure that grows with a run's expected time: weights x examples x epochs.

    Smaller batches mean more updates of all weights; an update costs about as much as eight
    examples' products. Models of unknown size count as a large perceptron.
    """
    size = parameters(point.settings["model"], info) or 1_000_000
    batches = info.n_train / min(point.settings["batch_size"], info.n_train)
    return size * point.settings["epochs"] * (info.n_train + 8 * batches)


def longest_first(points: Iterable[Point], plan: Plan) -> list[Point]:
    """Points by falling cost, so that no long run starts last; ties keep the grid's order."""
    return sorted(points, key=lambda point: -cost(point, plan.datasets[point.data_key]))
