"""Layers of a network that compute differently while it trains.

A layer changes its class for that time and nothing else. A copy of the network by its
configuration would lose all that is outside of it: the statistics of an adapted `Normalization`, a
variable frozen by hand, a variable's regularizer, attributes set after construction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import keras

Replacements = Mapping[keras.layers.Layer, type[keras.layers.Layer]]
"""A layer of a network to a subclass of its class."""


def replace(replacements: Replacements) -> None:
    """Give layers another class; weights, flags, losses and attributes remain as they are."""
    for layer, new_class in replacements.items():
        layer.__class__ = new_class


@contextmanager
def replaced(replacements: Replacements) -> Iterator[None]:
    """Within the block, layers have another class."""
    own = {layer: type(layer) for layer in replacements}
    replace(replacements)
    try:
        yield
    finally:
        replace(own)
