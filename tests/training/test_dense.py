"""Transposed products: Keras's own results, and really transposed."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_sweep.training import compiled, model, runtime, small
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor
from mnist_sweep.training.fast import dense
from mnist_sweep.training.fast.program import replace
from support.training_settings import settings

ROWS, SHAPE, CLASSES, BATCH, NODES = 70, (5, 5), 4, 8, 60


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    runtime.configure(1)


def network(**options):
    keras.utils.set_random_seed(3)
    return model.mlp(SHAPE, CLASSES, layers=3, nodes=NODES, **options)


def transposed(built):
    replace(dense.replacements(built))
    return built


def after_an_epoch(built):
    values = np.random.default_rng(0)
    images = values.integers(0, 256, (ROWS, *SHAPE)).astype(np.uint8)
    labels = values.integers(0, CLASSES, ROWS).astype(np.uint8)
    update = keras.optimizers.SGD(0.1, momentum=0.9)
    program = EpochProgram(built, update, as_tensor(images), as_tensor(labels), BATCH, 255.0)
    program.compile(ROWS)
    return program(values.permutation(ROWS).astype(np.int32))


@pytest.mark.parametrize("options", [{}, {"activation": "tanh"}], ids=["relu", "tanh"])
def test_an_epoch_leaves_the_weights_that_keras_s_layers_leave(options):
    plain, ours = network(**options), transposed(network(**options))
    assert after_an_epoch(ours) == pytest.approx(after_an_epoch(plain), rel=1e-5)
    for mine, keras_value in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_value, rtol=2e-5, atol=2e-6)


def products(units, batch=BATCH):
    """The shapes of the products in a compiled gradient with respect to a layer's inputs."""
    layer = dense.TransposedDense(units)
    layer.build((batch, 33))

    @tf.function(jit_compile=True, autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, x)

    x = tf.ones((batch, 33))
    text = gradient.experimental_get_compiler_ir(x)(stage="optimized_hlo")
    return set(re.findall(r"= f32(\[\d+,\d+\])\S* dot\(", text))


def test_the_product_is_of_the_kernel_and_the_transposed_gradient():
    assert products(NODES) == {f"[{BATCH},{NODES}]", f"[33,{BATCH}]"}


def test_few_units_are_left_to_keras():
    assert products(10) == {f"[{BATCH},10]", f"[{BATCH},33]"}


def test_outside_of_training_it_is_keras_s_layer_to_the_bit():
    plain = network()
    ours = transposed(plain)
    x = np.random.default_rng(1).random((20, *SHAPE), np.float32)
    np.testing.assert_array_equal(ours(x).numpy(), plain(x).numpy())
    np.testing.assert_array_equal(ours(x, training=True).numpy(), plain(x, training=True).numpy())


def test_it_is_for_plain_layers_but_the_first_of_sequential_networks():
    built = network(dropout=0.1)
    inner = [layer for layer in built.layers if isinstance(layer, keras.layers.Dense)][1:]
    assert dense.replacements(built) == dict.fromkeys(inner, dense.TransposedDense)
    half = keras.layers.Dense(3, dtype="mixed_bfloat16")
    first = keras.layers.Dense(3)
    other = keras.Sequential([keras.Input((4,)), first, half])
    assert dense.replacements(other) == {}
    inputs = keras.Input((4,))
    functional = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(3)(inputs)))
    assert dense.replacements(functional) == {}


def test_what_is_trained_stays_plain_keras(monkeypatch):
    monkeypatch.setattr(small, "MAX_WORK", 0)

    class Data:
        class info:  # noqa: N801
            scale = 255.0

        train_images = np.random.default_rng(0).integers(0, 256, (ROWS, *SHAPE)).astype(np.uint8)
        train_labels = np.random.default_rng(1).integers(0, CLASSES, ROWS).astype(np.uint8)
        train_index = np.arange(50, dtype=np.int32)
        validation_index = np.arange(50, ROWS, dtype=np.int32)

    used = []
    monkeypatch.setattr(
        dense, "replacements", lambda n, f=dense.replacements: used.append(n) or f(n)
    )
    trained = network()
    before = trained.get_weights()
    compiled.train(trained, Data, settings(epochs=1, batch_size=BATCH))
    assert used
    assert {type(layer).__module__.split(".")[0] for layer in trained.layers} == {"keras"}
    for old, new in zip(before, trained.get_weights(), strict=True):
        assert not np.allclose(old, new)
