"""Adam in one loop over memory: Keras's own results, and really one loop."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from mnist_sweep.training import runtime
from mnist_sweep.training.fast import fused_adam

SHAPE = (37, 53)

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "adam with its own betas": lambda: keras.optimizers.Adam(0.1, beta_1=0.5, beta_2=0.9),
    "adam with a large epsilon": lambda: keras.optimizers.Adam(0.01, epsilon=0.1),
    "adam with a schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.05, 40)
    ),
    "adam with weight decay": lambda: keras.optimizers.Adam(0.01, weight_decay=0.02),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "adam with clipping": lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.5),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    runtime.configure(1)


def gradients(steps=50, seed=0):
    """Of many sizes, as gradients are; a tenth of them nothing at all."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        size = 10.0 ** rng.uniform(-9, 1, SHAPE)
        yield (rng.normal(size=SHAPE) * size * (rng.random(SHAPE) > 0.1)).astype("float32")


def after_steps(update):
    variable = keras.Variable(np.random.default_rng(1).normal(size=SHAPE), dtype="float32")
    update.build([variable])
    step = tf.function(lambda gradient: update.apply([gradient], [variable]), autograph=False)
    for gradient in gradients():
        step(tf.constant(gradient))
    return [variable, *update.variables]


@pytest.mark.parametrize("xla", [True, False])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_weights_and_moments_after_fifty_steps_are_keras_s(make, xla):
    twin = fused_adam.for_training(make(), xla=xla)
    assert type(twin) is not type(make())
    ours, theirs = after_steps(twin), after_steps(make())
    # TensorFlow's kernel computes 1 - beta_2 in float32: 1.3e-5 off where beta_2 is 0.999.
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if xla else {"rtol": 5e-5, "atol": 5e-6}
    for mine, keras_value in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras_value.numpy(), **tolerance)


@pytest.mark.parametrize("name", ["nadam", "sgd", "rmsprop", "lion"])
def test_an_optimizer_of_another_kind_stays_as_it_is(name):
    update = keras.optimizers.get(name)
    assert fused_adam.for_training(update) is update


def test_a_third_moment_stays_as_it_is():
    update = keras.optimizers.Adam(amsgrad=True)
    assert fused_adam.for_training(update) is update


def test_settings_are_carried_over():
    update = keras.optimizers.AdamW(0.02, weight_decay=0.3, beta_1=0.8, clipnorm=2.0)
    ours, theirs = fused_adam.for_training(update).get_config(), update.get_config()
    del ours["name"], theirs["name"]
    assert ours == theirs


def test_without_xla_one_kernel_updates_a_variable():
    variables = [keras.Variable(np.zeros(SHAPE), dtype="float32") for _ in range(3)]
    update = fused_adam.for_training(keras.optimizers.Adam(), xla=False)
    update.build(variables)
    step = tf.function(lambda x: update.apply([x, x, x], variables), autograph=False)
    operations = step.get_concrete_function(tf.ones(SHAPE)).graph.get_operations()
    assert [op.type for op in operations].count("ResourceApplyAdam") == 3


def loops_that_write(update, shape=SHAPE):
    """How many loops of the compiled step write an array of the variable's shape, and how many."""
    variable = keras.Variable(np.zeros(shape), dtype="float32")
    update.build([variable])

    @tf.function(jit_compile=True, autograph=False)
    def step(x, y):
        update.apply([tf.matmul(x, y, transpose_a=True)], [variable])

    shapes = [tf.ones((32, size)) for size in shape]
    text = step.experimental_get_compiler_ir(*shapes)(stage="optimized_hlo")
    array = re.escape(f"f32[{shape[0]},{shape[1]}]")
    results = re.findall(r"= (\([^=]*?\)|\S+) fusion\(", text)
    return sorted(len(re.findall(array, result)) for result in results if re.search(array, result))


def test_one_loop_writes_both_moments_and_the_weights():
    assert loops_that_write(fused_adam.for_training(keras.optimizers.Adam())) == [3]


def test_keras_s_own_step_needs_more_than_one_loop():
    # If this fails, the compiler fuses the loops itself and `fused_adam` can go.
    assert len(loops_that_write(keras.optimizers.Adam())) > 1


def test_the_sparse_gradient_of_an_embedding_is_keras_s_own_affair():
    results = []
    for update in (
        keras.optimizers.Adam(0.1),
        *(fused_adam.for_training(keras.optimizers.Adam(0.1), xla=xla) for xla in (True, False)),
    ):
        table = keras.Variable(np.ones((6, 3)), dtype="float32")
        update.build([table])
        for _ in range(3):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.gather(table.value, [1, 4]) ** 2)
            gradient = tape.gradient(loss, table.value)
            assert isinstance(gradient, tf.IndexedSlices)
            update.apply([gradient], [table])
        results.append(table.numpy())
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
