"""The network that trains with fast layers is the network itself: nothing of it is lost."""

import keras
import numpy as np
import pytest

from mnist_sweep.data import load, prepare
from mnist_sweep.errors import ModelError
from mnist_sweep.training import compiled, fit, model, small
from mnist_sweep.training.fast.dense import TransposedDense
from mnist_sweep.training.fast.program import replaced
from support.training_settings import settings

SHAPE, CLASSES = (8, 8), 10


@pytest.fixture(autouse=True)
def compiled_by_xla(monkeypatch):
    monkeypatch.setattr(small, "MAX_WORK", 0)


@pytest.fixture(scope="module")
def digits():
    return load(prepare(settings(data__name="digits")["data"]))


def scaled(digits):
    return digits.train_images[digits.train_index].astype("float32") / digits.info.scale


class Scaled(keras.layers.Layer):
    """A layer with an attribute outside of its configuration."""

    factor = 1.0

    def call(self, inputs):
        return inputs * self.factor


def network(*first):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input(SHAPE), *first, layers.Flatten(), layers.Dense(16, activation="relu"),
         layers.Dropout(0.1), layers.Dense(16, activation="relu"),
         layers.Dense(CLASSES, activation="softmax")]
    )  # fmt: skip


def with_statistics(digits):
    normalization = keras.layers.Normalization()
    normalization.adapt(scaled(digits))
    return network(normalization)


def with_frozen_kernel(_digits):
    built = network()
    built.layers[1].kernel.trainable = False
    return built


def with_attribute(_digits):
    layer = Scaled()
    layer.factor = 0.1
    return network(layer)


def with_own_regularizer(_digits):
    built = network()
    built.layers[1].kernel.regularizer = keras.regularizers.L2(1.0)
    return built


def with_closure(_digits):
    factor = 3.0
    return network(keras.layers.Lambda(lambda x: x * factor))


BUILDERS = [
    with_statistics,
    with_frozen_kernel,
    with_attribute,
    with_own_regularizer,
    with_closure,
]


@pytest.mark.parametrize("build", BUILDERS)
def test_what_is_outside_of_configurations_is_trained_and_evaluated(digits, build):
    ours, theirs = build(digits), build(digits)
    options = settings(epochs=1, batch_size=64, optimizer="sgd", learning_rate=0.01)
    training = compiled.train(ours, digits, options)
    test = np.arange(360, dtype=np.int32)
    outputs = training.predictor(digits.test_images, digits.test_labels, test)
    images = digits.test_images.astype("float32") / digits.info.scale
    own = np.asarray(ours(images, training=False))
    np.testing.assert_allclose(outputs.probability, own.max(axis=1), rtol=1e-5)
    # Dropout's masks and the order of the rows differ, so the means only agree roughly.
    reference = fit.train(theirs, digits, options)
    assert training.history.loss == pytest.approx(reference.history.loss, rel=0.1)
    assert training.history.val_accuracy == pytest.approx(reference.history.val_accuracy, abs=0.15)


def test_a_variable_frozen_by_hand_keeps_its_values(digits):
    built = with_frozen_kernel(digits)
    before = built.get_weights()
    assert compiled.train(built, digits, settings(epochs=1)).form != "fit"
    changed = [
        not np.array_equal(old, new) for old, new in zip(before, built.get_weights(), strict=True)
    ]
    assert changed == [False, True, True, True, True, True]


def test_layers_are_keras_s_again_whatever_happens(digits):
    built = model.mlp(SHAPE, CLASSES, layers=2, nodes=16, dropout=0.1)
    variables, attributes = list(built.variables), [set(vars(layer)) for layer in built.layers]
    inner = built.layers[3]
    with replaced({inner: TransposedDense}):
        assert type(inner) is TransposedDense
    compiled.train(built, digits, settings(epochs=1))

    def stop(*_):
        raise ModelError("stopped")

    with pytest.raises(ModelError, match="stopped"):
        compiled.train(built, digits, settings(epochs=1), stop)
    assert {type(layer).__module__.partition(".")[0] for layer in built.layers} == {"keras"}
    assert [set(vars(layer)) for layer in built.layers] == attributes
    assert all(a is b for a, b in zip(variables, built.variables, strict=True))
