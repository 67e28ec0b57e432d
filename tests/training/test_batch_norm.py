"""Batch normalization by one kernel: the weights and statistics that Keras's operations leave."""

import keras
import numpy as np
import pytest

from mnist_sweep.data import load, prepare
from mnist_sweep.training import compiled
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor
from mnist_sweep.training.fast import batch_norm
from mnist_sweep.training.fast.program import replaced
from support.training_settings import settings

ROWS, SHAPE, CLASSES, BATCH = 49, (5, 6), 4, 8
layers = keras.layers


def network(*, image=True, **options):
    keras.utils.set_random_seed(3)
    first = [layers.Reshape((*SHAPE, 1)), layers.Conv2D(3, 3)] if image else []
    return keras.Sequential(
        [keras.Input(SHAPE), *first, layers.BatchNormalization(**options), layers.ReLU(),
         layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
    )  # fmt: skip


def after_an_epoch(built, replacements):
    """Its weights, and whether its program has the kernel; the last batch is a single image."""
    values = np.random.default_rng(0)
    built.set_weights([values.uniform(0.1, 1, w.shape) for w in built.get_weights()])
    images = as_tensor(values.integers(0, 256, (ROWS, *SHAPE)).astype(np.uint8))
    labels = as_tensor(values.integers(0, CLASSES, ROWS).astype(np.uint8))
    with replaced(replacements):
        update = keras.optimizers.SGD(0.1, momentum=0.9)
        program = EpochProgram(built, update, images, labels, BATCH, 255.0, xla=False)
        program(np.arange(ROWS, dtype=np.int32))
    graph = program._program.compiled.get_concrete_function().graph.as_graph_def()
    return built.get_weights(), "FusedBatchNormV3" in str(graph)


@pytest.mark.parametrize(
    ("options", "uses_it"),
    [
        ({}, True),
        ({"scale": False, "center": False, "epsilon": 0.1, "momentum": 0.5}, True),
        ({"trainable": False}, False),
        ({"axis": 1}, False),
        ({"image": False}, False),
    ],
)
def test_an_epoch_leaves_the_weights_that_keras_leaves(options, uses_it):
    theirs, _ = after_an_epoch(network(**options), {})
    built = network(**options)
    ours, used = after_an_epoch(built, batch_norm.replacements(built))
    assert used is uses_it
    for mine, keras_value in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, keras_value, rtol=2e-4, atol=2e-5)


def test_a_graph_is_trained_with_it_and_keeps_keras_s_layer(monkeypatch):
    calls = []
    own = batch_norm.FusedBatchNormalization.call
    monkeypatch.setattr(
        batch_norm.FusedBatchNormalization, "call",
        lambda self, *a, **k: calls.append(1) or own(self, *a, **k),
    )  # fmt: skip
    digits = load(prepare(settings(data__name="digits")["data"]))
    built = keras.Sequential(
        [keras.Input((8, 8)), layers.Reshape((8, 8, 1)), layers.Conv2D(2, 3),
         layers.BatchNormalization(), layers.Flatten(), layers.Dense(10, activation="softmax")]
    )  # fmt: skip
    assert compiled.train(built, digits, settings(epochs=1)).form == "graph"
    assert calls
    assert type(built.layers[2]) is layers.BatchNormalization
