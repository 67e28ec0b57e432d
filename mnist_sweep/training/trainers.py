"""Trainers by name: `trainer=NAME` selects one.

A trainer is a function `train(network, dataset, settings, on_epoch) -> Training`, as
`compiled.train`, whose docstring says what it has to do. To add one, write a module with such a
function and name it in `_BUILT_IN` and in the choices of the setting, or declare the function in
another package as an entry point of the group `mnist_sweep.trainers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from mnist_sweep.data import Dataset
from mnist_sweep.errors import SettingsError
from mnist_sweep.plugins import plugins
from mnist_sweep.training.progress import OnEpoch, Training

Trainer = Callable[[Any, Dataset, Mapping[str, Any], OnEpoch], Training]
"""Trains a built Keras model in place: (network, dataset, settings, on_epoch) to its history."""

# Names, not functions: these modules import Keras, which has to wait for `runtime.configure`. A
# trainer of another package imports Keras inside its function for the same reason.
_BUILT_IN = {
    "compiled": "mnist_sweep.training.compiled",
    "fit": "mnist_sweep.training.fit",
}


def trainer(name: str) -> Trainer:
    """The trainer of that name. Imports Keras: call `runtime.configure` first.

    Raises:
        SettingsError: There is none.
    """
    if name in _BUILT_IN:
        found: Trainer = import_module(_BUILT_IN[name]).train
        return found
    added: dict[str, Trainer] = plugins("trainers")
    if name not in added:
        raise SettingsError(
            f"trainer={name} is unknown: expected one of {', '.join([*_BUILT_IN, *added])}."
        )
    return added[name]
