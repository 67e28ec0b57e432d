"""The names of optimizers and activations are Keras's own."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_sweep import settings as schema
from mnist_sweep.training import runtime

pytestmark = pytest.mark.slow  # imports TensorFlow


@pytest.fixture(scope="module")
def keras() -> Any:
    runtime.import_tensorflow()
    import keras

    return keras


def test_the_names_of_optimizers_and_activations_are_those_of_keras(keras: Any):
    for name in schema.OPTIMIZERS:
        assert type(keras.optimizers.get(name)).__name__.lower() == name
    for name in schema.ACTIVATIONS:
        assert keras.activations.get(name).__name__ == name
    # Not sweepable: wrappers, and optimizers that step by other than the gradient alone.
    classes = {
        value.__name__.lower()
        for value in vars(keras.optimizers).values()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    }
    assert classes - set(schema.OPTIMIZERS) <= {
        "lamb", "lossscaleoptimizer", "multioptimizer", "muon", "optimizer", "schedulefreeadamw",
    }  # fmt: skip


def test_momentum_is_taken_by_the_optimizers_said_to_take_it(keras: Any):
    for name in schema.MOMENTUM_OPTIMIZERS:
        assert "momentum" in keras.optimizers.get(name).get_config()
