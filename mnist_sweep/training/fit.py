"""`trainer=fit`: Keras's own `fit`, for networks that cannot be compiled, and as a reference."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import keras
import numpy as np

from mnist_sweep.data import Dataset
from mnist_sweep.errors import ModelError
from mnist_sweep.training import forms, optimizer, runtime, small
from mnist_sweep.training.predictor import Predictor
from mnist_sweep.training.progress import OnEpoch, Training, ignore

# By default; batches that Keras trains on without returning to Python. Results stay the same.
STEPS_PER_EXECUTION = 32


class _Recorder(keras.callbacks.Callback):
    """Records each epoch in a `Training` and stops the training where that is asked for."""

    def __init__(self, result: Training, on_epoch: OnEpoch, *, validates: bool) -> None:
        super().__init__()
        self._validates = validates
        self._result = result
        self._on_epoch = on_epoch
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 (Keras's form)
        self._started = perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        history = self._result.history
        # A network's own `train_step` may return no accuracy.
        loss, accuracy, val_loss, val_accuracy = (
            logs.get(name, np.nan) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        )
        history.add((loss, accuracy), (val_loss, val_accuracy) if self._validates else None)
        reason = self._result.end_epoch(perf_counter() - self._started, self._on_epoch)
        if self._result.diverged:
            self.model.stop_training = True
        elif reason and not self.model.stop_training and epoch + 1 < self.params["epochs"]:
            self._result.pruned = reason
            self.model.stop_training = True


def train(
    network: keras.Model,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch = ignore,
    *,
    reason: str = "trainer=fit",
    eagerly: bool = False,
) -> Training:
    """Train a network in place with `fit`, as `compiled.train`.

    `reason` says why with `fit`; `eagerly` runs the network's own Python code for every batch.

    Raises:
        ModelError: The network has a `compile` of its own that takes other arguments than Keras's.
    """
    started = perf_counter()
    scale = np.float32(dataset.info.scale)
    # A float32 copy of the data, four times its size: `fit` takes no scale of its own.
    splits = [
        (dataset.train_images[index].astype("float32") / scale, dataset.train_labels[index])
        for index in (dataset.train_index, dataset.validation_index)
    ]
    validates = bool(len(dataset.validation_index))
    logits = settings["outputs"] == "logits"
    options = settings["trainer"]
    compiled = {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
        "metrics": ["accuracy"],
        "jit_compile": "auto" if options["jit_compile"] is None else options["jit_compile"],
        "steps_per_execution":
            1 if eagerly else options["steps_per_execution"] or STEPS_PER_EXECUTION,
        "run_eagerly": eagerly,
    }  # fmt: skip
    update = optimizer.optimizer(settings, small.steps_of(settings, len(dataset.train_index)))
    try:
        inspect.signature(network.compile).bind(update, **compiled)
    except TypeError as error:
        raise ModelError(
            f"the network's own compile must take what Keras's takes (optimizer, "
            f"{', '.join(compiled)}): {error}"
        ) from error
    network.compile(update, **compiled)
    runtime.make_deterministic(on=not network.jit_compile)
    result = Training(
        predictor=Predictor(network, dataset.info.scale, xla=False, logits=logits),
        compile_s=perf_counter() - started,
        form=forms.Form.FIT,
        reason=reason,
    )
    callbacks: list[keras.callbacks.Callback] = []
    stopping = settings["early_stopping"]
    if stopping["patience"]:
        callbacks.append(keras.callbacks.EarlyStopping(**stopping, restore_best_weights=True))
    # After early stopping, so that a training that has just been stopped is not called pruned.
    callbacks.append(_Recorder(result, on_epoch, validates=validates))
    training_started = perf_counter()
    network.fit(
        *splits[0],
        batch_size=settings["batch_size"],
        epochs=settings["epochs"],
        validation_data=splits[1] if validates else None,
        callbacks=callbacks,
        verbose=0,
    )
    result.train_s = perf_counter() - training_started
    return result
