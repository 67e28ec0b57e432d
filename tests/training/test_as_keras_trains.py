"""Every kind of network is trained as Keras trains it: weights, state, flags and losses."""

import types
from dataclasses import replace

import keras
import numpy as np
import pytest

from mnist_sweep.data import load, prepare
from mnist_sweep.errors import ModelError
from mnist_sweep.training import compiled, fit, forms, model, optimizer, small, train
from mnist_sweep.training.epoch_program import epoch_order
from mnist_sweep.training.forms import Form
from support.training_settings import settings

layers, regularizers = keras.layers, keras.regularizers
BATCH = 130
OPTIONS = settings(epochs=1, batch_size=BATCH, optimizer="sgd", momentum=0.9, learning_rate=0.05)


@pytest.fixture(scope="module")
def digits():
    whole = load(prepare(settings(data__name="digits")["data"]))
    return replace(whole, train_index=whole.train_index[:300])  # three batches, the last is short


def network(*inner):
    return keras.Sequential(
        [keras.Input((8, 8)), layers.Flatten(), *inner, layers.Dense(10, activation="softmax")]
    )


def with_dense(**options):
    return network(layers.Dense(8, activation="relu", **options))


# --- state outside of the configuration -----------------------------------------------------------


class Centred(layers.Layer):
    """Counts its batches, and subtracts a mean that it keeps."""

    def build(self, _shape):
        options = {"shape": (), "initializer": "zeros", "trainable": False}
        self.count = self.add_weight(dtype="int32", name="count", **options)
        self.mean = self.add_weight(name="mean", **options)

    def call(self, inputs, training=False):
        if training:
            self.count.assign_add(1)
            self.mean.assign(0.9 * self.mean + 0.1 * keras.ops.mean(inputs))
        return inputs - self.mean


class Noisy(layers.Layer):
    """Draws from a generator whose state was set by hand."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(7)
        self.generator.state.assign([5, 9])

    def call(self, inputs, training=False):
        shape = keras.ops.shape(inputs)
        return inputs + keras.random.normal(shape, seed=self.generator) if training else inputs


class Flagged(keras.Model):
    """Builds its layers in `build`, and takes flags in `call`."""

    def build(self, shape):
        self.flatten, self.norm = layers.Flatten(), layers.BatchNormalization(momentum=0.5)
        self.top = layers.Dense(10, activation="softmax")
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
        super().build(shape)

    def call(self, images, training=None, mask=None):  # noqa: ARG002  (as Keras passes them)
        return self.top(self.norm(self.flatten(images), training=training) * self.factor)


def discretized():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(np.random.default_rng(0).random((50, 64), np.float32))
    return network(layer, layers.Embedding(4, 3), layers.Flatten())


def with_preset_statistics():
    norm = layers.BatchNormalization(momentum=0.5)
    built = network(layers.Dense(6), norm, layers.Activation("relu"))
    norm.moving_mean.assign(np.full(6, 0.3))
    norm.moving_variance.assign(np.full(6, 4.0))
    return built


def with_frozen_statistics():
    built = with_preset_statistics()
    built.layers[2].trainable = False
    return built


def shared():
    inputs, layer = keras.Input((8, 8)), layers.Dense(8, activation="relu")
    flat = layers.Flatten()(inputs)
    both = layers.Concatenate()([layer(flat), layer(flat * flat)])
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(both))


def set_by_hand():
    built = with_dense()
    built.layers[1].kernel.assign(np.linspace(-0.3, 0.3, 512).reshape(64, 8))
    return built


def frozen_afterwards():
    built = with_dense()
    built.layers[1].trainable = False
    return built


def constrained_afterwards():
    built = with_dense()
    built.layers[1].kernel.constraint = keras.constraints.MaxNorm(0.2)
    return built


def adapted_afterwards():
    built = with_dense()
    built.layers[1].enable_lora(2)
    return built


STATES = [
    discretized, with_preset_statistics, with_frozen_statistics, shared, set_by_hand, Flagged,
    frozen_afterwards, constrained_afterwards, adapted_afterwards,
    lambda: network(Centred(), layers.Dense(8)), lambda: network(Noisy(), layers.Dense(8)),
    lambda: network(layers.SpectralNormalization(layers.Dense(8))),
]  # fmt: skip

# --- losses besides the cross-entropy -------------------------------------------------------------


class InTraining(layers.Layer):
    """Adds a loss while it trains, and none in evaluation."""

    def call(self, inputs, training=False):
        if training:
            self.add_loss(3.0 * keras.ops.mean(inputs**2))
        return inputs


class InEvaluation(layers.Layer):
    def call(self, inputs, training=False):
        if not training:
            self.add_loss(3.0 * keras.ops.mean(inputs**2))
        return inputs


def frozen_with_regularizer():
    built = with_dense(kernel_regularizer="l2")
    built.layers[1].trainable = False
    return built


def nested():
    inner = keras.Sequential([layers.Dense(8, kernel_regularizer="l2", bias_regularizer="l1")])
    return network(keras.Sequential([inner, layers.Dense(6, activity_regularizer="l2")]))


LOSSES = [
    lambda: network(layers.Dense(8), InTraining()), lambda: network(InEvaluation()), nested,
    frozen_with_regularizer, lambda: network(layers.ActivityRegularization(l2=0.1)),
    lambda: network(layers.Dense(8, kernel_regularizer=regularizers.OrthogonalRegularizer(0.1))),
]  # fmt: skip


def trained_by_keras(built, digits):
    """With the same batches, and Keras's loss and accuracy of the validation split."""
    loss = "sparse_categorical_crossentropy"
    built.compile(optimizer.optimizer(OPTIONS, 3), loss, metrics=["accuracy"], run_eagerly=True)
    order = epoch_order(digits.train_index, OPTIONS["seed"], 1)
    for rows in np.split(order, range(BATCH, len(order), BATCH)):
        built.train_on_batch(scaled(digits, rows), digits.train_labels[rows])
    rows = digits.validation_index
    return built.evaluate(scaled(digits, rows), digits.train_labels[rows], BATCH, verbose=0)


def scaled(digits, rows):
    return digits.train_images[rows].astype("float32") / digits.info.scale


@pytest.mark.parametrize(
    ("build", "form"),
    [*((build, "graph") for build in (*STATES, *LOSSES)), (constrained_afterwards, "xla")],
)  # fmt: skip
def test_an_epoch_is_keras_s(digits, build, form, monkeypatch):
    monkeypatch.setattr(small, "MAX_WORK", 1e12 if form == "graph" else 0)
    ours, theirs = (made(build, seed=3) for _ in range(2))
    flags = [one.trainable for one in ours.variables]
    training = compiled.train(ours, digits, OPTIONS)
    loss, accuracy = trained_by_keras(theirs, digits)
    assert training.form == form
    assert [one.trainable for one in ours.variables] == flags
    for mine, keras_s in zip(ours.variables, theirs.variables, strict=False):  # then metrics'
        np.testing.assert_allclose(mine.numpy(), keras_s.numpy(), rtol=1e-4, atol=2e-5)
    assert training.history.val_loss == pytest.approx([loss], rel=1e-5)
    assert training.history.val_accuracy == pytest.approx([accuracy], rel=1e-5)


def made(build, seed):
    keras.utils.set_random_seed(seed)
    return model.checked(build(), "own.build", (8, 8), 10)


@pytest.mark.parametrize("trainer", [compiled.train, fit.train])
def test_early_stopping_follows_the_loss_with_all_that_is_added(digits, trainer):
    # Weights shrink in every epoch, and predictions with them.
    regularizer = regularizers.L2(1.0)
    options = {**OPTIONS, "epochs": 6, "momentum": 0.0, "learning_rate": 0.01}
    options["batch_size"] = 100
    options["early_stopping"] = {**OPTIONS["early_stopping"], "patience": 1}
    built = made(lambda: with_dense(kernel_regularizer=regularizer), seed=3)
    losses = trainer(built, digits, options).history.val_loss
    assert len(losses) == 6
    assert losses == sorted(losses, reverse=True)


# --- classes of the user's own --------------------------------------------------------------------


def own(**methods):
    return type("Own", (Flagged,), methods)


def patched():
    built = Flagged()
    built.train_step = types.MethodType(Flagged.train_step, built)
    return built


def half():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return with_dense()
    finally:
        keras.config.set_dtype_policy(before)


def passed_on(name):
    def method(self, *arguments, **options):
        return getattr(Flagged, name)(self, *arguments, **options)

    return {name: method}


@pytest.mark.parametrize(
    ("build", "reason"),
    [*((own(**passed_on(name)), f"its own {name}") for name in
       ("compile", "fit", "make_train_function", "test_step", "compute_loss")),
     (patched, "its own train_step"),
     (lambda: network(layers.Dense(8, dtype="mixed_float16")), None),
     (half, "scaled loss")],
)  # fmt: skip
def test_what_only_fit_calls_is_trained_by_fit(digits, build, reason):
    built = made(build, seed=0)
    assert model.needs_fit(built) is None if reason is None else reason in model.needs_fit(built)
    assert (forms.choose(built, digits, OPTIONS).form is Form.FIT) == (reason is not None)


def test_a_compiled_network_with_a_schedule_is_said_and_trained_by_the_settings(digits):
    def build():
        built = Flagged()
        schedule = keras.optimizers.schedules.ExponentialDecay(5.0, 1, 0.5)
        built.compile(keras.optimizers.Adam(schedule), keras.losses.Huber())
        return built

    ours = made(build, seed=3)
    (said,) = model.unused_parts(ours)
    assert "optimizer, loss and metrics are not used" in said
    compiled.train(ours, digits, OPTIONS)
    theirs = made(Flagged, seed=3)
    trained_by_keras(theirs, digits)
    np.testing.assert_allclose(ours.top.kernel, theirs.top.kernel, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("trainer", ["compiled", "fit"])
def test_a_subclassed_network_of_logits_trains_as_declared(digits, trainer):
    class Logits(Flagged):
        def build(self, shape):
            super().build(shape)
            self.top.activation = keras.activations.linear

    options = settings(data__name="digits", trainer__name=trainer, outputs="logits", epochs=1)
    result = train.train(options, prepare(options["data"]), lambda *_: Logits())
    logits = result.network(digits.test_images.astype("float32") / digits.info.scale)
    expected = np.max(keras.ops.softmax(logits), axis=1)
    assert np.ptp(keras.ops.sum(logits, axis=1)) > 1
    np.testing.assert_allclose(result.predictions["test_probability"], expected, atol=1e-3)


# --- layers that an earlier run has trained -------------------------------------------------------


@pytest.mark.parametrize("frozen", [True, False])
def test_layers_of_an_earlier_run_are_refused_unless_they_are_frozen(frozen):
    layer = layers.Dense(8, name="shared", trainable=not frozen)
    options = settings(data__name="digits", epochs=1)
    info = prepare(options["data"])
    first = train.train(options, info, lambda *_: network(layer))
    if frozen:
        again = train.train(options, info, lambda *_: network(layer))
        assert again.metrics == first.metrics
        return
    for build in (lambda *_: network(layer), lambda *_: first.network):
        with pytest.raises(ModelError, match="of an earlier run's network again"):
            train.train(options, info, build)


@pytest.mark.parametrize("inner", [layers.Dense, layers.Dropout])
def test_a_layer_inside_of_a_wrapper_and_one_that_draws_numbers_are_refused_too(inner):
    shared = inner(8) if inner is layers.Dense else inner(0.5)

    def build(*_):
        rows = [layers.TimeDistributed(shared), layers.Flatten()]
        return keras.Sequential([keras.Input((8, 8)), *rows, layers.Dense(10, "softmax")])

    options = settings(data__name="digits", epochs=1)
    info = prepare(options["data"])
    train.train(options, info, build)
    with pytest.raises(ModelError, match="of an earlier run's network again"):
        train.train(options, info, build)


def test_an_own_compile_that_does_not_take_what_keras_gives_is_named():
    class Own(keras.Sequential):
        def compile(self, optimizer, rate):  # noqa: ARG002
            raise AssertionError

    options = settings(data__name="digits", epochs=1)
    with pytest.raises(ModelError, match=r"own compile must take .*steps_per_execution"):
        train.train(options, prepare(options["data"]), lambda *_: Own(network().layers))
