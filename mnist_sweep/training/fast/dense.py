"""Dense layers whose matrix products are computed differently while a network trains.

XLA's CPU matrix product first copies its right operand into another memory order. In the gradient
with respect to a layer's inputs that operand is the whole kernel, and with many more units than
examples per batch the copy takes a third of the time. The transposed product copies the batch
instead.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from mnist_sweep.training.fast.program import Replacements

# From this many units per example of a batch the transposed product is faster, measured on CPUs.
# The rule depends on shapes only, never on timings, so that a point has the same bits everywhere.
_MIN_UNITS_PER_EXAMPLE = 6


class ProductDense(keras.layers.Dense):
    """`keras.layers.Dense` whose subclasses may compute the product with the kernel themselves."""

    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """As Keras's, to rounding."""
        outputs = self.product(inputs) if training else None
        if outputs is None:
            return super().call(inputs, training=training)
        if self.bias is not None:
            outputs = outputs + tf.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """Inputs times kernel in training, (batch, units); None leaves it to Keras."""
        raise NotImplementedError


class TransposedDense(ProductDense):
    """Computes the gradient of the inputs as the transpose of kernel times upstream gradient."""

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """The product with that gradient, in a compiled program and for small batches only."""
        batch = inputs.shape[0]
        if inputs.shape.rank != 2 or batch is None or tf.executing_eagerly():
            return None
        if self.units < _MIN_UNITS_PER_EXAMPLE * batch:
            return None
        return _product(inputs, tf.convert_to_tensor(self.kernel))


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
def _product(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        transposed = _barrier(tf.matmul(kernel, upstream, transpose_b=True))
        return tf.transpose(transposed), tf.matmul(inputs, upstream, transpose_a=True)

    return tf.matmul(inputs, kernel), gradient


def _barrier(value: tf.Tensor) -> tf.Tensor:
    """Keeps the compiler from simplifying the transposed product back to the plain one."""
    try:
        from tensorflow.compiler.tf2xla.ops import gen_xla_ops  # there is no public name for it
    except ImportError:
        return value
    return gen_xla_ops.xla_optimization_barrier(input=[value])[0]


def replacements(network: keras.Model) -> Replacements:
    """The layers that `TransposedDense` can replace.

    Not the first one: no gradient of its inputs is needed.
    """
    if type(network) is not keras.Sequential:
        return {}
    found = [layer for layer in network.layers if is_plain(layer)]
    return dict.fromkeys(found[1:], TransposedDense)


def is_plain(layer: keras.layers.Layer) -> bool:
    """Whether a layer is exactly Keras's `Dense`, in float32."""
    is_dense = type(layer) is keras.layers.Dense
    return is_dense and layer.compute_dtype == "float32" and not layer.lora_enabled
