"""A function of tensors as one program compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from mnist_sweep.training import runtime


class Program:
    """Traces, compiles and calls a function of tensors.

    A damaged program on disk raises the same error as a function that cannot be compiled. So if a
    call fails, the stored programs are removed and the call is repeated once, with a new
    `tf.function`: TensorFlow remembers that the old one failed.

    Args:
        function: Takes and returns tensors.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.compiled = tf.function(function, autograph=False, jit_compile=True)

    def __call__(self, *arguments: tf.Tensor) -> Any:
        """What the function returns.

        Raises:
            tf.errors.OpError: It cannot be compiled or executed.
        """
        try:
            return self.compiled(*arguments)
        except tf.errors.OpError:
            if not runtime.forget_programs():
                raise
            self.compiled = tf.function(self._function, autograph=False, jit_compile=True)
            return self.compiled(*arguments)
