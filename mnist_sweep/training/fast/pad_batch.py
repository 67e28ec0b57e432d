"""The short last batch of an epoch, padded so that it needs no program of its own.

A program is compiled for one batch size; the short batch would need a second one, nearly half of
the compile time. If every output row of a network depends on its own input row only, the batch can
be padded with rows of weight zero without changing the result.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

_ROW_BY_ROW = {
    "Activation", "ActiveColumnDense", "AveragePooling2D", "Conv2D", "CounterDropout", "Dense",
    "Dropout", "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "LeakyReLU",
    "MaxPooling2D", "ReLU", "Rescaling", "Reshape", "TransposedDense",
}  # fmt: skip


def can_pad(network: keras.Model) -> bool:
    """Whether all layers are known to treat each row of a batch independently of the others."""
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
    """The rows (n,) int32, with the last one repeated until all batches have `size` rows."""
    return np.concatenate([order, np.repeat(order[-1:], -len(order) % size)])


def weights(n_examples: tf.Tensor, size: int) -> tf.Tensor:
    """Sample weights that make a padded batch's mean the mean over its first `n_examples` rows.

    (size,) float32.
    """
    share = size / tf.cast(n_examples, tf.float32)
    return tf.where(tf.range(size) < n_examples, share, 0.0)
