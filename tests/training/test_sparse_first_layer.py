"""Products over active columns only: Keras's own results, and really fewer columns."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist_sweep.training import compiled, model, runtime, small
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor
from mnist_sweep.training.fast import dropout, fused_adam, sparse_first_layer
from mnist_sweep.training.fast.program import replace
from support.training_settings import settings

ROWS, SHAPE, CLASSES, BATCH = 150, (12, 12), 5, 16


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    runtime.configure(1)


@pytest.fixture(scope="module")
def images():
    """A fifth of the pixels nonzero, all in a narrow part of each image."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 256, (ROWS, *SHAPE)).astype(np.uint8)
    part = np.zeros((ROWS, *SHAPE), bool)
    for row, start in enumerate(rng.integers(0, 3, ROWS)):
        part[row, 3:8, start : start + 5] = True
    return np.where(part & (rng.random(values.shape) < 0.8), values, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(1).integers(0, CLASSES, ROWS).astype(np.uint8)


def network(**options):
    keras.utils.set_random_seed(3)
    return model.mlp(SHAPE, CLASSES, layers=2, nodes=9, **options)


def with_sparse_layer(built):
    replace(sparse_first_layer.replacements(built))
    return built


def after_an_epoch(built, images, labels, order, columns=None):
    program = EpochProgram(
        built, keras.optimizers.SGD(0.1, momentum=0.9), as_tensor(images), as_tensor(labels),
        BATCH, 255.0, columns,
    )  # fmt: skip
    program.compile(len(order))
    return program(order)


def test_an_epoch_leaves_the_weights_that_keras_s_layer_leaves(images, labels):
    order = np.random.default_rng(2).permutation(ROWS).astype(np.int32)
    columns = sparse_first_layer.ActiveColumns(images, BATCH, [order])
    assert columns.worthwhile
    plain, ours = network(), with_sparse_layer(network())
    theirs = after_an_epoch(plain, images, labels, order)
    assert after_an_epoch(ours, images, labels, order, columns) == pytest.approx(theirs, rel=1e-5)
    for mine, keras_value in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_value, rtol=2e-5, atol=2e-6)


def test_a_batch_with_more_columns_than_were_looked_for_is_right_too(images, labels):
    order = np.arange(ROWS, dtype=np.int32)
    brighter = images.copy()
    brighter[40] = 7  # every pixel of one image
    columns = sparse_first_layer.ActiveColumns(images, BATCH, [order])
    before = columns.of(order)[0].shape[1]
    columns = sparse_first_layer.ActiveColumns(brighter, BATCH, [order[:BATCH]])
    assert columns.of(order[:BATCH])[0].shape[1] <= before
    plain, ours = network(), with_sparse_layer(network())
    after_an_epoch(plain, brighter, labels, order)
    after_an_epoch(ours, brighter, labels, order, columns)
    assert columns.of(order)[0].shape[1] == columns.width
    for mine, keras_value in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, keras_value, rtol=2e-5, atol=2e-6)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 2)),
    st.integers(1, 9),
)
def test_columns_are_the_active_ones_and_places_find_them(flat, batch):
    order = np.random.default_rng(len(flat)).permutation(len(flat)).astype(np.int32)
    columns, places = sparse_first_layer.ActiveColumns(flat, batch, [order]).of(order)
    assert len(columns) == len(places) == -(-len(flat) // batch)
    for i, (some, where) in enumerate(zip(columns, places, strict=True)):
        present = (flat[order[i * batch : (i + 1) * batch]] > 0).any(axis=0)
        np.testing.assert_array_equal(some[: present.sum()], np.flatnonzero(present))
        np.testing.assert_array_equal(some[where[present]], np.flatnonzero(present))
        # An inactive column's place is a column of zeros: its gradient. So is the padding.
        assert not present[some[where[~present]]].any()
        assert not present[some[present.sum() :]].any()


def test_the_products_are_of_fewer_columns(images):
    order = np.arange(ROWS, dtype=np.int32)
    columns = sparse_first_layer.ActiveColumns(images, BATCH, [order])
    few = columns.of(order)[0].shape[1]
    layer = sparse_first_layer.layer_of(with_sparse_layer(network()))

    @tf.function(jit_compile=True, autograph=False)
    def product(x, some, places):
        with layer.on(some, places):
            return layer(x, training=True)

    some, places = (each[0] for each in columns.of(order))
    text = product.experimental_get_compiler_ir(tf.ones((BATCH, 144)), some, places)("hlo")
    assert few < 144
    assert f"f32[{few},9]" in text
    assert "dot(" in text


def test_its_gradient_is_never_written_out(images):
    order = np.arange(ROWS, dtype=np.int32)
    columns = sparse_first_layer.ActiveColumns(images, BATCH, [order])
    ours = with_sparse_layer(network())
    layer, kernel = sparse_first_layer.layer_of(ours), ours.trainable_variables[0]
    update = fused_adam.for_training(keras.optimizers.Adam())
    update.build([kernel])

    @tf.function(jit_compile=True, autograph=False)
    def step(x, some, places):
        with tf.GradientTape() as tape, layer.on(some, places):
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        update.apply([tape.gradient(loss, kernel)], [kernel])

    some, places = (each[0] for each in columns.of(order))
    text = step.experimental_get_compiler_ir(tf.ones((BATCH, 144)), some, places)("optimized_hlo")
    entry = text[text.index("ENTRY") :]
    written = re.findall(r"= (\([^=]*?\)|\S+) (\w+)\(", entry)
    whole = [(len(re.findall(r"f32\[144,9\]", what)), how) for what, how in written]
    # One loop writes the kernel and its moments; nothing but inputs and outputs is as large.
    assert [count for count, how in whole if count and how == "fusion"] == [3]
    assert {how for count, how in whole if count} <= {
        "fusion", "parameter", "tuple", "copy", "get"
    }  # fmt: skip
    assert not [how for count, how in whole if count and how == "gather"]


def test_outside_of_training_it_is_keras_s_layer_to_the_bit(images):
    x = images[:20].astype("float32") / 255
    ours = with_sparse_layer(network())
    np.testing.assert_array_equal(ours(x).numpy(), network()(x).numpy())


def data_of(images, labels):
    class Data:
        class info:  # noqa: N801
            scale = 255.0

        train_images, train_labels = images, labels
        train_index = np.arange(120, dtype=np.int32)
        validation_index = np.arange(120, ROWS, dtype=np.int32)

    return Data


def other_networks():
    dense, flatten = keras.layers.Dense, keras.layers.Flatten
    top = dense(CLASSES, activation="softmax")
    inputs = keras.Input(SHAPE)
    return {
        "a convolution first": model.cnn(SHAPE, CLASSES),
        "channels before columns": keras.Sequential(
            [keras.Input(SHAPE), flatten(data_format="channels_first"), dense(3), top]
        ),
        "no flatten": keras.Sequential([keras.Input((4,)), dense(3), top]),
        "a functional network": keras.Model(inputs, dense(CLASSES)(flatten()(inputs))),
        "half precision": keras.Sequential(
            [keras.Input(SHAPE), flatten(), dense(3, dtype="mixed_bfloat16"), dense(CLASSES)]
        ),
    }


def test_other_networks_train_as_they_are():
    assert {
        name: sparse_first_layer.is_supported(other) for name, other in other_networks().items()
    } == dict.fromkeys(other_networks(), False)


def test_dropout_and_active_columns_work_together(images, labels):
    ours = with_sparse_layer(network(dropout=0.5))
    replace(dropout.replacements(ours, seed=0))
    kinds = [type(layer).__name__ for layer in ours.layers]
    assert kinds.count("ActiveColumnDense") == 1
    assert kinds.count("CounterDropout") == 2
    order = np.arange(ROWS, dtype=np.int32)
    loss, _ = after_an_epoch(
        ours, images, labels, order, sparse_first_layer.ActiveColumns(images, BATCH, [order])
    )
    assert np.isfinite(loss)


def test_images_without_zeros_do_without(images):
    order = np.arange(ROWS, dtype=np.int32)
    assert not sparse_first_layer.ActiveColumns(np.full_like(images, 3), BATCH, [order]).worthwhile


@pytest.mark.parametrize(
    ("batch_size", "used"),
    [(sparse_first_layer.MIN_BATCH - 1, False), (BATCH, True), (10**9, True)],
)
def test_batches_that_are_very_many_do_without(images, labels, batch_size, used):
    data = data_of(images, labels)
    found = compiled._active_columns(network(), data, settings(batch_size=batch_size))
    assert (found is not None) == used


def test_training_uses_it_where_it_helps_and_saves_a_plain_network(monkeypatch, images, labels):
    monkeypatch.setattr(small, "MAX_WORK", 0)
    used = []
    monkeypatch.setattr(
        sparse_first_layer,
        "replacements",
        lambda n, f=sparse_first_layer.replacements: used.append(n) or f(n),
    )
    trained = network()
    before = trained.get_weights()
    result = compiled.train(trained, data_of(images, labels), settings(epochs=2, batch_size=BATCH))
    assert used
    assert not result.diverged
    assert [type(layer).__module__.split(".")[0] for layer in trained.layers] == ["keras"] * 4
    assert not np.allclose(before[0], trained.get_weights()[0])
