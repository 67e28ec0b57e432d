"""The short last batch is padded where that changes nothing, and then needs no program."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.training import model
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor
from mnist_sweep.training.fast import dense, dropout, pad_batch, sparse_first_layer
from mnist_sweep.training.fast.program import replace

SHAPE, CLASSES = (6, 6), 4


def stack(*more):
    keras.utils.set_random_seed(5)
    top = keras.layers.Dense(CLASSES, activation="softmax")
    return keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), *more, top])


def as_trained(network):
    replace({**dense.replacements(network), **sparse_first_layer.replacements(network)})
    replace(dropout.replacements(network, seed=0))
    return network


def centred(x):
    return x - keras.ops.mean(x, axis=0)


def networks():
    class Mine(keras.layers.Dense):
        pass

    inputs = keras.Input(SHAPE)
    outputs = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(inputs))
    options = {"layers": 2, "nodes": 5, "dropout": 0.1}
    return [
        ("the mlp", model.mlp(SHAPE, CLASSES, **options), True),
        ("as it is trained", as_trained(model.mlp(SHAPE, CLASSES, **options)), True),
        ("the cnn", model.cnn((*SHAPE, 1), CLASSES), True),
        (
            "a weight's regularizer",
            stack(keras.layers.Dense(3, kernel_regularizer="l2")),
            True,
        ),
        (
            "an activity's regularizer",
            stack(keras.layers.Dense(3, activity_regularizer="l2")),
            0,
        ),
        ("rows of a softmax", stack(keras.layers.Softmax(axis=0)), False),
        ("an activation of the user's", stack(keras.layers.Dense(3, activation=centred)), False),
        ("batch normalization", stack(keras.layers.BatchNormalization()), False),
        ("a user's own layer", stack(Mine(3)), False),
        ("a functional network", keras.Model(inputs, outputs), False),
    ]


@pytest.mark.parametrize(("network", "expected"), [each[1:] for each in networks()])
def test_only_networks_that_treat_each_row_by_itself_are_padded(network, expected):
    assert pad_batch.can_pad(network) == expected


@given(st.integers(1, 50), st.integers(1, 20))
def test_rows_are_padded_to_whole_batches(n, size):
    order = np.arange(100, 100 + n, dtype=np.int32)
    padded = pad_batch.pad(order, size)
    assert len(padded) % size == 0
    assert 0 <= len(padded) - n < size
    np.testing.assert_array_equal(padded[:n], order)
    assert set(padded[n:]) <= {order[-1]}


@given(st.integers(1, 40), st.data())
def test_weights_make_the_mean_over_the_batch_that_over_its_examples(size, data):
    here = data.draw(st.integers(1, size))
    weights = pad_batch.weights(np.int32(here), size).numpy()
    values = np.random.default_rng(here).normal(size=size)
    assert (weights[here:] == 0).all()
    assert np.mean(weights * values) == pytest.approx(values[:here].mean(), rel=1e-5, abs=1e-6)
    assert (pad_batch.weights(np.int32(size), size).numpy() == 1).all()


@pytest.mark.parametrize(
    ("network", "loops"), [(stack(), 1), (stack(keras.layers.BatchNormalization()), 2)]
)
def test_a_padded_batch_needs_no_loop_of_its_own(network, loops):
    rows = np.random.default_rng(0)
    images = rows.integers(0, 256, (70, *SHAPE)).astype(np.uint8)
    labels = rows.integers(0, CLASSES, 70).astype(np.uint8)
    program = EpochProgram(
        network, keras.optimizers.SGD(0.1), as_tensor(images), as_tensor(labels), 32, 255.0
    )
    program.compile(70)
    (traced,) = program._program.compiled._list_all_concrete_functions()
    kinds = [op.type for op in traced.graph.get_operations()]
    assert sum(kind in ("While", "StatelessWhile") for kind in kinds) == loops
