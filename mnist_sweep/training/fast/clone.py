"""A copy of a network in which some layers are of another kind."""

from __future__ import annotations

from collections.abc import Callable

import keras


def clone(
    network: keras.Model, of_layer: Callable[[keras.layers.Layer], keras.layers.Layer]
) -> keras.Model | None:
    """The same network with layers made anew and equal weights; None where Keras cannot clone it.

    It cannot clone subclassed models, and layers that do not tell their own settings: a `Lambda`,
    or a user's own without `get_config`.

    Args:
        network: A built model; it keeps its own layers.
        of_layer: Makes the counterpart of a layer, inner ones included.
    """
    try:
        copy = keras.models.clone_model(network, clone_function=of_layer, recursive=True)
    except (ValueError, NotImplementedError, TypeError):
        return None
    copy.set_weights(network.get_weights())
    return copy
