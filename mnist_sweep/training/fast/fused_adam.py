"""Adam's update in one loop over memory, replacing Keras's own while a network trains.

Keras's step reads and writes a weight's two moments, and reads them again to update the weight. In
a dense network that is a fifth of an epoch: the arrays are larger than a core's L2 cache. XLA
fuses the three updates into one loop only if none needs another's result. So the weight's update
computes the new moments a second time from the old ones, in an algebraically different form: equal
expressions would be merged by the compiler, and their result read from memory again.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from mnist_sweep.training.fast import sparse_first_layer


class _FusedStep:
    """Replaces `update_step` of `keras.optimizers.Adam`."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable and its moments by Keras's formula, to float32 rounding."""
        if isinstance(gradient, tf.IndexedSlices):  # of an embedding: few rows of many
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        g, g_for_momentum, g_for_velocity = sparse_first_layer.duplicate_for_fusion(
            ops.cast(gradient, variable.dtype)
        )
        step = ops.cast(self.iterations + 1, variable.dtype)
        unbiased_1, unbiased_2 = (
            1 - ops.power(ops.cast(beta, variable.dtype), step)
            for beta in (self.beta_1, self.beta_2)
        )
        rate = ops.cast(learning_rate, variable.dtype) * ops.sqrt(unbiased_2) / unbiased_1
        # The same moments twice, written differently on purpose (see the module's docstring).
        first = m - (m - g) * (1 - self.beta_1)
        second = v * self.beta_2 + (g * (1 - self.beta_2)) * g
        weight = variable - first * rate / (ops.sqrt(second) + self.epsilon)
        momentum = m + (g_for_momentum - m) * (1 - self.beta_1)
        velocity = v + (ops.square(g_for_velocity) - v) * (1 - self.beta_2)
        for old, new in ((m, momentum), (v, velocity), (variable, weight)):
            self.assign(old, new)


class FusedAdam(_FusedStep, keras.optimizers.Adam):
    """`keras.optimizers.Adam`."""


class FusedAdamW(_FusedStep, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`."""


def for_training(update: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The fused form of an optimizer that is not built yet; the optimizer itself if it has none."""
    fused_classes: dict[type, Any] = {
        keras.optimizers.Adam: FusedAdam,
        keras.optimizers.AdamW: FusedAdamW,
    }
    fused = fused_classes.get(type(update))
    if fused is None or update.amsgrad:
        return update
    return fused.from_config(update.get_config())
