"""Which runs are so small that compiling their network, or starting a process, is most of them.

Does not import Keras: a sweep asks before it starts a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from mnist_sweep.settings import MLP_TARGET

# Whether a small network is trained by a program for networks of any width, which is kept for the
# process's next run and rounds differently from one for its own width. `execute` sets it, for every
# run of a sweep: there the settings determine the network, while other callers may give any.
KEEPS_PROGRAMS = ContextVar("KEEPS_PROGRAMS", default=False)

# A step costs about as much as this many parameters, whatever the network's size.
PARAMETERS_PER_STEP = 50_000
# Steps times parameters up to which XLA's compilation takes longer than it saves.
MAX_WORK = 2.5e8


def keeps_programs(settings: Mapping[str, Any]) -> bool:
    """Whether the settings say all of a run's network, so that its programs can serve the next."""
    if not KEEPS_PROGRAMS.get():
        return False
    is_built_in: bool = settings["model"]["_target_"] == MLP_TARGET
    # Another trainer may change the network.
    is_untouched: bool = settings["trainer"]["name"] == "compiled"
    # Keras's Adafactor divides zero by zero where a pixel is always black. TensorFlow's kernels for
    # known shapes and Keras's `fit` take what is not a number for 0 in a relu; others do not.
    has_same_result: bool = settings["optimizer"] != "adafactor"
    return is_built_in and is_untouched and has_same_result


def steps_of(settings: Mapping[str, Any], n_train: int) -> int:
    """The batches of all epochs of a run that trains on so many examples."""
    batches: int = -(-n_train // min(settings["batch_size"], n_train))
    return batches * int(settings["epochs"])


def is_small(parameters: int, steps: int) -> bool:
    """Whether training takes less time than compiling the network would.

    Args:
        parameters: Weights of the network.
        steps: Batches of all epochs.
    """
    return steps * (parameters + PARAMETERS_PER_STEP) <= MAX_WORK
