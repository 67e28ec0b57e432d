"""`trainer=compiled`: every epoch is one program.

The loop over batches, the gather of their rows, forward and backward pass and the optimizer's
update are inside the program; layers, loss and optimizer are Keras's own. It does what `fit` does
(a new shuffle each epoch, a shorter last batch, dropout in training only) without Python between
the batches. The program is compiled by XLA or is a TensorFlow graph, as `forms` chooses; a network
that has neither is trained by `fit`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.data import Dataset
from mnist_sweep.training import fit, forms, optimizer
from mnist_sweep.training.fast import dense, dropout, fused_adam, pad_batch, sparse_first_layer
from mnist_sweep.training.fast.program import Program, replaced
from mnist_sweep.training.model import own_methods
from mnist_sweep.training.predictor import Predictor
from mnist_sweep.training.progress import BestWeights, OnEpoch, Training, ignore

log = logging.getLogger(__name__)

EPOCHS_SCANNED = 5
"""Epochs whose batches are scanned for the largest number of active columns of a batch."""


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


def train(
    network: keras.Model,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch = ignore,
) -> Training:
    """Train a network in place, with validation each epoch and early stopping if it is set.

    Args:
        network: A built Keras model.
        dataset: Its training split is trained on, its validation split evaluated each epoch.
        settings: A run's settings.
        on_epoch: Called after every epoch; a reason it returns ends the training there.
    """
    choice = forms.choose(network, dataset, settings)
    while choice.form is not forms.Form.FIT:
        try:
            return _train_in(choice, network, dataset, settings, on_epoch)
        except forms.FormError as error:
            choice = forms.Choice(choice.form.next, str(error))
    log.warning("trainer=compiled trains this network with Keras's fit: %s", choice.reason)
    eagerly = not own_methods(network)
    return fit.train(network, dataset, settings, on_epoch, reason=choice.reason, eagerly=eagerly)


def _train_in(
    choice: forms.Choice,
    network: keras.Model,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch,
) -> Training:
    started = perf_counter()
    xla, logits = choice.form is forms.Form.XLA, settings["outputs"] == "logits"
    n, scale = len(dataset.train_index), dataset.info.scale
    batch_size = min(settings["batch_size"], n)
    update = optimizer.optimizer(settings, settings["epochs"] * -(-n // settings["batch_size"]))
    columns = _active_columns(network, dataset, settings, batch_size) if xla else None
    fast = {
        **dropout.replacements(network, settings["seed"]),
        **dense.replacements(network),
        **(sparse_first_layer.replacements(network) if columns else {}),
    } if xla else {}  # fmt: skip
    with replaced(fast):
        program = EpochProgram(
            network,
            fused_adam.for_training(update, xla=xla),
            as_tensor(dataset.train_images),
            as_tensor(dataset.train_labels),
            batch_size,
            scale,
            columns,
            xla=xla,
            logits=logits,
        )
        program.compile(n)
        predictor = Predictor(network, scale, xla=xla, logits=logits)
        # Compiles the predictor, so that the first epoch takes no longer than the others.
        predictor(dataset.train_images, dataset.train_labels, dataset.train_index[:1])
        result = Training(predictor, compile_s=perf_counter() - started)
        result.form, result.reason = choice
        _run_epochs(result, program, dataset, settings, on_epoch)
    return result


def _run_epochs(
    result: Training,
    program: EpochProgram,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch,
) -> None:
    predictor, images, held_out = result.predictor, dataset.train_images, dataset.validation_index
    truth = dataset.train_labels[held_out]
    best = BestWeights(predictor.network, settings["early_stopping"])
    training_started = perf_counter()
    for epoch in range(1, settings["epochs"] + 1):
        epoch_started = perf_counter()
        training = program(epoch_order(dataset.train_index, settings["seed"], epoch))
        validation = None
        if len(held_out):
            outputs = predictor(images, dataset.train_labels, held_out)
            loss, accuracy = outputs.loss_and_accuracy(truth)
            loss += predictor.added_loss(images, held_out, settings["batch_size"])
            validation = loss, accuracy
        result.history.add(training, validation)
        result.epoch_s.append(perf_counter() - epoch_started)
        reason = on_epoch(epoch, result.history)
        if not result.history.is_finite():
            result.diverged = f"the loss was not finite in epoch {epoch}"
            break
        if best.should_stop(epoch, result.history) or epoch == settings["epochs"]:
            break
        if reason:
            result.pruned = reason
            break
    best.restore()
    result.train_s = perf_counter() - training_started


def _active_columns(
    network: keras.Model, dataset: Dataset, settings: Mapping[str, Any], batch_size: int
) -> sparse_first_layer.ActiveColumns | None:
    """The active columns, if the network's first layer can use them and they are few."""
    too_small = batch_size < sparse_first_layer.MIN_BATCH
    if too_small or not sparse_first_layer.is_supported(network):
        return None
    epochs = range(1, min(settings["epochs"], EPOCHS_SCANNED) + 1)
    orders = (epoch_order(dataset.train_index, settings["seed"], epoch) for epoch in epochs)
    columns = sparse_first_layer.ActiveColumns(dataset.train_images, batch_size, orders)
    return columns if columns.worthwhile else None
