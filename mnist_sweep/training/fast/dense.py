"""Dense layers whose products are computed in another way while a network trains.

XLA's product of two matrices copies its right one into another order first. In the gradient with
respect to a layer's inputs that is the whole kernel, and with many more units than examples in a
batch the copy takes a third of the time. The transposed product copies the batch instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from mnist_sweep.training.fast.clone import clone

_UNITS_PER_EXAMPLE = 6
"""From as many units for each example of a batch the transposed product is faster, on CPUs."""


class ProductDense(keras.layers.Dense):
    """`keras.layers.Dense` with a product of its own, where it has one."""

    def call(self, inputs: tf.Tensor, training: Any = None) -> tf.Tensor:
        """Keras's own, to rounding."""
        outputs = self.product(inputs) if training else None
        if outputs is None:
            return super().call(inputs, training=training)
        if self.bias is not None:
            outputs = outputs + tf.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """The inputs times the kernel in training, (batch, units); None leaves it to Keras."""
        raise NotImplementedError


class TransposedDense(ProductDense):
    """The gradient with respect to the inputs is the transposed of kernel times gradient."""

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """Its own in a compiled program, where a batch is small for the layer."""
        batch = inputs.shape[0]
        if inputs.shape.rank != 2 or batch is None or tf.executing_eagerly():
            return None
        if self.units < _UNITS_PER_EXAMPLE * batch:
            return None
        return _product(inputs, tf.convert_to_tensor(self.kernel))


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
def _product(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        transposed = _as_written(tf.matmul(kernel, upstream, transpose_b=True))
        return tf.transpose(transposed), tf.matmul(inputs, upstream, transpose_a=True)

    return tf.matmul(inputs, kernel), gradient


def _as_written(value: tf.Tensor) -> tf.Tensor:
    """A barrier: the compiler would turn a transposed product into the other one again."""
    try:
        from tensorflow.compiler.tf2xla.ops import gen_xla_ops  # there is no public name for it
    except ImportError:
        return value
    return gen_xla_ops.xla_optimization_barrier(input=[value])[0]


def kinds(network: keras.Model) -> dict[keras.layers.Layer, type[ProductDense]]:
    """The layers that can be a `TransposedDense`; the first needs no gradient of its inputs."""
    if type(network) is not keras.Sequential:
        return {}
    found = [layer for layer in network.layers if is_plain(layer)]
    return dict.fromkeys(found[1:], TransposedDense)


def is_plain(layer: keras.layers.Layer) -> bool:
    """Whether a layer is Keras's `Dense` in float32 and nothing else."""
    kind = type(layer) is keras.layers.Dense
    return kind and layer.compute_dtype == "float32" and not layer.lora_enabled


def swapped(
    network: keras.Model, kinds: Mapping[keras.layers.Layer, type[keras.layers.Layer]]
) -> keras.Model:
    """The same network with some layers of another kind, which have the same settings and weights.

    One that Keras cannot clone trains as it is.

    Args:
        network: A built sequential model.
        kinds: Of the layers to be swapped.
    """
    if not kinds:
        return network

    def of_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return kinds.get(layer, type(layer)).from_config(layer.get_config())

    return clone(network, of_layer) or network
