"""A stored network loaded without executing anything in its file, and checked against its record.

Importing this imports Keras: `runtime.configure` comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras

from mnist_sweep.errors import ModelError
from mnist_sweep.inference.archive import inspect


@dataclass(frozen=True)
class Promise:
    """What a record says about its network.

    Attributes:
        shape: One image's, as (28, 28).
        classes: How many probabilities come out.
        parameters: Weights, trainable or not; None where the record does not tell.
    """

    shape: tuple[int, ...]
    classes: int
    parameters: int | None


def load(path: Path, promise: Promise) -> keras.Model:
    """Load a network in Keras's safe mode.

    Args:
        path: A `.keras` file.
        promise: What the run's record says of it.

    Raises:
        ModelError: The file is missing, damaged, not harmless, or another network's.
    """
    inspect(path)
    try:
        network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file makes any of Keras's parts raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"Keras cannot load the network {path}: {reason[0][:300]}. Was it saved by a newer "
            f"Keras than {keras.__version__}? Else run the point again to make it anew."
        ) from error
    _check(network, path, promise)
    return network


def _check(network: keras.Model, path: Path, promise: Promise) -> None:
    found = (_shape(network.input_shape), _shape(network.output_shape), network.count_params())
    parameters = found[2] if promise.parameters is None else promise.parameters
    expected = (promise.shape, (promise.classes,), parameters)
    if found != expected:
        raise ModelError(
            f"The network {path} is not the one of its record: expected images of shape "
            f"{expected[0]}, an output of {expected[1]} and {expected[2]:,} parameters, found "
            f"{found[0]}, {found[1]} and {found[2]:,}. Were files of two runs mixed?"
        )


def _shape(shape: object) -> object:
    """Without the batch's dimension; a network of several inputs or outputs has no one shape."""
    return tuple(shape[1:]) if isinstance(shape, tuple) else shape
