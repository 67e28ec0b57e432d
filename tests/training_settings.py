"""Small networks, data and settings for the tests of training."""

from __future__ import annotations

import copy
from typing import Any

from mnist_sweep import config
from mnist_sweep.training import runtime

runtime.configure(1)


def settings(**changes: Any) -> dict[str, Any]:
    """A run's settings at their defaults but for `changes`."""
    values = copy.deepcopy(config.defaults())
    for key, value in changes.items():
        top, _, inner = key.partition("__")
        if inner:
            values[top][inner] = value
        else:
            values[top] = value
    values["model"] = {"_target_": config.MLP_TARGET} | {
        key: values[key] for key in config.MLP_KEYS
    }
    assert config.problems({**values, "name": "test"}) == []
    return values
