"""`trainer=compiled`: every epoch is one program.

The loop over batches, the gather of their rows, forward and backward pass and the optimizer's
update are inside the program; layers, loss and optimizer are Keras's own. It does what `fit` does
(a new shuffle each epoch, a shorter last batch, dropout in training only) without Python between
the batches. The program is compiled by XLA or is a TensorFlow graph, as `forms` chooses; a network
that has neither is trained by `fit`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import keras
import tensorflow as tf

from mnist_sweep.data import Dataset
from mnist_sweep.training import fit, forms, optimizer, runtime, small
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor, epoch_order
from mnist_sweep.training.fast import (
    any_width,
    batch_norm,
    dense,
    dropout,
    fused_adam,
    sparse_first_layer,
)
from mnist_sweep.training.fast.program import replaced
from mnist_sweep.training.model import needs_fit
from mnist_sweep.training.predictor import Predictor
from mnist_sweep.training.progress import BestWeights, OnEpoch, Training, ignore

log = logging.getLogger(__name__)

# Epochs whose batches are scanned for the largest number of active columns of a batch.
EPOCHS_SCANNED = 5


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
    eagerly = needs_fit(network) is None
    if small.keeps_programs(settings):
        tf.random.set_seed(settings["seed"])  # `fit` shuffles by it, `start_afresh` may leave it
    return fit.train(network, dataset, settings, on_epoch, reason=choice.reason, eagerly=eagerly)


@dataclass
class _Programs:
    """What a network is trained and evaluated by."""

    network: keras.Model  # whose variables the programs read and write
    update: keras.optimizers.Optimizer
    epoch: EpochProgram
    predictor: Predictor


# The programs of small networks in this process by what determines them, last used last: the next
# run often differs in its seed, its nodes or its learning rate only.
_kept: dict[str, _Programs] = {}
_MAX_KEPT = 16
# Larger networks are not kept with their optimizer's state: memory is worth more than tracing.
_MAX_KEPT_PARAMETERS = 250_000


def _train_in(
    choice: forms.Choice,
    network: keras.Model,
    dataset: Dataset,
    settings: Mapping[str, Any],
    on_epoch: OnEpoch,
) -> Training:
    started = perf_counter()
    xla = choice.form is forms.Form.XLA
    runtime.make_deterministic(on=not xla)
    columns = _active_columns(network, dataset, settings) if xla else None
    fast = {
        **dropout.replacements(network, settings["seed"]),
        **dense.replacements(network),
        **(sparse_first_layer.replacements(network) if columns else {}),
    } if xla else batch_norm.replacements(network)  # fmt: skip
    update = optimizer.optimizer(settings, small.steps_of(settings, len(dataset.train_index)))
    update.build(network.trainable_variables)
    key = None if xla else _shared_by(dataset, settings)
    with replaced(fast):
        programs = _kept.pop(key, None) if key else None
        if programs is None:
            trained = any_width.of_any_width(network, update) if key else (network, update)
            programs = _compiled(*trained, dataset, settings, columns, xla=xla)
        if key:
            _keep(key, programs, network.count_params())
            _copy(network, programs.network)
            _copy(update, programs.update)
        result = Training(programs.predictor, compile_s=perf_counter() - started)
        result.form, result.reason = choice
        _run_epochs(result, programs.epoch, dataset, settings, on_epoch)
    if key:
        _copy(programs.network, network)
        if key in _kept:
            runtime.programs_are_kept()
    return result


def _compiled(
    network: keras.Model,
    update: keras.optimizers.Optimizer,
    dataset: Dataset,
    settings: Mapping[str, Any],
    columns: sparse_first_layer.ActiveColumns | None,
    *,
    xla: bool,
) -> _Programs:
    n, scale, logits = len(dataset.train_index), dataset.info.scale, settings["outputs"] == "logits"
    program = EpochProgram(
        network,
        fused_adam.for_training(update, xla=xla),
        as_tensor(dataset.train_images),
        as_tensor(dataset.train_labels),
        min(settings["batch_size"], n),
        scale,
        columns,
        xla=xla,
        logits=logits,
    )
    program.compile(n)
    predictor = Predictor(network, scale, xla=xla, logits=logits)
    # Compiles the predictor, so that the first epoch takes no longer than the others.
    predictor(dataset.train_images, dataset.train_labels, dataset.train_index[:1])
    return _Programs(network, update, program, predictor)


def _shared_by(dataset: Dataset, settings: Mapping[str, Any]) -> str | None:
    """What determines a run's programs; None if the settings do not say all of the network."""
    if not small.keeps_programs(settings):
        return None
    in_variables = {"seed", "nodes"}
    if settings["schedule"] == "constant":
        in_variables.add("learning_rate")
    rest, model = (
        {key: value for key, value in some.items() if key not in in_variables}
        for some in (settings, settings["model"])
    )
    rest["model"] = model
    return json.dumps([rest, dataset.info.cache, dataset.info.sha256], sort_keys=True)


def _keep(key: str, programs: _Programs, parameters: int) -> None:
    if parameters > _MAX_KEPT_PARAMETERS:
        return
    _kept[key] = programs
    if len(_kept) > _MAX_KEPT:
        del _kept[next(iter(_kept))]


def _copy(source: Any, target: Any) -> None:
    # Also the states of random seeds, which are no weights.
    for mine, theirs in zip(target.variables, source.variables, strict=True):
        mine.assign(theirs)


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
        reason = result.end_epoch(perf_counter() - epoch_started, on_epoch)
        stops = result.diverged or best.should_stop(epoch, result.history)
        if stops or epoch == settings["epochs"]:
            break
        if reason:
            result.pruned = reason
            break
    best.restore()
    result.train_s = perf_counter() - training_started


def _active_columns(
    network: keras.Model, dataset: Dataset, settings: Mapping[str, Any]
) -> sparse_first_layer.ActiveColumns | None:
    """The active columns, if the network's first layer can use them and they are few."""
    batch_size = min(settings["batch_size"], len(dataset.train_index))
    too_small = batch_size < sparse_first_layer.MIN_BATCH
    if too_small or not sparse_first_layer.is_supported(network):
        return None
    epochs = range(1, min(settings["epochs"], EPOCHS_SCANNED) + 1)
    orders = (epoch_order(dataset.train_index, settings["seed"], epoch) for epoch in epochs)
    columns = sparse_first_layer.ActiveColumns(dataset.train_images, batch_size, orders)
    return columns if columns.worthwhile else None
