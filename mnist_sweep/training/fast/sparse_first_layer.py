"""First-layer matrix products over the pixels that occur in a batch.

Four fifths of MNIST's pixels are 0: of the 784 columns of a batch of 32 images about 460 have a
nonzero value. The other columns add nothing to the first layer's product, and their weights get a
gradient of zero. So both products use the active columns only, with the same result to float32
rounding, a quarter faster. Which columns are active is found on packed bits before each epoch.
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
from mnist_sweep.training.fast.program import Replacements

# Above this share of active columns, finding them costs more than it saves.
MAX_ACTIVE_SHARE = 0.8
# Smaller batches are so many that their lists of columns would be larger than the images.
MIN_BATCH = 8
# The number of columns is rounded up to a multiple, so that seeds share a compiled program.
_ROUND_TO = 16
_GRADIENT_NAME = "active_column_gradient"
# Bytes combined at once when the active columns are searched: uint64 words.
_WORD_BYTES = 8


class ActiveColumnDense(ProductDense):
    """`keras.layers.Dense` that multiplies a batch's active columns only."""

    _columns: tuple[tf.Tensor, tf.Tensor] | None = None

    @contextmanager
    def on(self, columns: tf.Tensor, places: tf.Tensor) -> Iterator[None]:
        """Within the block, calls use these columns.

        Args:
            columns: (k,) int32, the active columns, then an inactive one repeated up to length k.
            places: (width,) int32, the position of each column in `columns`; k - 1 for an
                inactive one.
        """
        # Not by assignment: Keras would keep track of the attribute after the training, too.
        self.__dict__["_columns"] = (columns, places)
        try:
            yield
        finally:
            del self.__dict__["_columns"]

    def product(self, inputs: tf.Tensor) -> tf.Tensor | None:
        """The product over the active columns."""
        if self._columns is None:
            return None
        return _product(inputs, tf.convert_to_tensor(self.kernel), *self._columns)


@tf.custom_gradient  # type: ignore[untyped-decorator]  # TensorFlow has no types
def _product(
    inputs: tf.Tensor, kernel: tf.Tensor, columns: tf.Tensor, places: tf.Tensor
) -> tuple[tf.Tensor, Any]:
    active = tf.gather(inputs, columns, axis=1)

    def gradient(upstream: tf.Tensor) -> tuple[Any, ...]:
        rows = tf.matmul(active, upstream, transpose_a=True)
        of_kernel = tf.gather(rows, places, name=_GRADIENT_NAME)
        return tf.matmul(upstream, kernel, transpose_b=True), of_kernel, None, None

    return tf.matmul(active, tf.gather(kernel, columns)), gradient


def duplicate_for_fusion(gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A gradient as three tensors of equal value that the compiler does not share.

    The gradient of an `ActiveColumnDense` is a gather of the active columns' rows. XLA writes a
    value with several uses to memory and reads it again. Three gathers, whose indices differ in
    dtype so that they are not merged, become part of the loops that use them instead.
    """
    source = gradient
    if not tf.executing_eagerly():
        while source.op.type in ("Identity", "IdentityN"):
            source = source.op.inputs[source.value_index]
        if source.op.name.rpartition("/")[2].startswith(_GRADIENT_NAME):
            rows, places = source.op.inputs[:2]
            if places.shape[0] <= np.iinfo(np.int16).max:
                dtypes = (tf.int16, tf.int32, tf.int64)
                first, second, third = (tf.gather(rows, tf.cast(places, one)) for one in dtypes)
                return first, second, third
    return gradient, gradient, gradient


class ActiveColumns:
    """Which columns of each batch of an epoch have a nonzero value.

    Args:
        images: (m, *image_shape) uint8.
        batch_size: Examples per batch.
        orders: The rows of some epochs; arrays are sized for the largest number of active columns
            in them. A later batch with more enlarges the arrays, and the epoch is recompiled.
    """

    def __init__(self, images: np.ndarray, batch_size: int, orders: Iterable[np.ndarray]) -> None:
        flat = images.reshape(len(images), -1)
        self.width = flat.shape[1]
        self._batch_size = batch_size
        bits = np.packbits(flat > 0, axis=1)
        bits = np.pad(bits, ((0, 0), (0, -bits.shape[1] % _WORD_BYTES)))
        self._words = bits.view(np.uint64)
        self._size = min(_ROUND_TO, self.width)
        for order in orders:
            self._make_room(self._active(order))

    @property
    def worthwhile(self) -> bool:
        """Whether batches have few enough active columns."""
        return self._size <= MAX_ACTIVE_SHARE * self.width

    def of(self, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The columns and places of each batch, (batches, k) and (batches, width) int32.

        Args:
            order: (n,) int32 rows of the images; the last batch may be shorter.
        """
        active = self._active(order)
        self._make_room(active)
        counts = np.count_nonzero(active, axis=1)
        found = np.flatnonzero(active)
        column = found - np.repeat(np.arange(len(active)) * self.width, counts)
        place = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
        # The active columns in ascending order, then the first inactive one as padding.
        columns = np.repeat(active.argmin(axis=1).astype(np.int32)[:, None], self._size, axis=1)
        columns[np.arange(self._size) < counts[:, None]] = column
        places = np.full(active.shape, self._size - 1, np.int32)
        places.ravel()[found] = place
        return columns, places

    def _active(self, order: np.ndarray) -> np.ndarray:
        """Which columns of each batch are active, (batches, width) bool."""
        order = pad_batch.pad(order, self._batch_size)
        words = self._words[order].reshape(-1, self._batch_size, self._words.shape[1])
        any_bits = np.bitwise_or.reduce(words, axis=1).view(np.uint8)
        return np.unpackbits(any_bits, axis=1, count=self.width).astype(bool)

    def _make_room(self, active: np.ndarray) -> None:
        """Make the arrays large enough for the active columns of any batch and an inactive one."""
        largest = int(active.sum(axis=1).max(initial=0))
        if largest >= self._size:
            self._size = min(-(-(largest + 1) // _ROUND_TO) * _ROUND_TO, self.width)


def is_supported(network: keras.Model) -> bool:
    """Whether a network starts with `Flatten` and `Dense` in float32, which this needs."""
    if type(network) is not keras.Sequential or len(network.layers) < 2:
        return False
    flatten, first = network.layers[:2]
    # `Flatten` of channels-first images changes the order of the columns.
    in_order = type(flatten) is keras.layers.Flatten and flatten.data_format == "channels_last"
    return in_order and dense.is_plain(first)


def replacements(network: keras.Model) -> Replacements:
    """The layer of a supported network that `ActiveColumnDense` replaces."""
    return {network.layers[1]: ActiveColumnDense}


def layer_of(network: keras.Model) -> ActiveColumnDense | None:
    """The network's `ActiveColumnDense`, if it has one."""
    return next((layer for layer in network.layers if isinstance(layer, ActiveColumnDense)), None)
