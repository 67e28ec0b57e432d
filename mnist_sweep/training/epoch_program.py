"""One epoch as one program: by XLA, or as a TensorFlow graph."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.training import forms
from mnist_sweep.training.fast import pad_batch, sparse_first_layer
from mnist_sweep.training.fast.program import Program


class EpochProgram:
    """One pass over the training rows as one program.

    Args:
        network: A built Keras model; its weights are updated in place.
        update: A Keras optimizer.
        images: (m, *image_shape) uint8.
        labels: (m,) uint8.
        batch_size: Examples per batch; the last one may be shorter.
        scale: Raw pixel value that maps to 1.
        columns: The active columns, for a network with an `ActiveColumnDense`.
        xla: Whether XLA compiles it. XLA needs batches of known shapes: a shorter last one is
            padded, or has a loop of its own.
        logits: Whether the network's outputs are logits.
    """

    def __init__(
        self,
        network: keras.Model,
        update: keras.optimizers.Optimizer,
        images: tf.Tensor,
        labels: tf.Tensor,
        batch_size: int,
        scale: float,
        columns: sparse_first_layer.ActiveColumns | None = None,
        *,
        xla: bool = True,
        logits: bool = False,
    ) -> None:
        self._network = network
        self._update = update
        self._images = images
        self._labels = labels
        self._batch_size = batch_size
        self._factor = 1.0 / scale
        self._sparse_layer = sparse_first_layer.layer_of(network) if columns else None
        self._columns = columns if self._sparse_layer else None
        self._xla = xla
        self._pads = xla and pad_batch.can_pad(network)
        self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
        signature = None if xla else [tf.TensorSpec([None], tf.int32)]
        self._program = Program(
            self._epoch if xla else self._graph_epoch, xla=xla, signature=signature
        )
        update.build(network.trainable_variables)

    def __call__(self, order: np.ndarray, *, train: bool = True) -> tuple[float, float]:
        """Train on the rows in this order.

        Args:
            order: (n,) int32 rows of the images, each once.
            train: Whether to; otherwise the program runs with no batches.

        Returns:
            (loss, accuracy), means over the examples while they were trained on.
        """
        n = len(order)
        if not self._xla:
            loss, correct = self._program(tf.constant(order if train else order[:0]))
            return float(loss) / n, float(correct) / n
        columns = self._columns.of(order) if self._columns else ()
        size = min(self._batch_size, n)
        if self._pads:
            order = pad_batch.pad(order, size)
        batches, remainder = divmod(len(order), size)
        loops = (batches, 1 if remainder else 0) if train else (0, 0)
        loss, correct = self._program(*map(tf.constant, (order, n, *loops, *columns)))
        return float(loss) / n, float(correct) / n

    def compile(self, n: int) -> None:
        """Trace and compile for `n` rows without training.

        Raises:
            FormError: A layer or the optimizer cannot be traced or compiled.
            Exception: One of `forms.OUT_OF_RESOURCES`.
        """
        try:
            self(np.zeros(n, np.int32), train=False)
        except forms.OUT_OF_RESOURCES:
            raise
        except Exception as error:  # layers of the user's own may raise anything
            raise forms.FormError(forms.no_program(error)) from error

    def _graph_epoch(self, order: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        n = tf.size(order)
        batches = -(-n // self._batch_size)
        return self._loop(order, n, batches, self._batch_size, (0.0, 0.0))

    def _epoch(
        self,
        order: tf.Tensor,
        n: tf.Tensor,
        batches: tf.Tensor,
        short_batches: tf.Tensor,
        *columns: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = min(self._batch_size, order.shape[0])
        remainder = order.shape[0] % size
        totals = (tf.constant(0.0), tf.constant(0.0))
        totals = self._loop(order, n, batches, size, totals, columns)
        if remainder:
            # A loop over zero or one batches: the short batch is a program of its own shape.
            short = order[order.shape[0] - remainder :]
            totals = self._loop(short, tf.constant(remainder), short_batches, remainder, totals)
        return totals

    def _loop(
        self,
        order: tf.Tensor,
        n: tf.Tensor,
        batches: tf.Tensor,
        size: int,
        totals: tuple[Any, Any],
        columns: tuple[tf.Tensor, ...] = (),
    ) -> tuple[tf.Tensor, tf.Tensor]:
        layer = self._sparse_layer if columns else None

        def body(i: tf.Tensor, loss: tf.Tensor, correct: tf.Tensor) -> tuple[tf.Tensor, ...]:
            if self._xla:
                rows = tf.ensure_shape(tf.slice(order, [i * size], [size]), (size,))
            else:
                rows = order[i * size : tf.minimum(n, (i + 1) * size)]
            n_examples = tf.minimum(n - i * size, size) if self._pads else tf.size(rows)
            with layer.on(columns[0][i], columns[1][i]) if layer else nullcontext():
                batch_loss, batch_correct = self._step(rows, n_examples)
            following = i + 1
            loss += batch_loss * tf.cast(n_examples, tf.float32)
            return following, loss, correct + batch_correct

        # One iteration at a time: each batch needs the weights that the one before left.
        _, loss, correct = tf.while_loop(
            lambda i, *_: i < batches, body, (tf.constant(0), *totals), parallel_iterations=1
        )
        return loss, correct

    def _step(self, rows: tf.Tensor, n_examples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(tf.gather(self._images, rows), tf.float32) * self._factor
        labels = tf.cast(tf.gather(self._labels, rows), tf.int32)
        weights = pad_batch.weights(n_examples, rows.shape[0]) if self._pads else None
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            outputs = self._network(images, training=True)
            loss = self._loss(labels, outputs, sample_weight=weights)
            if self._network.losses:  # of regularizers, as `fit` adds them
                loss += tf.add_n(self._network.losses)
        self._update.apply(tape.gradient(loss, variables), variables)
        predicted = tf.argmax(outputs, axis=-1, output_type=tf.int32)
        correct = predicted == labels
        if self._pads:
            correct &= tf.range(rows.shape[0]) < n_examples
        return loss, tf.reduce_sum(tf.cast(correct, tf.float32))


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """A tensor that shares the array's memory if possible, else a copy.

    A memory-mapped dataset then stays in the page cache, shared by all workers. TensorFlow takes
    memory by DLPack only if it is writable, contiguous and aligned to 64 bytes.
    """
    if array.flags.writeable and array.ctypes.data % 64 == 0 and array.flags.c_contiguous:
        return tf.experimental.dlpack.from_dlpack(np.asarray(array).__dlpack__())
    return tf.constant(array)


def epoch_order(rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The rows (n,) int32 of one epoch (from 1), shuffled by seed and epoch only."""
    shuffle = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    return shuffle.permutation(rows)
