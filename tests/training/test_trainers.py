"""Trainers are found by name: the built-in ones and those of other packages."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_sweep.data import load, prepare
from mnist_sweep.errors import ModelError, SettingsError
from mnist_sweep.training import compiled, fit, model, saved
from mnist_sweep.training import train as training
from support.training_settings import settings


def test_the_built_in_trainers_are_found_by_name():
    assert training.trainer("compiled") is compiled.train
    assert training.trainer("fit") is fit.train


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"trainer=slow is unknown: .* compiled, fit"):
        training.trainer("slow")


def test_a_trainer_of_another_package_trains_a_run(monkeypatch):
    def backwards(network, dataset, options, on_epoch):
        result = fit.train(network, dataset, options, on_epoch)
        network.set_weights([-weights for weights in network.get_weights()])
        return result

    monkeypatch.setattr(training, "plugins", lambda _: {"backwards": backwards})
    options = settings(data__name="digits", epochs=3)
    options["trainer"]["name"] = "backwards"
    result = training.train(
        options, prepare(options["data"]), lambda shape, classes: model.mlp(shape, classes, 0, 1)
    )
    assert result.training.history.val_accuracy[-1] > 0.5
    assert result.metrics["validation"]["accuracy"] < 0.1


def test_an_operation_that_varies_on_a_gpu_is_refused_with_what_to_do(monkeypatch):
    said = "A deterministic GPU implementation of AdjustContrastv2 is not currently available."

    def on_gpu(*_):
        raise tf.errors.UnimplementedError(None, None, said)

    monkeypatch.setattr(training, "plugins", lambda _: {"on_gpu": on_gpu})
    options = settings(data__name="digits")
    options["trainer"]["name"] = "on_gpu"
    with pytest.raises(ModelError, match=r"Train it on the CPU: gpus=0.*AdjustContrastv2"):
        training.train(
            options, prepare(options["data"]), lambda *shape: model.mlp(*shape, layers=1, nodes=4)
        )


def logits(shape, classes):
    layers = keras.layers
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes)])


@pytest.mark.parametrize("name", ["compiled", "fit"])
def test_without_a_validation_split_all_examples_are_trained_on(name):
    options = settings(data__name="digits", data__validation_fraction=0, epochs=2,
                       trainer__name=name, objective="test.accuracy")  # fmt: skip
    info = prepare(options["data"])
    assert (info.n_train, info.n_validation, info.notice) == (1437, 0, None)
    np.testing.assert_array_equal(load(info).train_index, np.arange(1437))
    result = training.train(options, info, lambda shape, classes: model.mlp(shape, classes, 1, 8))
    history = result.training.history
    assert (len(history.loss), history.val_loss, history.val_accuracy) == (2, [], [])
    assert set(result.metrics) == {"train", "test"}
    lengths = {key: np.size(values) for key, values in result.predictions.items()}
    assert lengths["validation_index"] == lengths["validation_true"] == 0
    assert lengths["test_true"] == lengths["test_probability"] == 360


@pytest.mark.parametrize("name", ["compiled", "fit"])
def test_logits_are_trained_as_the_same_network_with_a_softmax(name, tmp_path):
    options = settings(data__name="digits", epochs=3, trainer__name=name)
    info = prepare(options["data"])
    plain = training.train(options, info, lambda s, c: model.mlp(s, c, 0, 1))
    ours = training.train(options | {"outputs": "logits"}, info, logits)
    for one, other in zip(plain.network.get_weights(), ours.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    for key in ("test_predicted", "test_probability"):
        assert ours.predictions[key].mean() == pytest.approx(
            plain.predictions[key].mean(), rel=0.01
        )
    assert ours.training.history.val_loss == pytest.approx(
        plain.training.history.val_loss, rel=1e-3
    )
    ours.network.save(tmp_path / "model.keras")
    saved.verify(tmp_path / "model.keras", ours, info, ours.predictions)
