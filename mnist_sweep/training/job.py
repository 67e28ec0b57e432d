"""One point to one result: build, train, evaluate. Plain values in, plain values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mnist_sweep.data import DatasetInfo, load
from mnist_sweep.training import runtime
from mnist_sweep.training.progress import OnEpoch, Training, ignore

if TYPE_CHECKING:
    import keras
    import numpy as np

Build = Callable[[tuple[int, ...], int], Any]
"""A builder of networks with all but the image shape and the number of classes filled in."""


@dataclass
class Result:
    """What came of a point.

    Attributes:
        training: History and times; `diverged` is set where the loss was not finite, `pruned` where
            `on_epoch` stopped it.
        parameters: Weights of the network, trainable or not.
        evaluate_s: Seconds of evaluation.
        metrics: As in the record; None where training diverged or was pruned.
        predictions: Arrays of `predictions.npz`; None where there are no metrics.
        network: The trained network, plain Keras.
    """

    training: Training
    parameters: int
    evaluate_s: float
    metrics: dict[str, Any] | None
    predictions: dict[str, np.ndarray] | None
    network: keras.Model


def run(
    settings: Mapping[str, Any], info: DatasetInfo, build: Build, on_epoch: OnEpoch = ignore
) -> Result:
    """Train and evaluate the network of one point.

    The result is a function of `settings` and the data's content alone: not of the process, the
    order of runs, or what runs beside it.

    Args:
        settings: A run's settings.
        info: The prepared dataset.
        build: Makes the network.
        on_epoch: Called after every epoch; a reason it returns ends the training there.

    Raises:
        DataError: The prepared dataset is no longer whole.
        ModelError: The network does not fit the data or cannot be compiled.
    """
    runtime.configure(settings["threads"])
    # TensorFlow is imported by `configure`, with its threads and flags set; not before.
    import keras

    from mnist_sweep.training import compiled, fit, model
    from mnist_sweep.training.evaluate import evaluate

    dataset = load(info)
    keras.backend.clear_session()
    keras.utils.set_random_seed(settings["seed"])
    target = settings["model"]["_target_"]
    network = model.checked(build(info.shape, info.classes), target, info.shape, info.classes)
    trainer = {"compiled": compiled.train, "fit": fit.train}[settings["trainer"]["name"]]
    training = trainer(network, dataset, settings, on_epoch)
    result = Result(training, network.count_params(), 0.0, None, None, network)
    if not (training.diverged or training.pruned):
        started = perf_counter()
        result.metrics, result.predictions = evaluate(training.predictor, dataset)
        result.evaluate_s = perf_counter() - started
    return result
