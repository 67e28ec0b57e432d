"""Arrays of examples as TensorFlow tensors, mapped and not copied."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor over the array's own memory where that is possible, else a copy.

    A memory-mapped dataset stays in the page cache, shared by all workers, instead of being copied
    into each. DLPack refuses memory that is read-only or not aligned to 64 bytes.

    Args:
        array: Any shape and dtype; must not change while the tensor lives.
    """
    if array.flags.writeable and array.ctypes.data % 64 == 0 and array.flags.c_contiguous:
        return tf.experimental.dlpack.from_dlpack(np.asarray(array).__dlpack__())
    return tf.constant(array)
