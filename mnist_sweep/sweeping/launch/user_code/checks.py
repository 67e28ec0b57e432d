"""What is checked of the user's code before any run, in a process of its own, and in a run.

A network or a task that cannot be imported, or ends the process, is an error before the sweep
starts, and not one of each run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_sweep.errors import MnistSweepError, ModelError
from mnist_sweep.settings import Plain, is_task
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.gpus import CUDA_VISIBLE_DEVICES
from mnist_sweep.sweeping.launch.user_code import tasks
from mnist_sweep.sweeping.launch.user_code.networks import builder
from mnist_sweep.sweeping.plan.checks import raise_for


@dataclass(frozen=True)
class Network:
    """What decides how a network is built; `model` has its `_target_` and what that takes."""

    model: Plain
    input_shape: tuple[int, ...]
    classes: int
    logits: bool = False

    @property
    def target(self) -> str:
        """The builder's name."""
        return str(self.model["_target_"])


def check_code(settings: Plain, planned: Plain | None) -> None:
    """Refuse to run other code than the run id was made of.

    Raises:
        ModelError: The code was edited since.
    """
    now = source_of(*targets_of(settings)) if planned else None
    if planned and now and now["sha256"] != planned["sha256"]:
        edited = sorted(dict(now["files"].items() ^ planned["files"].items()))
        key = "task" if is_task(settings) else "model"
        raise ModelError(
            f"The code of {key}._target_={settings[key]['_target_']} was edited after the "
            f"sweep started ({', '.join(edited)}). Repeat the sweep's command to run it as it "
            "is now."
        )


def check_networks(networks: Sequence[Network]) -> list[str]:
    """Build each network once, in a process of its own, as a run would.

    Returns:
        What of them is not used in training, as sentences.

    Raises:
        ModelError: Lists those that cannot be built, are no Keras model, or do not fit the data.
    """
    what = "model._target_={0.target} cannot build a network"
    found, notes = _checked(_problems_of_networks, networks, what)
    if found:
        raise ModelError("\n".join(dict.fromkeys(found)))
    return list(dict.fromkeys(notes))


def check_tasks(settings: Sequence[Plain]) -> list[str]:
    """Import each task and check the settings of its runs, in a process of its own.

    Returns:
        The names of the tasks that take no seed.

    Raises:
        SettingsError: Lists tasks that cannot be imported and settings that they do not take.
    """
    what = "task._target_={0[task][_target_]} cannot be imported"
    found, seedless = _checked(tasks.problems_of_all, settings, what)
    raise_for(found)
    return seedless


def _checked(
    check: Callable[[Sequence[Any]], tuple[list[str], list[str]]], items: Sequence[Any], what: str
) -> tuple[list[str], list[str]]:
    """Problems and notes of items, from one process; one by one where it dies, to say `what`."""
    try:
        return processes.call(check, items) if items else ([], [])
    except processes.WorkerDiedError as died:
        if len(items) == 1:
            return [f"{what.format(*items)}. {died}"], []
        return [text for one in items for text in _checked(check, [one], what)[0]], []


def _problems_of_networks(networks: Sequence[Network]) -> tuple[list[str], list[str]]:
    from mnist_sweep.training import runtime

    os.environ[CUDA_VISIBLE_DEVICES] = "-1"  # building needs no GPU, and opening one takes seconds
    runtime.configure(1)
    from mnist_sweep.training.model import check_probabilities, checked, unused_parts

    found, notes = [], []
    for one in networks:
        try:
            built = builder(one.model)(one.input_shape, one.classes)
            network = checked(built, one.target, one.input_shape, one.classes)
            if not one.logits:
                check_probabilities(network, one.target, one.input_shape)
            notes += [f"model._target_={one.target}: {text}." for text in unused_parts(network)]
        except MnistSweepError as error:
            found.append(str(error))
    return found, notes
