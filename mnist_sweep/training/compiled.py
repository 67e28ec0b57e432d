"""`trainer=compiled`: every epoch is one compiled program.

The loop over batches, the gather of their rows, forward, backward and the optimizer's update are
inside the program; layers, loss and optimizer are Keras's own. It does what `fit` does: a fresh
shuffle each epoch, the last short batch included, dropout on in training only. What it saves is
everything `fit` does between the batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.data import Dataset
from mnist_sweep.errors import ModelError
from mnist_sweep.training import optimizer
from mnist_sweep.training.fast import dense, dropout, fused_adam, pad_batch, sparse_first_layer, xla
from mnist_sweep.training.predictor import Predictor
from mnist_sweep.training.progress import OnEpoch, Training, ignore
from mnist_sweep.training.stopping import BestWeights
from mnist_sweep.training.tensors import as_tensor

LOOK_AHEAD = 5
"""Epochs whose batches are looked through for how many columns they have at most."""


class EpochProgram:
    """One pass over the training rows as one compiled program.

    Args:
        network: A built Keras model ending in a softmax; its weights are updated in place.
        update: A Keras optimizer.
        images: (m, *image_shape) uint8.
        labels: (m,) uint8.
        batch_size: Examples a batch; the last one may be shorter.
        scale: Raw pixel value that stands for 1.
        columns: The lit columns, of a network with a `ActiveColumnDense`.
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
    ) -> None:
        self._network = network
        self._update = update
        self._images = images
        self._labels = labels
        self._batch_size = batch_size
        self._factor = 1.0 / scale
        self._lit = sparse_first_layer.layer_of(network) if columns else None
        self._columns = columns if self._lit else None
        self._fills = pad_batch.can_pad(network)
        self._loss = keras.losses.SparseCategoricalCrossentropy()
        self._program = xla.Program(self._epoch)
        update.build(network.trainable_variables)

    def __call__(self, order: np.ndarray) -> tuple[float, float]:
        """Train on the rows in this order; (loss, accuracy), means over the examples as trained.

        Args:
            order: (n,) int32 rows of the images, each once.
        """
        return self._run(order)

    def compile(self, n: int) -> None:
        """Trace and compile for `n` rows, training nothing: the program runs with no batches.

        Raises:
            ModelError: Some layer or optimizer has no compiled form.
        """
        try:
            self._run(np.zeros(n, np.int32), train=False)
        except tf.errors.OpError as error:
            raise ModelError(
                "this network cannot be compiled into one program; use trainer=fit. "
                f"TensorFlow says: {str(error).splitlines()[0]}"
            ) from error

    def _run(self, order: np.ndarray, *, train: bool = True) -> tuple[float, float]:
        n = len(order)
        columns = self._columns.of(order) if self._columns else ()
        size = min(self._batch_size, n)
        if self._fills:
            order = pad_batch.pad(order, size)
        batches, rest = divmod(len(order), size)
        loops = (batches, 1 if rest else 0) if train else (0, 0)
        loss, right = self._program(*map(tf.constant, (order, n, *loops, *columns)))
        return float(loss) / n, float(right) / n

    def _epoch(
        self,
        order: tf.Tensor,
        n: tf.Tensor,
        batches: tf.Tensor,
        rests: tf.Tensor,
        *columns: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        size = min(self._batch_size, order.shape[0])
        rest = order.shape[0] % size
        totals = (tf.constant(0.0), tf.constant(0.0))
        totals = self._loop(order, n, batches, size, totals, columns)
        if rest:
            # A loop of none or one: the last, short batch is a program of its own shape.
            short = order[order.shape[0] - rest :]
            totals = self._loop(short, tf.constant(rest), rests, rest, totals)
        return totals

    def _loop(
        self,
        order: tf.Tensor,
        n: tf.Tensor,
        batches: tf.Tensor,
        size: int,
        totals: tuple[tf.Tensor, tf.Tensor],
        columns: tuple[tf.Tensor, ...] = (),
    ) -> tuple[tf.Tensor, tf.Tensor]:
        def body(i: tf.Tensor, loss: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, ...]:
            rows = tf.ensure_shape(tf.slice(order, [i * size], [size]), (size,))
            here = tf.minimum(n - i * size, size) if self._fills else tf.constant(size)
            with self._batch(i, columns):
                batch_loss, batch_right = self._step(rows, here)
            return i + 1, loss + batch_loss * tf.cast(here, tf.float32), right + batch_right

        _, loss, right = tf.while_loop(
            lambda i, *_: i < batches, body, (tf.constant(0), *totals), parallel_iterations=1
        )
        return loss, right

    def _batch(self, i: tf.Tensor, columns: tuple[tf.Tensor, ...]) -> AbstractContextManager[None]:
        if self._lit is None or not columns:
            return nullcontext()
        return self._lit.on(columns[0][i], columns[1][i])

    def _step(self, rows: tf.Tensor, here: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.cast(tf.gather(self._images, rows), tf.float32) * self._factor
        labels = tf.cast(tf.gather(self._labels, rows), tf.int32)
        weights = pad_batch.weights(here, rows.shape[0]) if self._fills else None
        variables = self._network.trainable_variables
        with tf.GradientTape() as tape:
            probabilities = self._network(images, training=True)
            loss = self._loss(labels, probabilities, sample_weight=weights)
            if self._network.losses:
                loss += tf.add_n(self._network.losses)
        self._update.apply(tape.gradient(loss, variables), variables)
        predicted = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        right = predicted == labels
        if self._fills:
            right &= tf.range(rows.shape[0]) < here
        return loss, tf.reduce_sum(tf.cast(right, tf.float32))


def epoch_order(rows: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The rows of one epoch in a fresh order, each exactly once.

    Args:
        rows: (n,) int32.
        seed: Of the run.
        epoch: From 1; the order is a function of seed and epoch alone.
    """
    shuffle = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(epoch,)))
    return shuffle.permutation(rows)


def train(
    network: keras.Model,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch = ignore,
) -> Training:
    """Train a network in place, with validation each epoch and early stopping if asked for.

    Args:
        network: A built Keras model.
        dataset: Whose training split it learns from, and whose validation split it is judged by.
        settings: A run's settings.
        on_epoch: Called after every epoch; a reason it returns ends the training there.

    Raises:
        ModelError: The network cannot be compiled.
    """
    started = perf_counter()
    rows, scale = dataset.train_index, dataset.info.scale
    steps = settings["epochs"] * -(-len(rows) // settings["batch_size"])
    learner = dropout.for_training(network, settings["seed"])
    batch_size = min(settings["batch_size"], len(rows))
    columns = _lit_columns(learner, dataset, settings, batch_size)
    lit_kinds = sparse_first_layer.kinds(learner) if columns else {}
    learner = dense.swapped(learner, {**dense.kinds(learner), **lit_kinds})
    update = fused_adam.for_training(optimizer.optimizer(settings, steps))
    program = EpochProgram(
        learner,
        update,
        as_tensor(dataset.train_images),
        as_tensor(dataset.train_labels),
        batch_size,
        scale,
        columns,
    )
    validate = Predictor(learner, scale)
    program.compile(len(rows))
    validate(dataset.train_images, dataset.train_labels, dataset.validation_index[:1])
    result = Training(predictor=validate, compile_s=perf_counter() - started)
    best = BestWeights(learner, settings["early_stopping"])
    truth = dataset.train_labels[dataset.validation_index]
    trained = perf_counter()
    for epoch in range(1, settings["epochs"] + 1):
        began = perf_counter()
        training = program(epoch_order(rows, settings["seed"], epoch))
        answers = validate(dataset.train_images, dataset.train_labels, dataset.validation_index)
        validation = answers.summary(truth)
        result.history.add(training, validation)
        result.epoch_s.append(perf_counter() - began)
        reason = on_epoch(epoch, result.history)
        if not np.isfinite((training[0], validation[0])).all():
            result.diverged = f"the loss was not finite in epoch {epoch}"
            break
        if best.done(epoch, result.history) or epoch == settings["epochs"]:
            break
        if reason:
            result.pruned = reason
            break
    best.restore()
    if learner is not network:
        network.set_weights(learner.get_weights())
    result.train_s = perf_counter() - trained
    return result


def _lit_columns(
    network: keras.Model, dataset: Dataset, settings: Mapping[str, Any], batch_size: int
) -> sparse_first_layer.ActiveColumns | None:
    """The lit columns, where the network's first layer can make use of them and they are few."""
    if not sparse_first_layer.fits(network) or batch_size < sparse_first_layer.SMALLEST_BATCH:
        return None
    epochs = range(1, min(settings["epochs"], LOOK_AHEAD) + 1)
    orders = (epoch_order(dataset.train_index, settings["seed"], epoch) for epoch in epochs)
    columns = sparse_first_layer.ActiveColumns(dataset.train_images, batch_size, orders)
    return columns if columns.worthwhile else None
