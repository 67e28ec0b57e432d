"""Networks and tasks of the user's own: found by `_target_`, and checked before any run.

A network or a task that cannot be imported, or ends the process, is an error before the sweep
starts, and not one of each run. So they are checked in a process of their own.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import hydra.utils
from hydra.errors import HydraException
from pydantic import ValidationError

from mnist_sweep.errors import MnistSweepError, ModelError, TaskError
from mnist_sweep.settings import Plain, Problem, is_task, task_name
from mnist_sweep.settings.source import source_of, targets_of
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.gpus import CUDA_VISIBLE_DEVICES
from mnist_sweep.sweeping.launch.user_code import tasks
from mnist_sweep.sweeping.plan.checks import raise_for


class Network(NamedTuple):
    """What decides how a network is built; `model` has its `_target_` and what that takes."""

    model: Plain
    input_shape: tuple[int, ...]
    classes: int
    logits: bool = False


def builder(model: Plain) -> Callable[[tuple[int, ...], int], Any]:
    """The function that builds a network of some data's shape, or raises ModelError."""

    def build(input_shape: tuple[int, ...], classes: int) -> Any:
        try:
            return hydra.utils.instantiate(
                model, input_shape=list(input_shape), classes=classes, _convert_="all"
            )
        except HydraException as error:
            names = [key for key in model if key != "_target_"]
            own = f" ({', '.join(names)}; leave one out with ~model.{names[0]})" if names else ""
            raise ModelError(
                f"model._target_={model['_target_']} cannot build a network: "
                f"{_cause(error, model['_target_'])}. "
                "Expected a function build(input_shape, classes, …) in a module that Python can "
                f"import, which takes the settings under model{own}."
            ) from error

    return build


def _cause(error: HydraException, target: str) -> str:
    module, _, name = target.rpartition(".")
    if module in sys.modules and not hasattr(sys.modules[module], name):
        close = difflib.get_close_matches(name, dir(sys.modules[module]), n=1)
        return f"the module {module} has no {name}{f' (did you mean {close[0]}?)' if close else ''}"
    cause = error.__cause__ or error
    text = " ".join(line.strip() for line in str(cause).splitlines()[:2]).rstrip(".")
    return text if isinstance(cause, HydraException) else f"{type(cause).__name__}: {text}"


def check_code(settings: Plain, planned: Plain | None) -> None:
    """Refuse to run other code than the run id was made of, by a ModelError."""
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
    """Build each network once, as a run would; returns sentences on what training does not use.

    Raises:
        ModelError: Lists those that cannot be built, are no Keras model, or do not fit the data.
    """
    what = "model._target_={0.model[_target_]} cannot build a network"
    found, notes = _checked(_problems_of_networks, networks, what)
    if found:
        raise ModelError("\n".join(dict.fromkeys(found)))
    return list(dict.fromkeys(notes))


def check_tasks(settings: Sequence[Plain]) -> list[str]:
    """Import each task and check the settings of its runs; returns the tasks that take no seed.

    Raises:
        SettingsError: Lists tasks that cannot be imported and settings that they do not take.
    """
    what = "task._target_={0[task][_target_]} cannot be imported"
    found, seedless = _checked(_problems_of_tasks, settings, what)
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
    for model, input_shape, classes, logits in networks:
        target = model["_target_"]
        try:
            built = builder(model)(input_shape, classes)
            network = checked(built, target, input_shape, classes)
            if not logits:
                check_probabilities(network, target, input_shape)
            notes += [f"model._target_={target}: {text}." for text in unused_parts(network)]
        except MnistSweepError as error:
            found.append(str(error))
    return found, notes


def _problems_of_tasks(every: Sequence[Plain]) -> tuple[list[str], list[str]]:
    """What is wrong with the settings of runs, and the tasks that take no seed."""
    found = list(dict.fromkeys(text for one in every for text in problems_of(one)))
    first = {} if found else {task_name(one): one for one in reversed(every)}
    return found, [name for name, one in first.items() if not tasks.find(one).takes_seed]


def problems_of(settings: Plain) -> list[str]:
    """What is wrong with a run's settings, checked by the schema, by what its task declares."""
    name = task_name(settings)
    try:
        task = tasks.find(settings)
        task.checked()
    except ValidationError as error:
        return [_problem(one, name) for one in error.errors(include_url=False)]
    except TaskError as error:
        return [str(error)]
    found = []
    if settings["seed"] and not task.takes_seed:
        text = f"{name} has no parameter `seed`, so repeats would all be the same run"
        found.append(str(Problem("seed", settings["seed"], text)))
    if "data" in settings and "dataset" not in task.given:
        found.append(f"data: {name} has no parameter `dataset` that would take the prepared data")
    if "data" not in settings and "dataset" in task.given:
        found.append(f"data: {name} needs a dataset: add data=mnist, data=digits or another")
    return found


def _problem(error: Any, name: str) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"task.{key}: {name} needs it: set task.{key}=…"
    if error["type"] == "extra_forbidden":
        return f"task.{key}: {name} has no such parameter"
    text = error["msg"][:1].lower() + error["msg"][1:]
    return str(Problem(f"task.{key}", error["input"], text))
