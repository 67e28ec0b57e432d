"""Predictions for images by a loaded network, in blocks.

Importing this imports Keras: call `runtime.configure` first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.training.predictor import CHUNK, Predictor

# Images between two reports of progress: whole chunks, as the run itself was evaluated.
BLOCK = 4 * CHUNK


@dataclass(frozen=True)
class Predicted:
    """A network's predictions for `n` images."""

    predicted: Bytes  # the most probable class, (n,) uint8
    probability: NDArray[np.float32]  # its probability, (n,) float32
    # Those of all classes, (n, classes) float32; None if not requested.
    probabilities: NDArray[np.float32] | None = None


def predict(
    network: keras.Model,
    images: Bytes,
    scale: float,
    *,
    xla: bool = True,
    logits: bool = False,
    probabilities: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Predicted:
    """Predict images by the program that evaluated the run, so with the same result.

    Args:
        network: Maps float32 images in [0, 1] to class probabilities or logits.
        images: (n, *shape) uint8.
        scale: The raw pixel value that maps to 1.
        logits: Whether the network's outputs are logits.
        xla: Whether the run was trained and evaluated by XLA.
        probabilities: Whether to return those of all classes.
        on_progress: Called with the number of images done.
    """
    predictor = Predictor(network, scale, xla=xla, logits=logits)
    no_labels = np.zeros(len(images), dtype=np.uint8)  # they only affect the loss
    parts, tables = [], []
    for start in range(0, len(images), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(images)), dtype=np.int32)
        if probabilities:
            table = predictor.probabilities(images[rows])
            tables.append(table)
            parts.append((table.argmax(axis=1).astype(np.uint8), table.max(axis=1)))
        else:
            outputs = predictor(images, no_labels, rows)
            parts.append((outputs.predicted.astype(np.uint8), outputs.probability))
        on_progress(int(rows[-1]) + 1)
    predicted, probability = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Predicted(predicted, probability, np.concatenate(tables) if tables else None)
