"""Digits of images by a loaded network, batch by batch.

Importing this imports Keras: `runtime.configure` comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.training.predictor import CHUNK, Predictor

BLOCK = 4 * CHUNK
"""Images between two reports of progress: whole chunks, as the answers of a run were computed."""


@dataclass(frozen=True)
class Digits:
    """What a network says about `n` images.

    Attributes:
        predicted: The most probable class, (n,) uint8.
        probability: Its probability, (n,) float32.
        probabilities: Of every class, (n, classes) float32; None unless asked for.
    """

    predicted: Bytes
    probability: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None = None


def predict(
    network: keras.Model,
    images: Bytes,
    scale: float,
    *,
    probabilities: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Digits:
    """Predict images by the same program that evaluated the run, so with the same result.

    Args:
        network: Maps float32 images in [0, 1] to class probabilities.
        images: (n, *shape) uint8.
        scale: The raw pixel value that stands for 1.
        probabilities: Whether to keep those of all classes.
        on_progress: Called with how many images are done.
    """
    predictor = Predictor(network, scale)
    of_all = _AllProbabilities(network, scale) if probabilities else None
    nothing = np.zeros(len(images), dtype=np.uint8)  # labels, of which only the loss is made
    parts, tables = [], []
    for start in range(0, len(images), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(images)), dtype=np.int32)
        answers = predictor(images, nothing, rows)
        parts.append((answers.predicted.astype(np.uint8), answers.probability))
        if of_all:
            tables.append(of_all(images[rows]))
        on_progress(int(rows[-1]) + 1)
    predicted, probability = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Digits(predicted, probability, np.concatenate(tables) if tables else None)


class _AllProbabilities:
    """The same forward pass with all probabilities as its result, (n, classes) float32."""

    def __init__(self, network: keras.Model, scale: float) -> None:
        factor = 1.0 / scale

        def forward(images: tf.Tensor) -> tf.Tensor:
            return network(tf.cast(images, tf.float32) * factor, training=False)

        self._program = tf.function(forward, autograph=False, jit_compile=True)

    def __call__(self, images: Bytes) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            full = chunk[np.resize(np.arange(len(chunk)), CHUNK)]
            parts.append(self._program(tf.constant(full)).numpy()[: len(chunk)])
        return np.concatenate(parts)
