"""Early stopping with the best weights restored, as Keras's callback of that name does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from mnist_sweep.training.progress import History


class BestWeights:
    """Watches one figure of the history and keeps the weights it was best with.

    Args:
        network: Whose weights are kept.
        settings: `patience` (epochs without a better figure; 0 watches nothing), `monitor`,
            `min_delta` (what counts as better).
    """

    def __init__(self, network: keras.Model, settings: Mapping[str, Any]) -> None:
        self._network = network
        self._patience = settings["patience"]
        self._monitor = settings["monitor"]
        self._min_delta = settings["min_delta"]
        self._sign = 1.0 if self._monitor == "val_accuracy" else -1.0
        self._best = -np.inf
        self._best_epoch = 0
        self._weights: list[np.ndarray] | None = None

    def done(self, epoch: int, history: History) -> bool:
        """Note this epoch's figure; True when the patience is spent.

        Args:
            epoch: From 1.
            history: With this epoch as its last.
        """
        if not self._patience:
            return False
        figure = self._sign * getattr(history, self._monitor)[-1]
        if figure > self._best + (self._min_delta if self._best_epoch else 0):
            self._best, self._best_epoch = figure, epoch
            self._weights = self._network.get_weights()
        return bool(epoch - self._best_epoch >= self._patience)

    def restore(self) -> None:
        """Put the best weights back, if any were kept."""
        if self._weights is not None:
            self._network.set_weights(self._weights)
