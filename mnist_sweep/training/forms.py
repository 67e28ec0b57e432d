"""How `trainer=compiled` computes the epochs of a run: as one XLA program, one graph, or by `fit`.

The form depends on the network, the settings, the data's size and the kind of device, never on
timings, free memory or what is compiled already, so that a point has the same bits everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from mnist_sweep.data import Dataset
from mnist_sweep.training import runtime, small
from mnist_sweep.training.model import needs_fit

# TensorFlow's operations that take several times as long, or their gradients, in XLA on a CPU.
_SLOW_IN_XLA = {
    "AvgPool", "AvgPool3D", "Conv2D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2",
    "DepthwiseConv2dNative", "ImageProjectiveTransformV3", "MaxPool", "MaxPool3D",
    "StatelessRandomNormalV2", "StatelessTruncatedNormalV2",
}  # fmt: skip


class Form(StrEnum):
    """How epochs are computed; where one cannot, the next does."""

    XLA = "xla"
    GRAPH = "graph"
    FIT = "fit"

    @property
    def next(self) -> Form:
        """The form to try if a network has no program in this one."""
        return Form.GRAPH if self is Form.XLA else Form.FIT


# What says nothing of a network: in another form it would have other bits under the same id.
OUT_OF_RESOURCES = (
    MemoryError, tf.errors.ResourceExhaustedError, tf.errors.UnavailableError
)  # fmt: skip


class Choice(NamedTuple):
    """A form, and why."""

    form: Form
    reason: str


class FormError(Exception):
    """A network has no program in some form; its message says why."""


def choose(network: keras.Model, dataset: Dataset, settings: Mapping[str, Any]) -> Choice:
    """The form for a built network that is trained on a dataset with a run's settings."""
    if reason := needs_fit(network):
        return Choice(Form.FIT, reason)
    n = len(dataset.train_index)
    steps, parameters = small.steps_of(settings, n), network.count_params()
    if small.is_small(parameters, steps):
        return Choice(
            Form.GRAPH, f"compiling would take longer than {steps} steps of {parameters} parameters"
        )
    shape = (min(settings["batch_size"], n), *dataset.train_images.shape[1:])
    try:
        slow = _SLOW_IN_XLA & set(_operations(network, shape))
    except OUT_OF_RESOURCES:
        raise
    except Exception as error:  # noqa: BLE001  (layers of the user's own may raise anything)
        return Choice(Form.FIT, no_program(error))
    if slow and runtime.device() == "CPU":
        return Choice(Form.GRAPH, f"slow in XLA on a CPU: {', '.join(sorted(slow))}")
    return Choice(Form.XLA, "all operations of the network are fast in XLA")


def no_program(error: Exception) -> str:
    """Why a network cannot be traced or compiled, in one line."""
    # Keras says in the first line where, and in the next what, some of it in bold.
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"no program: {' '.join(lines[:2]) or type(error).__name__}"[:300]


def _operations(network: keras.Model, shape: tuple[int, ...]) -> Iterator[str]:
    """The types of the operations that a network consists of in training."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def forward(images: tf.Tensor) -> tf.Tensor:
        return network(images, training=True)

    graph = forward.get_concrete_function(tf.TensorSpec(shape, tf.float32)).graph.as_graph_def()
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        yield from (node.op for node in nodes)
