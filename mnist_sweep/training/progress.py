"""What a trainer reports while it works and what it returns; early stopping.

Imported by the launchers too, so it imports neither TensorFlow nor Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

    from mnist_sweep.training.predictor import Predictor


@dataclass
class History:
    """One value per epoch; training values are means over the epoch's batches, as in Keras.

    The `val_` lists stay empty without a validation split. The trainers fill it; a record's
    `history` is made of it, and each list there is a curve in the report and on the page of `ui`.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)

    def add(self, training: tuple[float, float], validation: tuple[float, float] | None) -> None:
        """Append one epoch's (loss, accuracy) of both splits; None without a validation split."""
        self.loss.append(training[0])
        self.accuracy.append(training[1])
        if validation is not None:
            self.val_loss.append(validation[0])
            self.val_accuracy.append(validation[1])

    def is_finite(self) -> bool:
        """Whether the last epoch's losses are."""
        return all(math.isfinite(losses[-1]) for losses in (self.loss, self.val_loss) if losses)


@dataclass
class Training:
    """A training that finished, diverged or was pruned.

    Attributes:
        predictor: Predicts with the trained weights.
        history: Loss and accuracy of every epoch.
        epoch_s: Duration of every epoch, seconds.
        compile_s: Seconds before the first epoch.
        train_s: Seconds of all epochs.
        diverged: In which epoch (from 1) the loss was not finite; None if it always was.
        form: `xla`, `graph` or `fit`: how the epochs were computed; empty of other trainers.
        reason: Why in this form.
        pruned: Why `on_epoch` stopped the training; None if it did not.
    """

    predictor: Predictor
    history: History = field(default_factory=History)
    epoch_s: list[float] = field(default_factory=list)
    compile_s: float = 0.0
    train_s: float = 0.0
    diverged: str | None = None
    pruned: str | None = None
    form: str = ""
    reason: str = ""

    def end_epoch(self, seconds: float, on_epoch: OnEpoch) -> str | None:
        """Note an epoch that is in the history; returns why `on_epoch` would stop there."""
        self.epoch_s.append(seconds)
        epoch = len(self.epoch_s)
        if not self.history.is_finite():
            self.diverged = f"the loss was not finite in epoch {epoch}"
        return on_epoch(epoch, self.history)


# Called after every epoch (from 1) with the history so far; returns why to stop there, or None.
OnEpoch = Callable[[int, History], str | None]


def ignore(_epoch: int, _history: History) -> None:
    """An `OnEpoch` that does nothing."""


class BestWeights:
    """Early stopping with the best weights restored, as `keras.callbacks.EarlyStopping` does it.

    `settings` are those of `early_stopping`; a patience of 0 disables it.
    """

    def __init__(self, network: keras.Model, settings: Mapping[str, Any]) -> None:
        self._network = network
        self._patience = settings["patience"]
        self._monitor = settings["monitor"]
        self._min_delta = settings["min_delta"]
        self._sign = 1.0 if self._monitor == "val_accuracy" else -1.0
        self._best = float("-inf")
        self._best_epoch = 0
        self._weights: list[np.ndarray] | None = None

    def should_stop(self, epoch: int, history: History) -> bool:
        """Keep the weights if this epoch is the best so far; True when `patience` is used up."""
        if not self._patience:
            return False
        value = self._sign * getattr(history, self._monitor)[-1]
        if value > self._best + (self._min_delta if self._best_epoch else 0):
            self._best, self._best_epoch = value, epoch
            self._weights = [weight.numpy() for weight in self._network.weights]
        return bool(epoch - self._best_epoch >= self._patience)

    def restore(self) -> None:
        """Restore the best weights, if any were kept."""
        if self._weights is not None:
            for weight, value in zip(self._network.weights, self._weights, strict=True):
                weight.assign(value)
