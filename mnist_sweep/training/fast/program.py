"""A function of tensors as one program, and the layers that compute differently inside of it.

Layers change their class while a network trains, and nothing else. A copy of the network by its
configuration would lose all that is outside of it: the statistics of an adapted `Normalization`, a
variable frozen by hand, a variable's regularizer, attributes set after construction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from mnist_sweep.training import runtime

# A layer of a network to a subclass of its class.
Replacements = Mapping[keras.layers.Layer, type[keras.layers.Layer]]


def replace(replacements: Replacements) -> None:
    """Give layers another class; weights, flags, losses and attributes remain as they are."""
    for layer, new_class in replacements.items():
        layer.__class__ = new_class


@contextmanager
def replaced(replacements: Replacements) -> Iterator[None]:
    """Within the block, layers have another class."""
    own = {layer: type(layer) for layer in replacements}
    replace(replacements)
    try:
        yield
    finally:
        replace(own)


class Program:
    """Traces, compiles and calls a function of tensors.

    A damaged program on disk raises the same error as a function that XLA cannot compile. So if a
    call fails, the stored programs are removed and the call is repeated once, with a new
    `tf.function`: TensorFlow remembers that the old one failed.

    Args:
        function: Takes and returns tensors.
        xla: Whether XLA compiles it, again for each shape of its arguments.
        signature: Without XLA, the arguments' specs, so that one graph serves varying shapes.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        xla: bool,
        signature: Sequence[tf.TensorSpec] | None = None,
    ) -> None:
        self._function = function
        self._xla = xla
        self._signature = None if xla else signature
        self.compiled = self._new()

    def __call__(self, *arguments: tf.Tensor) -> Any:
        """What the function returns.

        Raises:
            tf.errors.OpError: It cannot be compiled or executed.
        """
        try:
            return self.compiled(*arguments)
        except tf.errors.OpError:
            if not self._xla or not runtime.forget_programs():
                raise
            self.compiled = self._new()
            return self.compiled(*arguments)

    def _new(self) -> Any:
        return tf.function(
            self._function, self._signature, autograph=False, jit_compile=self._xla or None
        )
