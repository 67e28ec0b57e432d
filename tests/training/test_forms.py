"""The form of a run follows from its network and settings, and each form trains what it is for."""

import hashlib
import logging
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_sweep.data import load, prepare
from mnist_sweep.training import compiled, forms, model, small, train
from mnist_sweep.training.forms import Form
from mnist_sweep.training.predictor import Predictor
from support.training_settings import settings

SHAPE, CLASSES = (8, 8), 10
layers = keras.layers


@pytest.fixture(scope="module")
def digits():
    return load(prepare(settings(data__name="digits")["data"]))


@pytest.fixture
def no_small_runs(monkeypatch):
    monkeypatch.setattr(small, "MAX_WORK", 0)


class WithoutXla(layers.Layer):
    def call(self, inputs):
        return tf.ensure_shape(tf.py_function(lambda x: x, [inputs], tf.float32), inputs.shape)


class Eager(layers.Layer):
    """Needs the values themselves, so it cannot be traced."""

    def call(self, inputs):
        return tf.constant(inputs.numpy())

    def compute_output_shape(self, input_shape):
        return input_shape


class OwnStep(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


class Subclassed(keras.Model):
    def __init__(self, *inner):
        super().__init__()
        self.inner = [*inner, layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]

    def call(self, x):
        for layer in self.inner:
            x = layer(x)
        return x


def network(*inner):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input(SHAPE), *inner, layers.Flatten(), layers.Dense(CLASSES, activation="softmax")]
    )


def with_own_step():
    inputs = keras.Input(SHAPE)
    return OwnStep(inputs, layers.Dense(CLASSES, activation="softmax")(layers.Flatten()(inputs)))


def pictures():
    return layers.Reshape((8, 8, 1))


FORMS = {
    "dense": (lambda: model.mlp(SHAPE, CLASSES, 2, 8, 0.1), Form.XLA, "fast in XLA"),
    "normalized": (lambda: network(layers.BatchNormalization()), Form.XLA, "fast in XLA"),
    "recurrent": (lambda: network(layers.LSTM(4)), Form.XLA, "fast in XLA"),
    "attention": (
        lambda: Subclassed(layers.Dense(4), layers.LayerNormalization()), Form.XLA, "fast in XLA",
    ),
    "convolution": (lambda: model.cnn(SHAPE, CLASSES, 2), Form.GRAPH, "Conv2D, MaxPool"),
    "subclassed": (lambda: Subclassed(pictures(), layers.Conv2D(2, 3)), Form.GRAPH, "Conv2D"),
    "inside of a loop": (
        lambda: network(layers.Reshape((2, 8, 4, 1)), layers.ConvLSTM2D(2, 2)),
        Form.GRAPH, "Conv2D",
    ),
    "noise": (lambda: network(layers.GaussianNoise(0.1)), Form.GRAPH, "StatelessRandomNormal"),
    "augmentation": (
        lambda: network(pictures(), layers.RandomRotation(0.1), layers.RandomZoom(0.1)),
        Form.GRAPH, "ImageProjectiveTransform",
    ),
    "own step": (with_own_step, Form.FIT, "its own train_step"),
    "no graph": (lambda: network(Eager()), Form.FIT, "no program: .*numpy"),
}  # fmt: skip


@pytest.mark.parametrize(("build", "form", "reason"), FORMS.values(), ids=FORMS.keys())
def test_the_layers_decide(digits, no_small_runs, build, form, reason):
    built = model.checked(build(), "own.build", SHAPE, CLASSES)
    choice = forms.choose(built, digits, settings(epochs=1))
    assert choice.form is form
    assert re.search(reason, choice.reason)


@pytest.mark.parametrize(
    ("nodes", "epochs", "form"),
    [(50, 20, Form.GRAPH), (50, 200, Form.XLA), (5000, 20, Form.XLA), (5000, 1, Form.GRAPH)],
)
def test_so_does_the_amount_of_work(digits, nodes, epochs, form):
    choice = forms.choose(model.mlp(SHAPE, CLASSES, 1, nodes), digits, settings(epochs=epochs))
    assert choice.form is form
    if form is Form.GRAPH:
        steps = epochs * 41
        parameters = 64 * nodes + nodes + 10 * nodes + 10
        expected = f"compiling would take longer than {steps} steps of {parameters} parameters"
        assert choice.reason == expected


def test_what_xla_cannot_compile_is_a_graph(digits, no_small_runs):
    training = compiled.train(network(WithoutXla()), digits, settings(epochs=1))
    assert training.form == Form.GRAPH
    assert "EagerPyFunc" in training.reason


class Exhausted(layers.Layer):
    """As a layer on a full machine."""

    error: Exception

    def call(self, inputs):  # noqa: ARG002
        raise self.error

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.mark.parametrize(
    "error",
    [MemoryError("full"), tf.errors.ResourceExhaustedError(None, None, "full"),
     tf.errors.UnavailableError(None, None, "full")],
)  # fmt: skip
def test_a_full_machine_changes_no_form(digits, error, no_small_runs, monkeypatch):
    layer = Exhausted()
    layer.error = error
    built = network(layer)
    with pytest.raises(type(error), match="full"):
        compiled.train(built, digits, settings(epochs=1))
    with pytest.raises(type(error), match="full"):
        Predictor(built, 16.0)(digits.test_images, digits.test_labels, digits.validation_index[:1])
    monkeypatch.setattr(forms, "choose", lambda *_: forms.Choice(Form.XLA, ""))
    with pytest.raises(type(error), match="full"):
        compiled.train(built, digits, settings(epochs=1))


def test_all_probabilities_of_a_network_that_xla_cannot_compile(digits):
    predictor = Predictor(network(WithoutXla()), 16.0)
    images = digits.test_images[:3]
    outputs = predictor(images, digits.test_labels, np.arange(3, dtype=np.int32))
    found = predictor.probabilities(images)
    assert found.shape == (3, CLASSES)
    np.testing.assert_allclose(found.max(axis=1), outputs.probability, rtol=1e-5)


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("build", [lambda: network(Eager()), with_own_step])
def test_what_is_no_graph_is_trained_by_fit_and_said(digits, build, little, monkeypatch, caplog):
    monkeypatch.setattr(small, "MAX_WORK", 1e12 if little else 0)
    with caplog.at_level(logging.WARNING):
        training = compiled.train(build(), digits, settings(epochs=1, batch_size=500))
    assert training.form == Form.FIT
    assert f"with Keras's fit: {training.reason}" in caplog.text
    assert len(training.history.val_loss) == 1


def bits(build, **options):
    options = settings(data__name="digits", epochs=2, **options)
    result = train.train(options, prepare(options["data"]), build)
    weights = b"".join(one.tobytes() for one in result.network.get_weights())
    return result.training.form, hashlib.sha256(weights).hexdigest(), result.metrics


def augmented(shape, classes):
    return keras.Sequential(
        [keras.Input(shape), pictures(), layers.RandomFlip(), layers.GaussianNoise(0.1),
         layers.Conv2D(4, 3), layers.SpatialDropout2D(0.2), layers.Flatten(),
         layers.Dense(8), layers.Dropout(0.2), layers.Dense(classes, activation="softmax")]
    )  # fmt: skip


def test_a_graph_gives_the_same_bits_again_and_other_seeds_others():
    first = bits(augmented)
    assert first[0] == Form.GRAPH
    assert bits(augmented) == first
    assert bits(augmented, seed=1)[1] != first[1]


def test_steps_per_execution_leave_fit_s_bits_alone():
    def build(shape, classes):
        return model.mlp(shape, classes, 1, 8, 0.2)

    first = bits(build, trainer__name="fit")
    assert first[0] == Form.FIT
    assert bits(build, trainer__name="fit", trainer__steps_per_execution=1) == first


def test_an_epoch_of_noise_is_no_epoch_without(digits):
    with_noise, without = network(layers.GaussianNoise(0.5)), network()
    for one in (with_noise, without):
        compiled.train(one, digits, settings(epochs=1))
    difference = np.abs(with_noise.get_weights()[0] - without.get_weights()[0])
    assert difference.max() > 1e-3
