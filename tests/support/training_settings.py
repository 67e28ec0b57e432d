"""Small networks, data and settings for the tests of training."""

from __future__ import annotations

import copy
from typing import Any

from mnist_sweep import settings as schema
from mnist_sweep.training import runtime

runtime.configure(1)


def settings(**changes: Any) -> dict[str, Any]:
    """A run's settings at their defaults but for `changes`."""
    values = copy.deepcopy(schema.defaults())
    for key, value in changes.items():
        top, _, inner = key.partition("__")
        if inner:
            values[top][inner] = value
        else:
            values[top] = value
    values["model"] = {"_target_": schema.MLP_TARGET} | {
        key: values[key] for key in schema.MLP_KEYS
    }
    assert schema.problems({**values, "name": "test"}) == []
    return values
