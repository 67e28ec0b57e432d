"""Seconds an epoch: the compiled trainer, Keras's fit, and the bare matrix products.

Run by hand on a quiet machine, from the project's root:

    MNIST_SWEEP_DATA=… python tests/benchmarks/trainer.py [--epochs 5] [--rounds 3]

Every measurement is a process of its own, in turn (A B C A B C …), so that a change of the
machine's speed meets all alike; medians over all epochs but each process's first are compared.

- compiled: `trainer=compiled` on one thread.
- fit: `trainer=fit` as anyone runs it, on all cores.
- products: the matrix products of the same epoch in float32 on one thread, nothing else, by the
  faster of NumPy's BLAS and one compiled loop.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

NETWORKS = {"1x100": (1, 100), "2x300": (2, 300)}
BATCH = 32


def trained(trainer: str, layers: int, nodes: int, dropout: float, epochs: int) -> list[float]:
    """Seconds of each epoch of a training."""
    from mnist_sweep import settings as schema
    from mnist_sweep.data import prepare
    from mnist_sweep.training import model, train

    settings = schema.defaults()
    settings["model"] = {"_target_": schema.MLP_TARGET}
    settings["trainer"]["name"] = trainer
    settings |= {"epochs": epochs, "batch_size": BATCH}
    settings["threads"] = 1 if trainer == "compiled" else os.cpu_count()
    result = train.train(
        settings,
        prepare(settings["data"]),
        lambda shape, classes: model.mlp(shape, classes, layers, nodes, dropout),
    )
    return result.training.epoch_s


def products(  # noqa: C901 (two ways to compute one thing, side by side)
    layers: int, nodes: int, epochs: int
) -> list[float]:
    """Seconds of each epoch's worth of bare products, 54,000 examples in batches of 32."""
    from mnist_sweep.training import runtime

    runtime.configure(1)
    import numpy as np
    import tensorflow as tf
    from threadpoolctl import threadpool_limits

    widths = [784, *[nodes] * layers, 10]
    steps = 54_000 // BATCH
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=s).astype("float32") for s in itertools.pairwise(widths)]
    values = [rng.normal(size=(BATCH, width)).astype("float32") for width in widths]

    def numpy_epoch() -> None:
        for _ in range(steps):
            for i, weight in enumerate(weights):
                np.dot(values[i], weight)
                np.dot(values[i].T, values[i + 1])
                if i:
                    np.dot(values[i + 1], weight.T)

    x = [tf.constant(value) for value in values]
    w = [tf.constant(weight) for weight in weights]

    # Every product's operands change with the step and every result is kept: nothing can be
    # left out or moved out of the loop.
    @tf.function(jit_compile=True, autograph=False)
    def compiled_epoch(count: tf.Tensor) -> list[tf.Tensor]:
        def body(step: tf.Tensor, *_: tf.Tensor) -> list[tf.Tensor]:
            moved = [value + tf.cast(step, tf.float32) for value in x]
            found = []
            for i, weight in enumerate(w):
                found.append(tf.matmul(moved[i], weight))
                found.append(tf.matmul(moved[i], moved[i + 1], transpose_a=True))
                if i:
                    found.append(tf.matmul(moved[i + 1], weight, transpose_b=True))
            return [step + 1, *found]

        start = [tf.constant(0), *[tf.zeros_like(part) for part in body(tf.constant(0))[1:]]]
        return tf.while_loop(lambda step, *_: step < count, body, start)

    def xla_epoch() -> None:
        [part.numpy() for part in compiled_epoch(tf.constant(steps))]

    xla_epoch()
    seconds = []
    with threadpool_limits(1):
        for _ in range(epochs):
            rounds = []
            for epoch in (numpy_epoch, xla_epoch):
                started = time.perf_counter()
                epoch()
                rounds.append(time.perf_counter() - started)
            seconds.append(min(rounds))
    return seconds


def measure(kind: str, network: str, epochs: int) -> list[float]:
    """One measurement in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--one", kind, network, "--epochs", str(epochs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(answer.stdout.splitlines()[-1])


def one(kind: str, network: str, epochs: int) -> list[float]:
    """What a process of its own measures."""
    layers, nodes = NETWORKS[network]
    if kind == "products":
        return products(layers, nodes, epochs)
    dropout = 0.2 if kind == "dropout" else 0.0
    return trained("fit" if kind == "fit" else "compiled", layers, nodes, dropout, epochs)


def main() -> None:
    """Measure all in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one, options.epochs)))
        return
    for network in NETWORKS:
        kinds = ["compiled", "fit", "products"] + (["dropout"] if network == "2x300" else [])
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(options.rounds):
            for kind in kinds:
                seconds[kind] += measure(kind, network, options.epochs)[1:]
        median = {kind: statistics.median(values) for kind, values in seconds.items()}
        print(network, {kind: f"{value:.3f} s" for kind, value in median.items()})
        print(f"  fit / compiled          {median['fit'] / median['compiled']:.2f}")
        print(f"  compiled / products     {median['compiled'] / median['products']:.2f}")
        if "dropout" in median:
            print(f"  dropout 0.2 / without   {median['dropout'] / median['compiled']:.2f}")


if __name__ == "__main__":
    main()
