"""Adam in one pass over memory, in the place of Keras's own while a network trains.

Keras's step reads and writes a weight's two moments, and reads them again to move the weight. For
a dense network that is a fifth of an epoch: the arrays are larger than a core's second cache. The
compiler joins the three updates into one loop only where none needs another's result, so the step
of the weight computes the new moments once more from the old ones, in a form that the compiler
does not take for the same: it would share the results, and read them again.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from mnist_sweep.training.fast import sparse_first_layer


class _OnePass:
    """What `OnePassAdam` and `OnePassAdamW` put in the place of `keras.optimizers.Adam`'s step."""

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Move one variable and its moments; Keras's formula, to float32 rounding."""
        if isinstance(gradient, tf.IndexedSlices):  # an embedding's: few rows of many
            super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
            return
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        g, for_momentum, for_velocity = sparse_first_layer.duplicate_for_fusion(
            ops.cast(gradient, variable.dtype)
        )
        step = ops.cast(self.iterations + 1, variable.dtype)
        unbiased_1, unbiased_2 = (
            1 - ops.power(ops.cast(beta, variable.dtype), step)
            for beta in (self.beta_1, self.beta_2)
        )
        rate = ops.cast(learning_rate, variable.dtype) * ops.sqrt(unbiased_2) / unbiased_1
        # The same moments twice, each in words of its own.
        first = m - (m - g) * (1 - self.beta_1)
        second = v * self.beta_2 + (g * (1 - self.beta_2)) * g
        moved = variable - first * rate / (ops.sqrt(second) + self.epsilon)
        momentum = m + (for_momentum - m) * (1 - self.beta_1)
        velocity = v + (ops.square(for_velocity) - v) * (1 - self.beta_2)
        for old, new in ((m, momentum), (v, velocity), (variable, moved)):
            self.assign(old, new)


class OnePassAdam(_OnePass, keras.optimizers.Adam):
    """`keras.optimizers.Adam`."""


class OnePassAdamW(_OnePass, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`."""


def for_training(update: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The same optimizer, not built yet; where there is one, its twin that needs one pass."""
    twins: dict[type, Any] = {
        keras.optimizers.Adam: OnePassAdam,
        keras.optimizers.AdamW: OnePassAdamW,
    }
    twin = twins.get(type(update))
    if twin is None or update.amsgrad:
        return update
    return twin.from_config(update.get_config())
