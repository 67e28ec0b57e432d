"""Copies of a network in which some layers are of another class."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

Replacements = Mapping[keras.layers.Layer, type[keras.layers.Layer]]
"""A layer of a network to the class that replaces it."""


def clone(
    network: keras.Model, new_layer: Callable[[keras.layers.Layer], keras.layers.Layer]
) -> keras.Model | None:
    """The same network with new layers and equal weights; None if Keras cannot clone it.

    Keras cannot clone subclassed models and layers without a usable `get_config` (a `Lambda`, or
    a user's own).

    Args:
        network: A built model; it keeps its own layers.
        new_layer: Builds the counterpart of a layer, inner ones included.
    """
    # ValueError: a subclassed model. NotImplementedError: a layer without `get_config`. TypeError:
    # a configuration that the layer's `from_config` does not take.
    try:
        copy = keras.models.clone_model(network, clone_function=new_layer, recursive=True)
    except (ValueError, NotImplementedError, TypeError):
        return None
    copy.set_weights(network.get_weights())
    return copy


def replace_layers(network: keras.Model, replacements: Replacements) -> keras.Model:
    """The same network with some layers of another class, with equal configurations and weights.

    A network that Keras cannot clone is returned unchanged.

    Args:
        network: A built sequential model.
        replacements: May be empty.
    """
    if not replacements:
        return network

    def new_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return replacements.get(layer, type(layer)).from_config(layer.get_config())

    return clone(network, new_layer) or network
