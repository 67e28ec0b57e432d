"""A dense network whose variables take values of any shape: one program for networks of any width.

Tracing a program is most of a small run's time, and in a sweep the next network is often as deep as
the last one and only wider.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import tensorflow as tf


def of_any_width(
    network: keras.Model, update: keras.optimizers.Optimizer
) -> tuple[keras.Model, keras.optimizers.Optimizer]:
    """A copy of a sequential network of dense layers, and of the optimizer, built for it."""
    network = keras.models.clone_model(network)
    _free(network.weights)
    update = type(update).from_config(update.get_config())
    # Its variables begin with the shapes that the weights have now.
    update.build(network.trainable_variables)
    _free(update.variables)
    for variable in (*network.weights, *update.variables):
        # So that Keras's `assign` takes any; a shape with None has no public name either.
        variable._shape = (None,) * len(variable.shape)  # noqa: SLF001
    return network, update


def _free(variables: Iterable[keras.Variable]) -> None:
    """Keep values in variables of TensorFlow whose shape is not known to a program."""
    for variable in variables:
        value = variable.value
        variable._value = tf.Variable(  # noqa: SLF001  (Keras's own has a fixed shape)
            value, shape=tf.TensorShape([None] * value.shape.rank), trainable=variable.trainable
        )
