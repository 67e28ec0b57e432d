"""Fourteen networks: seconds an epoch under `trainer=compiled` and under Keras's `fit`.

Run by hand from the project's root:

    MNIST_SWEEP_DATA=… python tests/benchmarks/networks.py [--images 6400] [--epochs 3] [--rounds 3]

Every measurement is a process of its own, in turn (compiled, fit, compiled, …), on one thread, in
seconds of processor time, which a busy machine changes less than the clock. The first epoch of each
process is left out; a figure is the median of the rounds, scaled to MNIST's 54,000 images, and a
ratio the median of the pairs' ratios. PyTorch is not compared.
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
from typing import Any

MNIST_IMAGES = 54_000


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


def one(trainer: str, name: str, images: int, epochs: int) -> tuple[list[float], str]:
    """Processor seconds of all epochs but the first, for 54,000 images, and the form."""
    from mnist_sweep import settings as schema
    from mnist_sweep.data import load, prepare
    from mnist_sweep.training import runtime

    runtime.configure(1)
    import keras

    from mnist_sweep.training import forms, trainers

    forms._MAX_SMALL_WORK = 0  # the form of a whole run
    settings = schema.defaults() | {"epochs": epochs}
    dataset = load(prepare({**settings["data"], "name": "mnist"}))
    few = {key: getattr(dataset, key)[:n] for key, n in
           (("train_index", images), ("validation_index", images // 9))}  # fmt: skip
    keras.utils.set_random_seed(0)
    ends: list[float] = []
    training = trainers.trainer(trainer)(
        networks()[name](), replace(dataset, **few), settings,
        lambda *_: ends.append(time.process_time()),
    )  # fmt: skip
    scale = MNIST_IMAGES / images
    return [(b - a) * scale for a, b in itertools.pairwise(ends)], str(training.form)


def measure(trainer: str, name: str, options: argparse.Namespace) -> tuple[float, str]:
    """The median epoch of a process of its own, and the form."""
    answer = subprocess.run(
        [sys.executable, __file__, "--one", trainer, name, "--images", str(options.images),
         "--epochs", str(options.epochs)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds, form = json.loads(answer.stdout.splitlines()[-1])
    return statistics.median(seconds), form


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
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one, options.images, options.epochs)))
        return
    print("| network | form | compiled [s] | fit [s] | fit / compiled |\n|---|---|---|---|---|")
    for name in options.only or names():
        pairs, form = [], ""
        for _ in range(options.rounds):
            ours, form = measure("compiled", name, options)
            pairs.append((ours, measure("fit", name, options)[0]))
        compiled, fit = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(theirs / ours for ours, theirs in pairs)
        print(f"| {name} | {form} | {compiled:.2f} | {fit:.2f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
