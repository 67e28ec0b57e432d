"""One point to one result: build, train, evaluate. Called by every launcher's worker.

A trainer is a function `train(network, dataset, settings, on_epoch) -> Training`, as
`compiled.train`, whose docstring says what it has to do. To add one, write a module with such a
function and name it in `BUILT_IN` and in the choices of the setting, or declare the function in
another package as an entry point of the group `mnist_sweep.trainers`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mnist_sweep.data import Dataset, DatasetInfo, check_unchanged, load
from mnist_sweep.errors import ModelError, SettingsError
from mnist_sweep.plugins import plugins
from mnist_sweep.training import runtime, small
from mnist_sweep.training.progress import OnEpoch, Training, ignore

if TYPE_CHECKING:
    import keras
    import numpy as np

log = logging.getLogger(__name__)

# A builder of networks: (image shape, number of classes) to a Keras model.
Build = Callable[[tuple[int, ...], int], Any]
# Trains a built Keras model in place.
Trainer = Callable[[Any, Dataset, Mapping[str, Any], OnEpoch], Training]

# Names, not functions: these modules import Keras, which has to wait for `runtime.configure`. A
# trainer of another package imports Keras inside its function for the same reason.
BUILT_IN = {
    "compiled": "mnist_sweep.training.compiled",
    "fit": "mnist_sweep.training.fit",
}


@dataclass
class Result:
    """The result of one point.

    Attributes:
        training: History and times; `diverged` is set if the loss was not finite, `pruned` if
            `on_epoch` stopped the training.
        parameters: Number of weights of the network, trainable or not; None if not known.
        evaluate_s: Duration of the evaluation, seconds.
        metrics: The record's `metrics`; None if training diverged or was pruned.
        predictions: Arrays of `predictions.npz`; None if there are no metrics.
        network: The trained network, plain Keras; None of a task of the user's own.
        data: The record's `data` where a task's predictions tell it; None: those of the job.
    """

    training: Training
    parameters: int | None
    evaluate_s: float
    metrics: dict[str, Any] | None
    predictions: dict[str, np.ndarray] | None
    network: keras.Model | None
    data: dict[str, Any] | None = None


def train(
    settings: Mapping[str, Any], info: DatasetInfo, build: Build, on_epoch: OnEpoch = ignore
) -> Result:
    """Train and evaluate the network of one point.

    The result depends only on `settings` and the content of the data: not on the process, the
    order of runs, or what runs at the same time.

    Args:
        settings: A run's settings.
        info: The prepared dataset.
        build: Builds the network.
        on_epoch: Called after every epoch; a reason it returns ends the training there.

    Raises:
        DataError: The prepared dataset is missing or damaged.
        ModelError: The network does not fit the data, cannot be compiled, or cannot be trained
            with the same result each time on a GPU.
        SettingsError: No trainer has the given name, or this process already trains with another
            number of threads.
    """
    runtime.configure(settings["threads"])
    # `configure` has imported TensorFlow with its threads and flags set; no earlier import may.
    import tensorflow as tf

    from mnist_sweep.training import model
    from mnist_sweep.training.evaluate import evaluate

    train_network = trainer(settings["trainer"]["name"])
    dataset = load(info)
    runtime.start_afresh(settings["seed"], keeps_programs=small.keeps_programs(settings))
    target = settings["model"]["_target_"]
    network = build(info.shape, info.classes)
    model.check_new(network, target)
    network = model.checked(network, target, info.shape, info.classes)
    for unused in model.unused_parts(network):
        log.warning("%s", unused)
    try:
        training = train_network(network, dataset, settings, on_epoch)
    except tf.errors.UnimplementedError as error:
        if "A deterministic GPU implementation" not in error.message:
            raise
        raise ModelError(
            "an operation of the network gives other results each time on a GPU, so that the run "
            f"could not be repeated. Train it on the CPU: gpus=0. TensorFlow says: {error.message}"
        ) from error
    result = Result(training, network.count_params(), 0.0, None, None, network)
    if not (training.diverged or training.pruned):
        started = perf_counter()
        result.metrics, result.predictions = evaluate(training.predictor, dataset)
        result.evaluate_s = perf_counter() - started
        check_unchanged(dataset)
    return result


def trainer(name: str) -> Trainer:
    """The trainer of that name. Imports Keras: call `runtime.configure` first.

    Raises:
        SettingsError: There is none.
    """
    if name in BUILT_IN:
        found: Trainer = import_module(BUILT_IN[name]).train
        return found
    added: dict[str, Trainer] = plugins("trainers")
    if name not in added:
        raise SettingsError(
            f"trainer={name} is unknown: expected one of {', '.join([*BUILT_IN, *added])}."
        )
    return added[name]
