"""The short last batch of an epoch, filled up so that it needs no program of its own.

A program is compiled for batches of one size, and the short one would be a second program: nearly
half of the time that compiling takes. Where a network answers each row for itself, the batch is
filled with rows that count nothing, and what the others come to is the same.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

_ROW_BY_ROW = {
    "Activation", "AveragePooling2D", "Conv2D", "CounterDropout", "Dense", "Dropout", "Flatten",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LeakyReLU", "ActiveColumnDense",
    "MaxPooling2D", "ReLU", "Rescaling", "Reshape", "TransposedDense",
}  # fmt: skip


def can_pad(network: keras.Model) -> bool:
    """Whether the network has only layers in which no row of a batch has to do with another."""
    return type(network) is keras.Sequential and all(
        type(layer).__name__ in _ROW_BY_ROW
        and _package(type(layer)) in ("keras", "mnist_sweep")
        and _package(getattr(layer, "activation", None) or keras.activations.linear) == "keras"
        and layer.activity_regularizer is None
        for layer in network.layers
    )


def _package(what: object) -> str:
    return str(getattr(what, "__module__", "")).partition(".")[0]


def pad(order: np.ndarray, size: int) -> np.ndarray:
    """The rows with the last one repeated until all batches are whole.

    Args:
        order: (n,) int32 rows, at least one.
        size: Examples a batch.
    """
    return np.concatenate([order, np.repeat(order[-1:], -len(order) % size)])


def weights(here: tf.Tensor, size: int) -> tf.Tensor:
    """What each row of a batch counts in the batch's mean, (size,) float32.

    Args:
        here: How many of the rows, the first ones, are examples; an int32 scalar.
        size: Examples a batch.
    """
    share = size / tf.cast(here, tf.float32)
    return tf.where(tf.range(size) < here, share, 0.0)
