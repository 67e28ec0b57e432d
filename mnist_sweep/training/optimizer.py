"""Keras's optimizers and learning-rate schedules from a run's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from mnist_sweep.settings import MOMENTUM_OPTIMIZERS


def learning_rate(settings: Mapping[str, Any], steps: int) -> Any:
    """A constant, or a schedule that reaches `schedule_end` of the start after `steps` batches."""
    start, end = settings["learning_rate"], settings["schedule_end"]
    schedules = keras.optimizers.schedules
    match settings["schedule"]:
        case "cosine":
            return schedules.CosineDecay(start, decay_steps=steps, alpha=end)
        case "exponential":
            return schedules.ExponentialDecay(start, decay_steps=steps, decay_rate=end)
        case "linear":
            return schedules.PolynomialDecay(start, steps, end_learning_rate=start * end, power=1.0)
        case _:
            return start


def optimizer(settings: Mapping[str, Any], steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a run, by Keras's own name; `steps` are the batches of all its epochs."""
    options: dict[str, Any] = {"learning_rate": learning_rate(settings, steps)}
    if settings["optimizer"] in MOMENTUM_OPTIMIZERS:
        options["momentum"] = settings["momentum"]
    if settings["weight_decay"] is not None:
        options["weight_decay"] = settings["weight_decay"]
    return type(keras.optimizers.get(settings["optimizer"]))(**options)
