"""Losses besides the cross-entropy: regularizers of weights and activities, and `add_loss`.

Keras adds them to the validation loss, batch by batch, and so does `trainer=compiled`.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.training.fast.program import Program


class AddedLosses:
    """The losses that a network adds to the cross-entropy when it predicts.

    Args:
        network: A Keras model that has been called with `training=False`.
        scale: Raw pixel value that maps to 1.
        batch_size: Images per batch; the last one may be shorter.
        xla: Whether XLA computes them.
    """

    def __init__(self, network: keras.Model, scale: float, batch_size: int, *, xla: bool) -> None:
        self._network = network
        self._factor = 1.0 / scale
        self._batch_size = batch_size
        self._program = Program(self._sum, xla=xla) if network.losses else None

    def mean(self, images: np.ndarray, rows: np.ndarray) -> float:
        """Their sum for each batch, averaged over the examples.

        Args:
            images: (m, *image_shape) uint8.
            rows: (n,) int32 indices.
        """
        if self._program is None:
            return 0.0
        total = 0.0
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            total += len(batch) * float(self._program(tf.constant(images[batch])))
        return total / len(rows)

    def _sum(self, images: tf.Tensor) -> tf.Tensor:
        self._network(tf.cast(images, tf.float32) * self._factor, training=False)
        return tf.add_n(self._network.losses)
