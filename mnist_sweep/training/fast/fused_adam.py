"""Adam's update in one pass over memory, replacing Keras's own while a network trains.

Keras's step reads and writes a weight's two moments, and reads them again to update the weight. In
a dense network that is a fifth of an epoch: the arrays are larger than a core's L2 cache. XLA
fuses the three updates into one loop only if none needs another's result. So the weight's update
computes the new moments a second time from the old ones, in an algebraically different form: equal
expressions would be merged by the compiler, and their result read from memory again. Without XLA,
TensorFlow has a kernel for it.
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


class _KernelStep:
    """Replaces the updates of `keras.optimizers.Adam` by TensorFlow's kernel, outside of XLA."""

    def _backend_update_step(self: Any, gradients: Any, variables: Any, learning_rate: Any) -> None:
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = [
            tf.pow(tf.constant(beta, tf.float32), step) for beta in (self.beta_1, self.beta_2)
        ]
        for gradient, variable in zip(gradients, variables, strict=True):
            if isinstance(gradient, tf.IndexedSlices) or variable.dtype != "float32":
                self.update_step(gradient, variable.value, learning_rate)
                continue
            index = self._get_variable_index(variable)
            state = (variable, self._momentums[index], self._velocities[index])
            var, m, v = (one.value.handle for one in state)
            tf.raw_ops.ResourceApplyAdam(
                var=var, m=m, v=v, beta1_power=powers[0], beta2_power=powers[1],
                lr=tf.cast(learning_rate, tf.float32), beta1=self.beta_1, beta2=self.beta_2,
                epsilon=self.epsilon, grad=gradient,
            )  # fmt: skip


def for_training(
    update: keras.optimizers.Optimizer, *, xla: bool = True
) -> keras.optimizers.Optimizer:
    """The optimizer, computed fast if it is a kind that can be."""
    kind = type(update)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not update.amsgrad:
        update.__class__ = type(kind.__name__, (_FusedStep if xla else _KernelStep, kind), {})
    return update
