"""The built-in networks, and the checks that every network has to pass.

A builder is any function `build(input_shape, classes, **settings) -> keras.Model`, named by
`model._target_`. The network takes float32 images of `input_shape`, scaled to [0, 1], and returns
one probability per class, or one logit with outputs=logits. Users' configurations and run ids name
`mlp` and `cnn` by this module's path: it must not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from mnist_sweep.errors import ModelError

Shape = tuple[int, ...]
_METHODS_OF_FIT = (
    "compile", "compute_loss", "compute_metrics", "fit", "make_test_function",
    "make_train_function", "test_step", "train_step",
)  # fmt: skip
# Marks the layers of a network that a builder has returned.
_SEEN = "_mnist_sweep_seen"


def mlp(
    input_shape: Shape,
    classes: int,
    layers: int,
    nodes: int,
    dropout: float = 0.0,
    activation: str = "relu",
) -> keras.Model:
    """`layers` hidden layers of `nodes` units, each followed by dropout if it is above 0."""
    stack = [keras.Input(input_shape), keras.layers.Flatten()]
    for _ in range(layers):
        stack.append(keras.layers.Dense(nodes, activation=activation))
        if dropout:
            stack.append(keras.layers.Dropout(dropout))
    stack.append(keras.layers.Dense(classes, activation="softmax"))
    return keras.Sequential(stack)  # at once: `add` would build the network again for each layer


def cnn(
    input_shape: Shape,
    classes: int,
    filters: int = 16,
    kernel_size: int = 3,
    nodes: int = 64,
    dropout: float = 0.0,
) -> keras.Model:
    """Two convolutions with pooling and one hidden layer.

    The first has `filters` filters of `kernel_size` pixels each way, the second twice as many;
    `dropout` is the share of the hidden layer's `nodes` units dropped in training, [0, 1).
    """
    channels = input_shape if len(input_shape) == 3 else (*input_shape, 1)
    stack = [keras.Input(input_shape), keras.layers.Reshape(channels)]
    for width in (filters, 2 * filters):
        stack.append(keras.layers.Conv2D(width, kernel_size, padding="same", activation="relu"))
        stack.append(keras.layers.MaxPooling2D())
    stack += [keras.layers.Flatten(), keras.layers.Dense(nodes, activation="relu")]
    if dropout:
        stack.append(keras.layers.Dropout(dropout))
    return keras.Sequential([*stack, keras.layers.Dense(classes, activation="softmax")])


def checked(network: Any, target: str, input_shape: Shape, classes: int) -> keras.Model:
    """The network, built, if it maps images of `input_shape` to one value per class.

    Any Keras model may be given: sequential, functional or subclassed.

    Raises:
        ModelError: It is not; the message names the builder and what it returned.
    """
    if not isinstance(network, keras.Model):
        raise ModelError(
            f"model._target_={target} must return a Keras model; it returned "
            f"{type(network).__module__}.{type(network).__qualname__}."
        )
    try:
        if is_subclassed(network):
            # Only a call builds its layers, and only a call knows the shape of its output.
            outputs = network(np.zeros((1, *input_shape), "float32"), training=False)
            output = (None, *np.shape(outputs)[1:])
        else:
            if not network.built:
                network.build((None, *input_shape))
            output = tuple(network.compute_output_shape((None, *input_shape)))
    except Exception as error:  # a builder's own layers may raise anything
        raise ModelError(
            f"the network of model._target_={target} does not accept images of shape "
            f"{input_shape}, which is what the data has: {error}{_channels_hint(input_shape)}"
        ) from error
    if output != (None, classes):
        raise ModelError(
            f"the network of model._target_={target} gives an output of shape {output[1:]} for "
            f"an image; expected ({classes},), one probability per class."
        )
    for layer in network._flatten_layers():  # noqa: SLF001  (also what layers have inside)
        vars(layer)[_SEEN] = True
    return network


def check_new(network: Any, target: str) -> None:
    """Refuse a network with layers that an earlier network of this process had.

    Hydra's own launchers run several jobs in a process: the weights would carry over.

    Raises:
        ModelError: A layer with trainable weights was in another run's network.
    """
    if not isinstance(network, keras.Model):
        return
    for layer in network._flatten_layers():  # noqa: SLF001
        if _SEEN in vars(layer) and (layer.trainable_variables or hasattr(layer, "seed_generator")):
            raise ModelError(
                f"model._target_={target} returned the layer {layer.name} of an earlier run's "
                "network again, with the weights of that run. Build new layers in every call."
            )


def _channels_hint(input_shape: Shape) -> str:
    if len(input_shape) != 2:
        return ""
    with_channels = (*input_shape, 1)
    return f"\nA convolution needs channels: begin with keras.layers.Reshape({with_channels})."


def is_subclassed(network: keras.Model) -> bool:
    """Whether a network is Python code in a class of the user's, and no graph of layers."""
    return not isinstance(network, keras.Sequential) and getattr(network, "inputs", None) is None


def all_layers(layer: Any) -> Iterator[keras.layers.Layer]:
    """A network or layer and the layers inside of it, itself first."""
    yield layer
    for inner in getattr(layer, "layers", ()):
        yield from all_layers(inner)


def unused_parts(network: keras.Model) -> list[str]:
    """What a network, as its builder returned it, says about its training that no trainer follows.

    As sentences, for the log.
    """
    said = (
        "the builder compiled its network: that optimizer, loss and metrics are not used. Set "
        "optimizer, learning_rate and schedule; the loss is the cross-entropy"
    )
    return [said] if network.compiled else []


def needs_fit(network: keras.Model) -> str | None:
    """Why only Keras's `fit` trains a network as it wants to be; None where others do."""
    own = [
        name
        for name in _METHODS_OF_FIT
        if name in vars(network) or getattr(type(network), name) is not getattr(keras.Model, name)
    ]
    if own:
        return f"the network has its own {' and '.join(own)}"
    if network.dtype_policy.name == "mixed_float16":
        return "float16 needs the scaled loss of Keras's fit"
    return None


def check_probabilities(network: keras.Model, target: str, input_shape: Shape) -> None:
    """Refuse a network whose outputs for an image are not probabilities.

    Raises:
        ModelError: The outputs are negative or do not sum to 1.
    """
    gray = np.full((2, *input_shape), 0.5, "float32")
    output = np.asarray(network(gray, training=False))
    if not np.allclose(output.sum(axis=1), 1, atol=1e-3) or output.min() < 0:
        raise ModelError(
            f"the network of model._target_={target} must end in a softmax: its outputs for one "
            f"image sum to {output[0].sum():.4g}, not to 1. If they are logits, set "
            "outputs=logits, or add keras.layers.Softmax() at the end."
        )
