"""What is saved as model.keras gives the predictions that are recorded."""

import logging

import keras
import numpy as np
import pytest

from mnist_sweep.data import prepare
from mnist_sweep.errors import ModelError
from mnist_sweep.training import saved, train
from support.training_settings import settings


@keras.saving.register_keras_serializable("test_saved")
class Shifted(keras.layers.Layer):
    """A layer whose attribute is not in its configuration."""

    shift = 0.0

    def call(self, inputs):
        return keras.ops.roll(inputs, int(self.shift), axis=1)


@keras.saving.register_keras_serializable("test_saved")
class Noise(keras.layers.Layer):
    """A layer that is random in inference, too."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs), stddev=5.0, seed=self.seeds)


def network(*layers):
    return lambda shape, classes: keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), *layers,
         keras.layers.Dense(classes, activation="softmax", name="top")]
    )  # fmt: skip


def normalized(shape, classes):
    layer = keras.layers.Normalization(axis=None)
    layer.adapt(np.random.default_rng(0).normal(0.3, 0.1, (100, 64)).astype("float32"))
    return network(layer)(shape, classes)


def shifted(shape, classes):
    layer = Shifted()
    layer.shift = 13
    return network(layer)(shape, classes)


def check(build, tmp_path):
    options = settings(data__name="digits", epochs=1)
    info = prepare(options["data"])
    result = train.train(options, info, build)
    path = tmp_path / "model.keras"
    result.network.save(path)
    saved.verify(path, result, info, result.predictions)


@pytest.mark.parametrize(
    "build",
    [network(keras.layers.Dense(30, "relu")), normalized,
     network(keras.layers.Dense(30, "relu", dtype="mixed_bfloat16"))],
)  # fmt: skip
def test_a_network_that_is_saved_whole_is_accepted(build, tmp_path, caplog):
    check(build, tmp_path)
    assert not caplog.records


def test_a_network_that_is_saved_in_part_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"\d+ of 256 test images.*get_config"):
        check(shifted, tmp_path)


@pytest.mark.parametrize(
    ("build", "said"),
    [(network(keras.layers.Lambda(lambda x: x * 2.0)), "safe mode does not load it"),
     (network(Noise()), "at random")],
)  # fmt: skip
def test_what_cannot_be_verified_is_logged(build, said, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        check(build, tmp_path)
    assert "not verified" in caplog.text
    assert said in caplog.text
