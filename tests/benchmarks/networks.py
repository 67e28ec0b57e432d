"""Fourteen networks: seconds an epoch under `trainer=compiled`, Keras's `fit` and PyTorch.

Run by hand from the project's root; PyTorch is compared where it is installed:

    MNIST_SWEEP_DATA=… taskset -c 0 python tests/benchmarks/networks.py [--images 6400] [--epochs 3]

Every measurement is a process of its own, in turn (compiled, fit, PyTorch, compiled, …). Times are
processor time, which a busy machine changes less than the clock, and wall time in brackets. The
first epoch of each process is left out; a figure is the median of the rounds, scaled to MNIST's
54,000 images, and a ratio the median of the rounds' ratios of processor time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import util
from typing import Any

MNIST_IMAGES = 54_000
WAYS = ("compiled", "fit", "PyTorch")
Times = tuple[float, float]
"""Processor time and wall time, seconds."""


def networks() -> dict[str, Callable[[], Any]]:
    """Builders by name; imports Keras."""
    import keras

    from mnist_sweep.training import model

    layers, shape = keras.layers, (28, 28)

    def stack(*inner: Any) -> Any:
        top = layers.Dense(10, activation="softmax")
        return keras.Sequential([keras.Input(shape), *inner, top])

    def image() -> Any:
        return layers.Reshape((28, 28, 1))

    def conv(filters: int, size: int = 3, **options: Any) -> Any:
        return layers.Conv2D(filters, size, activation="relu", **options)

    def resnet() -> Any:
        inputs = keras.Input(shape)
        x = conv(16, padding="same")(image()(inputs))
        for filters, strides in ((16, 1), (32, 2)):
            y = layers.Conv2D(filters, 3, strides, padding="same")(x)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
            y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(y))
            x = layers.Conv2D(filters, 1, strides)(x) if strides > 1 else x
            x = layers.Activation("relu")(layers.Add()([x, y]))
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))

    def attention() -> Any:
        inputs = keras.Input(shape)
        x = layers.Dense(32)(inputs)
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, x))
        x = layers.GlobalAveragePooling1D()(layers.Dense(64, activation="relu")(x))
        return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))

    return {
        "1 x 100": lambda: model.mlp(shape, 10, 1, 100),
        "2 x 300": lambda: model.mlp(shape, 10, 2, 300),
        "2 x 300, dropout 0.2": lambda: model.mlp(shape, 10, 2, 300, 0.2),
        "1 x 800": lambda: model.mlp(shape, 10, 1, 800),
        "LeNet-5": lambda: stack(
            image(), conv(6, 5, padding="same"), layers.AveragePooling2D(2), conv(16, 5),
            layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
        ),
        "model=cnn": lambda: model.cnn(shape, 10),
        "Keras's mnist_convnet": lambda: stack(
            image(), conv(32), layers.MaxPooling2D(), conv(64), layers.MaxPooling2D(),
            layers.Flatten(), layers.Dropout(0.5),
        ),
        "2 convolutions, global pooling": lambda: stack(
            image(), conv(16), conv(32, strides=2), layers.GlobalAveragePooling2D()
        ),
        "separable convolutions": lambda: stack(
            image(), conv(16), layers.SeparableConv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(), layers.Flatten(),
        ),
        "ResNet-like, BatchNorm": resnet,
        "LSTM over rows": lambda: stack(layers.LSTM(64)),
        "GRU over rows": lambda: stack(layers.GRU(64)),
        "attention over rows": attention,
        "augmentation, convolutions": lambda: stack(
            image(), layers.RandomTranslation(0.1, 0.1), layers.RandomRotation(0.05), conv(16),
            layers.MaxPooling2D(), conv(32), layers.MaxPooling2D(), layers.Flatten(),
        ),
    }  # fmt: skip


def epochs_of(way: str, name: str, options: argparse.Namespace) -> tuple[list[Times], str, int]:
    """The times at the end of each epoch, the form, and the number of the network's weights."""
    from mnist_sweep import settings as schema
    from mnist_sweep.data import load, prepare

    images, threads = options.images, options.threads
    settings = schema.defaults() | {"epochs": options.epochs}
    dataset = load(prepare({**settings["data"], "name": "mnist"}))
    few = {key: getattr(dataset, key)[:n] for key, n in
           (("train_index", images), ("validation_index", images // 9))}  # fmt: skip
    if way == "PyTorch":
        import torch_networks

        ends, weights = torch_networks.train(
            name, dataset.train_images, dataset.train_labels, few["train_index"],
            few["validation_index"], options.epochs, threads,
        )  # fmt: skip
        return ends, "", weights
    from mnist_sweep.training import runtime

    runtime.configure(threads)
    import keras

    from mnist_sweep.training import small, train

    small.MAX_WORK = 0  # the form of a whole run
    keras.utils.set_random_seed(0)
    network, ends = networks()[name](), []
    training = train.trainer(way)(
        network, replace(dataset, **few), settings,
        lambda *_: ends.append((time.process_time(), time.perf_counter())),
    )  # fmt: skip
    return ends, str(training.form), network.count_params()


def measure(way: str, name: str, options: argparse.Namespace) -> tuple[Times, str]:
    """The median epoch of a process of its own, for 54,000 images, and the form."""
    answer = subprocess.run(
        [sys.executable, __file__, "--one", way, name, "--images", str(options.images),
         "--epochs", str(options.epochs), "--threads", str(options.threads)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ends, form, _ = json.loads(answer.stdout.splitlines()[-1])
    scale = MNIST_IMAGES / options.images
    cpu, wall = (
        scale * statistics.median(b - a for a, b in itertools.pairwise(clock))
        for clock in zip(*ends, strict=True)
    )
    return (cpu, wall), form


def names() -> list[str]:
    """The networks, asked of a process of its own: this one imports no Keras."""
    code = "import networks, json; print(json.dumps(list(networks.networks())))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=__file__.rpartition("/")[0],
    )  # fmt: skip
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure all in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--ways", nargs="*", default=WAYS)
    for name, default in {"images": 6400, "epochs": 3, "rounds": 3, "threads": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(epochs_of(*options.one, options)))
        return
    ways = [way for way in options.ways if way != "PyTorch" or util.find_spec("torch")]
    columns = [f"{way} [s]" for way in ways] + [f"{way} / {ways[0]}" for way in ways[1:]]
    print(f"| network | form | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for name in options.only or names():
        rounds = [[measure(way, name, options) for way in ways] for _ in range(options.rounds)]
        cells = [name, rounds[0][0][1]]
        for place in range(len(ways)):
            cpu, wall = (statistics.median(r[place][0][i] for r in rounds) for i in range(2))
            cells.append(f"{cpu:.2f} ({wall:.2f})")
        for place in range(1, len(ways)):
            ratio = statistics.median(r[place][0][0] / r[0][0][0] for r in rounds)
            cells.append(f"{ratio:.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
