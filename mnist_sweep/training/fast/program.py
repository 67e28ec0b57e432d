"""A function of tensors as one program: compiled by XLA, or a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from mnist_sweep.training import runtime


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
