"""Predictions of a network, computed by one program over batches of a fixed size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from mnist_sweep.training.fast.program import Program
from mnist_sweep.training.forms import OUT_OF_RESOURCES

# Images per call. Fixed, so that an image's probabilities never depend on the other images.
CHUNK = 500


@dataclass(frozen=True)
class Outputs:
    """What a network computes for `n` images.

    Attributes:
        loss: Cross-entropy of each image, (n,) float32.
        predicted: The most probable class, (n,) int32.
        probability: Its probability, (n,) float32.
    """

    loss: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray

    def loss_and_accuracy(self, labels: np.ndarray) -> tuple[float, float]:
        """Mean loss, and accuracy against the true classes, (n,)."""
        return float(self.loss.mean(dtype=np.float64)), float(np.mean(self.predicted == labels))


class Predictor:
    """Forward pass of a network over rows of an image array, compiled if possible.

    Args:
        network: Maps float32 images in [0, 1] to class probabilities or logits.
        scale: Raw pixel value that maps to 1.
        xla: Whether XLA compiles it.
        logits: Whether the network's outputs are logits.
    """

    def __init__(
        self, network: keras.Model, scale: float, *, xla: bool = True, logits: bool = False
    ) -> None:
        self.network = network
        self._factor = 1.0 / scale
        self.logits = logits
        self._xla = xla
        self._added: Program | None = None
        self._evaluate = _FirstThatRuns(self._forward, xla=xla)
        self._of_all = _FirstThatRuns(self._probabilities, xla=xla)

    def _outputs(self, images: tf.Tensor) -> tf.Tensor:
        return self.network(tf.cast(images, tf.float32) * self._factor, training=False)

    def _probabilities(self, images: tf.Tensor) -> tf.Tensor:
        outputs = self._outputs(images)
        return tf.nn.softmax(outputs) if self.logits else outputs

    def _forward(
        self, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        outputs = self._outputs(images)
        loss = keras.losses.sparse_categorical_crossentropy(
            labels, outputs, from_logits=self.logits
        )
        probabilities = tf.nn.softmax(outputs) if self.logits else outputs
        predicted = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        return loss, predicted, tf.reduce_max(probabilities, axis=-1)

    def __call__(self, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Outputs:
        """Outputs for some rows of the images.

        Args:
            images: (m, *image_shape) uint8; may be memory-mapped, only the rows are read.
            labels: (m,) uint8.
            rows: (n,) int32 indices into both.
        """
        if not len(rows):
            return Outputs(np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.float32))
        return Outputs(*_in_chunks(
            rows,
            lambda full: self._evaluate(
                tf.constant(images[full]), tf.constant(labels[full].astype(np.int32))
            ),
        ))  # fmt: skip

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Those of all classes, (n, classes) float32, of (n, *image_shape) uint8 images."""
        rows = np.arange(len(images))
        return _in_chunks(rows, lambda full: (self._of_all(tf.constant(images[full])),))[0]

    def added_loss(self, images: np.ndarray, rows: np.ndarray, batch_size: int) -> float:
        """Losses besides the cross-entropy, averaged over the examples, once it has predicted.

        Those of regularizers of weights and activities, and of `add_loss`: Keras adds them to the
        validation loss, batch by batch.
        """
        if not self.network.losses:
            return 0.0
        self._added = self._added or Program(self._added_losses, xla=self._xla)
        total = 0.0
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            total += len(batch) * float(self._added(tf.constant(images[batch])))
        return total / len(rows)

    def _added_losses(self, images: tf.Tensor) -> tf.Tensor:
        self._outputs(images)
        return tf.add_n(self.network.losses)


def _in_chunks(
    rows: np.ndarray, run: Callable[[np.ndarray], tuple[tf.Tensor, ...]]
) -> list[np.ndarray]:
    """What `run` returns for all rows, each time for `CHUNK` of them."""
    parts = []
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        # Filled up with repetitions: one program serves every split, whatever its length.
        outputs = run(np.resize(chunk, CHUNK))
        parts.append([part.numpy()[: len(chunk)] for part in outputs])
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


class _FirstThatRuns:
    """A function of tensors by XLA, as a graph or as Python code, whichever runs first.

    Some layers have no XLA kernel, others run as Python code only.
    """

    def __init__(self, function: Callable[..., Any], *, xla: bool) -> None:
        programs = (Program(function, xla=xla), Program(function, xla=False))
        self._programs: list[Callable[..., Any]] = [*programs, function]

    def __call__(self, *arguments: tf.Tensor) -> Any:
        while True:
            try:
                return self._programs[0](*arguments)
            except OUT_OF_RESOURCES:
                raise
            except Exception:  # layers of the user's own may raise anything
                if len(self._programs) == 1:
                    raise
                del self._programs[0]
