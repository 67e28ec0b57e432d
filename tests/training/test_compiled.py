"""The compiled trainer computes what Keras computes."""

import json
from contextvars import ContextVar
from dataclasses import replace

import keras
import numpy as np
import pytest

from mnist_sweep.data import load, prepare
from mnist_sweep.settings import MLP_TARGET, OPTIMIZERS
from mnist_sweep.training import compiled, fit, forms, model, optimizer, runtime, small
from mnist_sweep.training.epoch_program import EpochProgram, as_tensor, epoch_order
from mnist_sweep.training.fast import fused_adam
from mnist_sweep.training.predictor import CHUNK, Predictor
from mnist_sweep.training.train import train as run
from support.training_settings import settings


@pytest.fixture(scope="module")
def digits():
    return load(prepare(settings(data__name="digits")["data"]))


def plain_network(seed=0):
    keras.utils.set_random_seed(seed)
    return model.mlp((8, 8), 10, layers=2, nodes=12)


def network_with_everything(seed=0):
    """Batch normalisation has state of its own, regularizers add to the loss."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(12, kernel_regularizer=keras.regularizers.L2(0.01)),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Dense(10, activation="softmax", activity_regularizer="l2"),
        ]
    )


def trained_by_keras(network, update, digits, order, batch_size):
    network.compile(update, "sparse_categorical_crossentropy", jit_compile=False)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        images = digits.train_images[rows].astype("float32") / digits.info.scale
        network.train_on_batch(images, digits.train_labels[rows])
    return network.get_weights()


def network_of_many_kinds(seed=0):
    """What is computed by a graph: convolutions and pooling; augmentation that changes nothing."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.RandomTranslation(0.0, 0.0),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(5, 2),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def trained_by_us(network, update, digits, order, batch_size, *, xla=True):
    program = EpochProgram(
        network,
        update,
        as_tensor(digits.train_images),
        as_tensor(digits.train_labels),
        batch_size,
        digits.info.scale,
        xla=xla,
    )
    program.compile(len(order))
    program(order)
    return network.get_weights()


def assert_same_weights(ours, keras_weights, tolerance=2e-5):
    for mine, theirs in zip(ours, keras_weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("build", "xla", "batch_size"),
    [
        (plain_network, True, 25),  # pads its last batch
        (plain_network, True, 5000),
        (network_with_everything, True, 32),  # has a program for its last batch
        (network_with_everything, True, 5000),
        (plain_network, False, 5000),
        (network_with_everything, False, 32),
        (network_of_many_kinds, False, 25),
    ],
)
def test_an_epoch_leaves_the_weights_that_train_on_batch_leaves(digits, build, xla, batch_size):
    # 1,293 rows: 32 and 25 leave a short last batch, 5,000 is one short batch alone.
    order = epoch_order(digits.train_index, seed=3, epoch=1)
    assert len(order) % batch_size
    options = settings(optimizer="sgd", momentum=0.9, learning_rate=0.05)
    ours, theirs = build(), build()
    before = ours.get_weights()
    mine = trained_by_us(
        ours, optimizer.optimizer(options, 100), digits, order, batch_size, xla=xla
    )
    keras_weights = trained_by_keras(
        theirs, optimizer.optimizer(options, 100), digits, order, batch_size
    )
    assert_same_weights(mine, keras_weights)
    assert any(not np.allclose(a, b) for a, b in zip(before, mine, strict=True))


@pytest.mark.parametrize(
    ("name", "xla"),
    [*((name, False) for name in OPTIMIZERS), ("adam", True), ("adamw", True), ("lion", True)],
)
def test_every_optimizer_updates_as_keras_does(digits, name, xla):
    order = epoch_order(digits.train_index, seed=1, epoch=1)[:300]
    options = settings(optimizer=name, learning_rate=0.01, schedule="cosine")
    ours, theirs = plain_network(), plain_network()
    update = fused_adam.for_training(optimizer.optimizer(options, 10), xla=xla)
    mine = trained_by_us(ours, update, digits, order, 32, xla=xla)
    keras_weights = trained_by_keras(theirs, optimizer.optimizer(options, 10), digits, order, 32)
    # Sign-like updates (lion, early adam steps) turn a rounding error into a whole step for a
    # weight whose gradient is all but zero; all others agree to rounding.
    for a, b in zip(mine, keras_weights, strict=True):
        assert np.mean(np.abs(a - b) > 1e-4) < 0.01


def test_compiling_trains_nothing(digits):
    network = plain_network()
    before = network.get_weights()
    program = EpochProgram(
        network,
        keras.optimizers.Adam(),
        as_tensor(digits.train_images),
        as_tensor(digits.train_labels),
        32,
        16.0,
    )
    program.compile(len(digits.train_index))
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_epoch_visits_every_example_once_in_an_order_of_its_own(digits):
    rows = digits.train_index
    orders = [epoch_order(rows, seed, epoch) for seed in (0, 1) for epoch in (1, 2, 3)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), rows)
    assert len({order.tobytes() for order in orders}) == len(orders)
    np.testing.assert_array_equal(orders[0], epoch_order(rows, 0, 1))


def test_the_history_holds_means_over_the_examples_as_they_were_trained(digits):
    options = settings(epochs=2, optimizer="sgd", learning_rate=0.0001, batch_size=100)
    network = plain_network()
    answers = Predictor(network, 16.0)(
        digits.train_images, digits.train_labels, digits.train_index
    ).loss_and_accuracy(digits.train_labels[digits.train_index])
    history = compiled.train(network, digits, options).history
    # So slow that an epoch changes next to nothing: the running mean is the network's own figure.
    assert history.loss[0] == pytest.approx(answers[0], rel=1e-2)
    assert history.accuracy[0] == pytest.approx(answers[1], abs=0.01)
    assert len(history.val_loss) == len(history.val_accuracy) == len(history.accuracy) == 2


def test_compiled_and_fit_learn_alike(digits):
    options = settings(epochs=8, nodes=32, dropout=0.2, batch_size=64)
    accuracies = []
    for train in (compiled.train, fit.train):
        keras.utils.set_random_seed(0)
        network = model.mlp((8, 8), 10, layers=1, nodes=64, dropout=0.2)
        accuracies.append(train(network, digits, options).history.val_accuracy[-1])
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.05)


def test_early_stopping_stops_when_keras_does_and_restores_the_best_weights(digits):
    options = settings(epochs=40, learning_rate=0.05, early_stopping__patience=2, batch_size=16)
    network = plain_network()
    training = compiled.train(network, digits, options)
    losses = training.history.val_loss
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2 < 40
    truth = digits.train_labels[digits.validation_index]
    restored = Predictor(network, 16.0)(
        digits.train_images, digits.train_labels, digits.validation_index
    )
    assert restored.loss_and_accuracy(truth)[0] == pytest.approx(losses[best], rel=1e-5)


class Spread(keras.layers.Layer):
    """Adds a loss that depends on which images come together."""

    def call(self, inputs):
        self.add_loss(3.0 * keras.ops.max(keras.ops.std(inputs, axis=0)))
        return inputs


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Dense(12, kernel_regularizer=keras.regularizers.L2(1.0)),
        lambda: keras.layers.Dense(12, activity_regularizer=keras.regularizers.L2(1.0)),
        Spread,
        lambda: keras.Sequential([keras.layers.Dense(12, bias_regularizer="l1"), Spread()]),
        lambda: keras.layers.Dense(12),
    ],
    ids=["weights", "activities", "add_loss", "nested", "none"],
)
@pytest.mark.parametrize("batch_size", [50, 5000])
def test_the_validation_loss_is_keras_s_with_all_added_losses(
    digits, layer, batch_size, monkeypatch
):
    # Both forms, one with several batches and one with a single batch.
    monkeypatch.setattr(small, "MAX_WORK", 0 if batch_size == 50 else 1e12)
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.Flatten(), layer(),
         keras.layers.Dense(10, activation="softmax")]
    )  # fmt: skip
    assert len(digits.validation_index) % 50
    history = compiled.train(network, digits, settings(epochs=2, batch_size=batch_size)).history
    network.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images = digits.train_images[digits.validation_index].astype("float32") / digits.info.scale
    labels = digits.train_labels[digits.validation_index]
    expected = network.evaluate(images, labels, batch_size=batch_size, verbose=0)
    assert (history.val_loss[-1], history.val_accuracy[-1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("train", [compiled.train, fit.train])
def test_a_loss_that_is_not_finite_stops_the_run_as_diverged(digits, train):
    options = settings(epochs=5, optimizer="sgd", learning_rate=1e30)
    training = train(plain_network(), digits, options)
    assert training.diverged
    assert "epoch" in training.diverged
    assert len(training.epoch_s) < 5


def test_answers_do_not_depend_on_how_many_images_come_together(digits):
    network = plain_network()
    predictor = Predictor(network, 16.0)
    rows = np.arange(CHUNK + 7, dtype=np.int32)
    together = predictor(digits.train_images, digits.train_labels, rows)
    alone = predictor(digits.train_images, digits.train_labels, rows[-3:])
    np.testing.assert_array_equal(together.probability[-3:], alone.probability)
    np.testing.assert_array_equal(together.loss[-3:], alone.loss)


def test_answers_are_those_of_keras(digits):
    network = plain_network()
    answers = Predictor(network, 16.0)(
        digits.test_images, digits.test_labels, np.arange(360, dtype=np.int32)
    )
    images = digits.test_images.astype("float32") / 16
    probabilities = network.predict(images, verbose=0)
    np.testing.assert_array_equal(answers.predicted, probabilities.argmax(axis=1))
    np.testing.assert_allclose(answers.probability, probabilities.max(axis=1), rtol=1e-5)
    network.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = network.evaluate(images, digits.test_labels, verbose=0)
    assert answers.loss_and_accuracy(digits.test_labels) == pytest.approx(
        (loss, accuracy), rel=1e-5
    )


def test_a_mapped_dataset_is_not_copied(digits):
    tensor = as_tensor(digits.train_images)
    assert tensor.shape == digits.train_images.shape
    address = tensor.__dlpack__()
    assert address is not None
    mapped = np.from_dlpack(tensor)
    assert mapped.ctypes.data == digits.train_images.ctypes.data


@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.3},
        {"optimizer": "sgd", "momentum": 0.9, "schedule": "cosine", "early_stopping__patience": 1},
        {"optimizer": "adamw", "weight_decay": 0.1, "batch_size": 100},
    ],
)
def test_small_networks_of_a_depth_are_traced_once_with_the_bits_they_have_alone(
    monkeypatch, changes
):
    traced = []

    class Counted(EpochProgram):
        def __init__(self, *arguments, **options):
            traced.append(1)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(compiled, "EpochProgram", Counted)
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))

    def trained(seed, **others):
        options = settings(**{"data__name": "digits", "epochs": 3, "layers": 2, "nodes": 6}
                           | changes | others, seed=seed)  # fmt: skip
        target, *arguments = options["model"].values()
        assert target == MLP_TARGET
        runtime.go_on()
        result = run(
            options, prepare(options["data"]), lambda *shape: model.mlp(*shape, *arguments)
        )
        assert result.training.form == "graph"
        return (
            result.network.get_weights(), *result.predictions.values(), result.metrics,
            result.network.to_json(), vars(result.training.history),
        )  # fmt: skip

    def forget():
        compiled._kept.clear()
        runtime._process.has_kept = False

    in_variables = {"nodes": 9}
    if "schedule" not in changes:
        in_variables["learning_rate"] = 0.01
    forget()
    together = [trained(0), trained(0, **in_variables), trained(1), trained(0)]
    assert len(traced) == 1
    trained(0, layers=1)
    trained(0)
    assert len(traced) == 2
    for others, seed, result in (({}, 1, 2), (in_variables, 0, 1), ({}, 0, 0)):
        forget()
        np.testing.assert_equal(trained(seed, **others), together[result])
    np.testing.assert_equal(together[0], together[3])
    assert together[0][-1] != together[2][-1]


def test_the_programs_used_last_of_networks_that_are_not_large_are_kept(digits, monkeypatch):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))
    monkeypatch.setattr(compiled, "_kept", {})
    monkeypatch.setattr(compiled, "_MAX_KEPT", 2)

    def layers_after(layers, nodes=4):
        options = settings(data__name="digits", epochs=1, layers=layers, nodes=nodes)
        network = model.mlp(digits.info.shape, digits.info.classes, layers, nodes)
        compiled.train(network, digits, options)
        return [json.loads(key)[0]["layers"] for key in compiled._kept]

    assert layers_after(1) == [1]
    assert layers_after(2) == [1, 2]
    assert layers_after(1) == [2, 1]
    assert layers_after(3) == [1, 3]
    monkeypatch.setattr(compiled, "_MAX_KEPT_PARAMETERS", 1_000)
    assert layers_after(3, nodes=20) == [1]


def network_of(nodes=4, seed=0, **others):
    options = settings(data__name="digits", epochs=1, nodes=nodes, seed=seed, **others)
    data = prepare(options["data"])
    return run(options, data, lambda *shape: model.mlp(*shape, 1, nodes)).network


@pytest.mark.parametrize("goes_on", [True, False])
def test_programs_stay_prepared_where_one_run_follows_another(monkeypatch, goes_on):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))
    monkeypatch.setattr(runtime, "MAX_SESSION_RUNS", 3)
    monkeypatch.setattr(runtime, "_process", replace(runtime._process, has_kept=False))
    begun = []
    clear = keras.backend.clear_session
    monkeypatch.setattr(keras.backend, "clear_session", lambda: (begun.append(1), clear()))
    count = []
    for seed in range(4):
        if goes_on:
            runtime.go_on()
        network_of(seed=seed)
        count.append(len(begun))
    assert count == ([1, 1, 1, 2] if goes_on else [1, 2, 3, 4])


@pytest.mark.parametrize("between", ["another network", "a large network", "a failed run"])
def test_the_session_begins_anew_after_a_run_that_keeps_no_program(monkeypatch, between):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))
    network_of()
    runtime.go_on()
    if between == "another network":
        options = settings(data__name="digits", epochs=1)
        options["model"] = {"_target_": "my.network"}
        run(options, prepare(options["data"]), lambda *shape: model.mlp(*shape, 1, 4))
    elif between == "a large network":
        monkeypatch.setattr(compiled, "_MAX_KEPT_PARAMETERS", 100)
        network_of()
    else:
        monkeypatch.setattr(compiled, "_run_epochs", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            network_of()
    assert not runtime._process.has_kept


def test_what_other_code_changes_in_keras_between_two_sweeps_does_not_last(monkeypatch):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))
    before = network_of()
    keras.config.set_dtype_policy("bfloat16")
    after = network_of()
    assert after.to_json() == before.to_json()
    np.testing.assert_equal(after.get_weights(), before.get_weights())


def test_fit_trains_as_alone_where_the_next_of_several_networks_has_no_program(monkeypatch):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=True))
    fails = forms.Choice(forms.Form.FIT, "too large for a program")

    def trained(seed, choice=None):
        runtime.go_on()
        monkeypatch.setattr(forms, "choose", lambda *_: choice or fails)
        options = settings(data__name="digits", epochs=2, nodes=4, seed=seed)
        data = prepare(options["data"])
        result = run(options, data, lambda *shape: model.mlp(*shape, 1, 4))
        assert result.training.form == ("graph" if choice else "fit")
        return result.network.get_weights()

    runtime._process.has_kept = False
    alone = trained(1)
    runtime._process.has_kept = False
    trained(0, forms.Choice(forms.Form.GRAPH, "small"))
    np.testing.assert_equal(trained(1), alone)


@pytest.mark.parametrize("other", ["network", "trainer", "caller", "optimizer"])
def test_any_other_network_is_traced_for_each_run(digits, monkeypatch, other):
    monkeypatch.setattr(small, "KEEPS_PROGRAMS", ContextVar("kept", default=other != "caller"))
    compiled._kept.clear()
    options = settings(data__name="digits", epochs=1)
    if other == "network":
        options["model"] = {"_target_": "my.network"}
    if other == "trainer":
        options["trainer"]["name"] = "mine"
    if other == "optimizer":
        options["optimizer"] = "adafactor"
    compiled.train(plain_network(), digits, options)
    assert not compiled._kept
