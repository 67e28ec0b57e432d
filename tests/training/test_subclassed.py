"""Networks written as classes, as TensorFlow's tutorials do."""

import logging

import keras
import numpy as np
import pytest

from mnist_sweep.data import prepare
from mnist_sweep.errors import ModelError
from mnist_sweep.inference import load
from mnist_sweep.training import model, saved, train
from support.training_settings import settings

SHAPE, CLASSES = (8, 8), 10


class Quickstart(keras.Model):
    """The TensorFlow quickstart's, with a channel axis and a softmax."""

    def __init__(self, channels=True, activation="softmax"):
        super().__init__()
        self.channels = channels
        self.conv1 = keras.layers.Conv2D(8, 3, activation="relu")
        self.flatten = keras.layers.Flatten()
        self.d1 = keras.layers.Dense(32, activation="relu")
        self.d2 = keras.layers.Dense(10, activation=activation)

    def call(self, x):
        x = x[..., None] if self.channels else x
        return self.d2(self.d1(self.flatten(self.conv1(x))))


class WithDropout(Quickstart):
    def __init__(self):
        super().__init__()
        self.dropout = keras.layers.Dropout(0.2)

    def call(self, x, training=False):
        x = self.flatten(self.conv1(x[..., None]))
        return self.d2(self.dropout(self.d1(x), training=training))


def trained(build, trainer, **options):
    options = settings(data__name="digits", epochs=6, trainer__name=trainer, **options)
    info = prepare(options["data"])
    return train.train(options, info, build), info


@pytest.mark.parametrize("trainer", ["compiled", "fit"])
@pytest.mark.parametrize("kind", [Quickstart, WithDropout])
def test_a_subclassed_network_trains(kind, trainer, tmp_path, caplog):
    result, info = trained(lambda *_: kind(), trainer)
    assert result.metrics["test"]["accuracy"] > 0.85
    assert result.parameters == 80 + 288 * 32 + 32 + 330
    path = tmp_path / "model.keras"
    result.network.save(path)
    with caplog.at_level(logging.WARNING):
        saved.verify(path, result, info, result.predictions)
    assert f"needs the code of {kind.__name__}:" in caplog.text
    recorded = (SHAPE, CLASSES, result.parameters)
    with pytest.raises(ModelError, match=r"not Keras's own"):
        load.load(path, *recorded)


@pytest.mark.parametrize("trainer", ["compiled", "fit"])
def test_it_gives_the_same_bits_again(trainer):
    first, second = (trained(lambda *_: WithDropout(), trainer)[0] for _ in range(2))
    for one, other in zip(first.network.get_weights(), second.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_that_needs_channels_is_refused_with_what_to_do():
    with pytest.raises(ModelError, match=r"does not accept images[\s\S]*Reshape\(\(8, 8, 1\)\)"):
        model.checked(Quickstart(channels=False), "own.build", SHAPE, CLASSES)
    model.checked(Quickstart(channels=False), "own.build", (*SHAPE, 1), CLASSES)


def test_logits_are_refused_with_what_to_do():
    network = model.checked(Quickstart(activation=None), "own.build", SHAPE, CLASSES)
    with pytest.raises(ModelError, match=r"must end in a softmax.*Softmax\(\)"):
        model.check_probabilities(network, "own.build", SHAPE)


def test_another_number_of_outputs_is_refused():
    with pytest.raises(ModelError, match=r"\(10,\) for an image; expected \(7,\)"):
        model.checked(Quickstart(), "own.build", SHAPE, 7)


def compiled_by_its_builder(shape, classes):
    network = model.mlp(shape, classes, 1, 8)
    network.compile("sgd", "mse")
    return network


def test_what_a_network_says_in_vain_is_said():
    (found,) = model.unused_parts(compiled_by_its_builder(SHAPE, CLASSES))
    assert "optimizer, loss and metrics are not used" in found
    assert model.unused_parts(Quickstart()) == []
