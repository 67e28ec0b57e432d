"""Batch normalization of images by TensorFlow's own kernel, while a network trains without XLA.

Keras computes it with some thirty elementwise operations, each of which reads and writes all of a
layer's outputs: a quarter of the epoch of a small residual network. The kernel needs two passes.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from mnist_sweep.training.fast.program import Replacements
from mnist_sweep.training.model import all_layers


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of (batch, height, width, channels), without a mask."""

    def call(self, inputs: tf.Tensor, training: Any = None, mask: Any = None) -> tf.Tensor:
        """As Keras's, to float32 rounding."""
        is_image = inputs.shape.rank == 4 and self.axis in (-1, 3) and inputs.dtype == tf.float32
        if not (training and self.trainable and is_image and mask is None):
            return super().call(inputs, training=training, mask=mask)
        n_channels = inputs.shape[-1]
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.ones(n_channels) if self.gamma is None else self.gamma.value,
            offset=tf.zeros(n_channels) if self.beta is None else self.beta.value,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # The kernel's variance is that of a sample, Keras's that of the batch.
        n_values = tf.cast(tf.size(inputs) // n_channels, tf.float32)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance * (n_values - 1) / n_values),
        ):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return outputs


def replacements(network: keras.Model) -> Replacements:
    """The layers that `FusedBatchNormalization` can replace."""
    found = (one for one in all_layers(network) if type(one) is keras.layers.BatchNormalization)
    plain = (
        one for one in found if one.compute_dtype == "float32" and not getattr(one, "renorm", False)
    )
    return dict.fromkeys(plain, FusedBatchNormalization)
