"""Trainers are found by name: the built-in ones and those of other packages."""

import pytest

from mnist_sweep.data import prepare
from mnist_sweep.errors import SettingsError
from mnist_sweep.training import compiled, fit, model, trainers
from mnist_sweep.training import train as training
from support.training_settings import settings


def test_the_built_in_trainers_are_found_by_name():
    assert trainers.trainer("compiled") is compiled.train
    assert trainers.trainer("fit") is fit.train


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(SettingsError, match=r"trainer=slow is unknown: .* compiled, fit"):
        trainers.trainer("slow")


def test_a_trainer_of_another_package_trains_a_run(monkeypatch):
    def backwards(network, dataset, options, on_epoch):
        result = fit.train(network, dataset, options, on_epoch)
        network.set_weights([-weights for weights in network.get_weights()])
        return result

    monkeypatch.setattr(trainers, "plugins", lambda _: {"backwards": backwards})
    options = settings(data__name="digits", epochs=3)
    options["trainer"]["name"] = "backwards"
    result = training.train(
        options, prepare(options["data"]), lambda shape, classes: model.mlp(shape, classes, 0, 1)
    )
    assert result.training.history.val_accuracy[-1] > 0.5
    assert result.metrics["validation"]["accuracy"] < 0.1
