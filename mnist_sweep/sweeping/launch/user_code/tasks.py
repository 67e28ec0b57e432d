"""Tasks of the user's own: found by `_target_`, their settings checked, called.

A task is any function that returns a mapping of finite numbers. It takes its settings, the keys
below `task`, as keyword arguments, or as one mapping or dataclass. Annotations, of the function or
of the dataclass, are checked by pydantic: types and ranges.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import pkgutil
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model
from threadpoolctl import threadpool_limits

from mnist_sweep.data import load
from mnist_sweep.errors import TaskError
from mnist_sweep.records import store
from mnist_sweep.settings import Plain, Problem, suggestion, task_name
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.user_code.task_answer import take
from mnist_sweep.task import StopRunError, epochs_to
from mnist_sweep.training.progress import OnEpoch, Training
from mnist_sweep.training.train import Result

GIVEN = ("seed", "threads", "directory", "dataset")
"""Parameters that the program fills, where a task has them and they are no settings of its own."""


@dataclass(frozen=True)
class Task:
    """A function, and how a run's settings become its arguments."""

    function: Callable[..., Any]
    # The settings as arguments; raises ValidationError where one is not what the task declares, and
    # TaskError where there is no such setting.
    checked: Callable[[], Plain]
    given: Sequence[str]  # which of `GIVEN` are arguments, too
    takes_seed: bool  # as an argument or within one


def _find(settings: Plain) -> Task:
    """The task of a run's settings; TaskError if it cannot be imported, or called with them."""
    values = dict(settings["task"])
    target = values.pop("_target_")
    try:
        function = pkgutil.resolve_name(target)
        parameters = inspect.signature(function).parameters.values()
    except Exception as error:  # importing may raise anything
        cause = error.__cause__ or error
        raise TaskError(
            f"task._target_={target} cannot be imported: {type(cause).__name__}: {cause}. Expected "
            "a function, as package.module.function, in a module that Python can import."
        ) from error
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # of a module that is imported for type checkers only
        hints = {}
    filled = [one for one in parameters if one.name in GIVEN and one.name not in values]
    own = [one for one in parameters if one not in filled]
    # Without data, a dataset's own default stays.
    optional = () if "data" in settings else ("dataset",)
    given = [p.name for p in filled if p.name not in optional or p.default is p.empty]
    named = [one for one in own if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    takes_seed = "seed" in (*given, *values)
    # Settings go by JSON, where pydantic is strict as people expect: 1 is a float, "1" is not.
    if len(own) == len(named) == 1 and _takes_all(named[0], hints, values):
        name, kind = named[0].name, hints.get(named[0].name)
        has_seed = not is_dataclass(kind) or "seed" in [one.name for one in fields(kind)]
        if has_seed and not takes_seed:
            values["seed"] = settings["seed"]
        whole = json.dumps(values)
        return Task(function, lambda: {name: _whole(kind, whole)}, given, takes_seed or has_seed)
    any_name = len(named) < len(own)
    if any_name and not takes_seed:
        given.append("seed")
    text = json.dumps(values)
    return Task(
        function, lambda: _keywords(named, hints, text, any_name=any_name), given,
        takes_seed or any_name,
    )  # fmt: skip


def _takes_all(parameter: inspect.Parameter, hints: Plain, values: Plain) -> bool:
    """Whether a task's one parameter takes all of its settings, and is not one of them."""
    kind = hints.get(parameter.name)
    if parameter.name in values or (kind is None and parameter.default is not parameter.empty):
        return False
    plain = get_origin(kind) or kind
    is_mapping = isinstance(plain, type) and issubclass(dict, plain)
    return is_dataclass(kind) or kind in (None, Any) or is_mapping


def _whole(kind: Any, text: str) -> Any:
    """The argument of a task that takes all settings as one."""
    values = json.loads(text)
    if not is_dataclass(kind):
        return values
    known = [one.name for one in fields(kind)]
    if unknown := next((name for name in values if name not in known), None):
        raise TaskError(f"task.{unknown}: no such setting; {suggestion(unknown, known)}")
    return TypeAdapter(kind).validate_json(text, strict=True)


def _keywords(
    parameters: Sequence[inspect.Parameter], hints: Plain, text: str, *, any_name: bool
) -> Plain:
    """The arguments of a task that takes its settings one by one."""
    # By number, since a parameter may be called like an attribute of pydantic's models.
    names = {f"p{number}": one.name for number, one in enumerate(parameters)}
    needed = [... if one.default is one.empty else None for one in parameters]
    declared: Any = {
        key: (hints.get(name, Any), Field(default, alias=name))
        for (key, name), default in zip(names.items(), needed, strict=True)
    }
    config = ConfigDict(extra="allow" if any_name else "forbid", arbitrary_types_allowed=True)
    model = create_model("Parameters", __config__=config, **declared)
    made = model.model_validate_json(text, strict=True)
    # Only what was set: the task's own defaults stay its own.
    given = made.model_fields_set
    named = {name: getattr(made, key) for key, name in names.items() if key in given}
    return named | (made.model_extra or {})


def problems_of_all(every: Sequence[Plain]) -> tuple[list[str], list[str]]:
    """What is wrong with the settings of runs, and the tasks that take no seed."""
    found = list(dict.fromkeys(text for one in every for text in problems_of(one)))
    first = {} if found else {task_name(one): one for one in reversed(every)}
    return found, [name for name, one in first.items() if not _find(one).takes_seed]


def problems_of(settings: Plain) -> list[str]:
    """What is wrong with a run's settings, checked by the schema, by what its task declares."""
    name = task_name(settings)
    try:
        task = _find(settings)
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


def run(job: Job, on_epoch: OnEpoch) -> Result:
    """Call a job's task, in this process; raises what that raises, and TaskError of its answer."""
    settings = job.settings
    # A task names its own figures, and has no network whose predictor the result would need.
    history: Any = SimpleNamespace()
    done = Training(predictor=cast("Any", None), history=history)
    # For libraries that are not loaded yet; the others are told below.
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    task = _find(settings)
    directory = job.paths.files
    shutil.rmtree(directory, ignore_errors=True)  # of an attempt that was killed
    dataset = load(job.data) if "dataset" in task.given and job.data.sha256 else None
    if "directory" in task.given:
        store.make_directory(directory)
    last = started = perf_counter()

    def report(metrics: Mapping[str, Any]) -> None:
        nonlocal last
        epoch = len(done.epoch_s)
        done.epoch_s.append(perf_counter() - last)
        for name, value in metrics.items():
            series = vars(history).setdefault(name, [])
            series += [math.nan] * (epoch - len(series))
            series.append(float(value))
        why = on_epoch(epoch + 1, history)
        last = perf_counter()  # what the launcher does with it is no time of the epoch
        if why:
            raise StopRunError(why)

    available = {**settings, "directory": directory, "dataset": dataset}
    given = {name: available[name] for name in task.given}
    result = Result(done, None, 0.0, None, None, None)
    try:
        with epochs_to(report), threadpool_limits(settings["threads"]):
            answer = task.function(**task.checked(), **given)
    except StopRunError as stopped:
        done.pruned = str(stopped)
    else:
        take(result, answer, task_name(settings), job.data)
    done.train_s = perf_counter() - started
    return result
