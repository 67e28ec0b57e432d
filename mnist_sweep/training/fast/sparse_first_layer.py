"""First-layer products over the pixels that a batch has.

Four fifths of MNIST's pixels are 0, and of its 784 columns a batch of 32 images has some 460 with
anything in them. The others add nothing to the first layer's product, and their weights get no
gradient, so both products are made of the columns that are lit and come out the same, to float32
rounding, a quarter sooner. Which these are is found on the images' bits before each epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.training.fast import dense, pad_batch
from mnist_sweep.training.fast.dense import ProductDense

WORTHWHILE = 0.8
"""Where a batch has more than this share of the columns, finding them costs more than it saves."""
SMALLEST_BATCH = 8
"""Smaller batches are so many that their columns would take more memory than the images."""
_STEP = 16
"""The number of columns is rounded up to a multiple: seeds then share a compiled program."""
_GRADIENT = "lit_gradient"
_WORD = 8
"""Bytes that are joined at once where it is found what is lit."""


class ActiveColumnDense(ProductDense):
    """`keras.layers.Dense` on a batch's lit columns while it is told which they are."""

    _lit: tuple[tf.Tensor, tf.Tensor] | None = None

    @contextmanager
    def on(self, columns: tf.Tensor, places: tf.Tensor) -> Iterator[None]:
        """Within the block, calls are about a batch with these columns.

        Args:
            columns: (k,) int32, the lit ones, then one that is not as often as there is room.
            places: (width,) int32, of each column the place among them; k - 1 for one not lit.
        """
        self._lit = (columns, places)
        try:
            yield
        finally:
            self._lit = None

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """Of the lit columns alone."""
        if self._lit is None:
            return None
        return _product(inputs, tf.convert_to_tensor(self.kernel), *self._lit)


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
def _product(
    inputs: tf.Tensor, kernel: tf.Tensor, columns: tf.Tensor, places: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    few = tf.gather(inputs, columns, axis=1)

    def gradient(upstream: tf.Tensor) -> tuple[Any, ...]:
        rows = tf.matmul(few, upstream, transpose_a=True)
        of_kernel = tf.gather(rows, places, name=_GRADIENT)
        return tf.matmul(upstream, kernel, transpose_b=True), of_kernel, None, None

    return tf.matmul(few, tf.gather(kernel, columns)), gradient


def duplicate_for_fusion(gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A gradient for three uses, none of which has to be shared with the others.

    That of an `ActiveColumnDense` is gathered from the rows of the active columns. The compiler
    writes what has several uses to memory and reads it again; three gathers, told apart by the
    type of their places, become part of the loops that use them.
    """
    source = gradient
    if not tf.executing_eagerly():
        while source.op.type in ("Identity", "IdentityN"):
            source = source.op.inputs[source.value_index]
        if source.op.name.rpartition("/")[2].startswith(_GRADIENT):
            rows, places = source.op.inputs[:2]
            if places.shape[0] <= np.iinfo(np.int16).max:
                kinds = (tf.int16, tf.int32, tf.int64)
                first, second, third = (tf.gather(rows, tf.cast(places, kind)) for kind in kinds)
                return first, second, third
    return gradient, gradient, gradient


class ActiveColumns:
    """Which columns each batch of an epoch has anything in.

    Args:
        images: (m, *image_shape) uint8.
        batch_size: Examples a batch.
        orders: Some epochs' rows; the most columns of a batch of theirs is what is reckoned with.
            A later batch that has more enlarges it, which compiles the epoch anew.
    """

    def __init__(self, images: np.ndarray, batch_size: int, orders: Iterable[np.ndarray]) -> None:
        flat = images.reshape(len(images), -1)
        self.width = flat.shape[1]
        self._batch_size = batch_size
        bits = np.packbits(flat > 0, axis=1)
        bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % _WORD)))
        self._words = bits.view(np.uint64)
        self._most = min(_STEP, self.width)
        for order in orders:
            self._make_room(self._lit(order))

    @property
    def worthwhile(self) -> bool:
        """Whether a batch leaves enough columns out."""
        return self._most <= WORTHWHILE * self.width

    def of(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The columns and places of each batch, (batches, k) and (batches, width) int32.

        Args:
            order: (n,) int32 rows of the images; the last batch may be shorter.
        """
        lit = self._lit(order)
        self._make_room(lit)
        counts = np.count_nonzero(lit, axis=1)
        found = np.flatnonzero(lit)
        column = found - np.repeat(np.arange(len(lit)) * self.width, counts)
        place = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Lit ones first, in their order; then, for want of more, one that is not.
        columns = np.repeat(lit.argmin(axis=1).astype(np.int32)[:, None], self._most, axis=1)
        columns[np.arange(self._most) < counts[:, None]] = column
        places = np.full(lit.shape, self._most - 1, np.int32)
        places.ravel()[found] = place
        return columns, places

    def _lit(self, order: np.ndarray) -> np.ndarray:
        order = pad_batch.pad(order, self._batch_size)
        words = self._words[order].reshape(-1, self._batch_size, self._words.shape[1])
        any_lit = np.bitwise_or.reduce(words, axis=1).view(np.uint8)
        return np.unpackbits(any_lit, axis=1, count=self.width).astype(bool)

    def _make_room(self, lit: np.ndarray) -> None:
        """Have room for the most columns and one more, which then is not lit."""
        most = int(lit.sum(axis=1).max(initial=0))
        if most >= self._most:
            self._most = min(-(-(most + 1) // _STEP) * _STEP, self.width)


def fits(network: keras.Model) -> bool:
    """Whether a network begins with `Flatten` and `Dense` in float32, and so can have this."""
    if type(network) is not keras.Sequential or len(network.layers) < 2:
        return False
    flatten, first = network.layers[:2]
    # A `Flatten` of images with their channels first changes the columns' order.
    in_order = type(flatten) is keras.layers.Flatten and flatten.data_format == "channels_last"
    return in_order and dense.is_plain(first)


def kinds(network: keras.Model) -> dict[keras.layers.Layer, type[ProductDense]]:
    """The layer of a network that `fits` which is to be a `ActiveColumnDense`."""
    return {network.layers[1]: ActiveColumnDense}


def layer_of(network: keras.Model) -> ActiveColumnDense | None:
    """The network's `ActiveColumnDense`, if it has one."""
    return next((layer for layer in network.layers if isinstance(layer, ActiveColumnDense)), None)
