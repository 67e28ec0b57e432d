"""Tasks of the user's own: found by `_target_`, their settings checked, called, their answer taken.

A task is any function that returns a mapping of finite numbers. It takes its settings, the keys
below `task`, as keyword arguments, or as one mapping or dataclass. Annotations, of the function or
of the dataclass, are checked by pydantic: types and ranges.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import pkgutil
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from threadpoolctl import threadpool_limits

from mnist_sweep.data import load
from mnist_sweep.errors import MnistSweepError, TaskError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN
from mnist_sweep.records import store
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import SplitMetrics
from mnist_sweep.settings import Plain, Problem, suggestion, task_name
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.task import StopRunError, epochs_to
from mnist_sweep.training.evaluate import held_out_metrics
from mnist_sweep.training.progress import OnEpoch, Training
from mnist_sweep.training.train import Result

GIVEN = ("seed", "threads", "directory", "dataset")
"""Parameters that the program fills, where a task has them and they are no settings of its own."""
OWN_DATA = "own data"
"""What data are called of which only the predicted examples' truth is known."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_TAKEN = ("per_class", "confusion")
_SAME = 1e-6


@dataclass(frozen=True)
class Task:
    """A function, and how it takes its settings.

    Attributes:
        function: What is called.
        checked: Settings as JSON text to the arguments that they are.
        given: Which of `GIVEN` are arguments.
        whole: The parameter that takes all settings; None where each has its own.
    """

    function: Callable[..., Any]
    checked: Callable[[str], Any]
    given: tuple[str, ...]
    whole: str | None


def find(settings: Plain) -> Task:
    """The task of a run's settings.

    Raises:
        TaskError: It cannot be imported, or called with a run's settings.
    """
    target, values = settings["task"]["_target_"], _values(settings)
    try:
        function = pkgutil.resolve_name(target)
        parameters = inspect.signature(function).parameters.values()
    except Exception as error:  # importing may raise anything
        cause = error.__cause__ or error
        raise TaskError(
            f"task._target_={target} cannot be imported: {type(cause).__name__}: {cause}. Expected "
            "a function, as package.module.function, in a module that Python can import."
        ) from error
    hints = _hints(function)
    filled = [one for one in parameters if one.name in GIVEN and one.name not in values]
    own = [one for one in parameters if one not in filled]
    # Without data, a dataset's own default stays.
    optional = () if "data" in settings else ("dataset",)
    given = [p.name for p in filled if p.name not in optional or p.default is p.empty]
    named = [one for one in own if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if len(own) == len(named) == 1 and _takes_all(named[0], hints, values):
        kind = hints.get(named[0].name)
        given += ["seed"] if "seed" not in (*given, *values) and _has_seed(kind) else []
        checked = partial(_of_dataclass, kind) if is_dataclass(kind) else json.loads
        return Task(function, checked, tuple(given), named[0].name)
    any_name = len(named) < len(own)
    given += ["seed"] if any_name and "seed" not in (*given, *values) else []
    # By number, since a parameter may be called like an attribute of pydantic's models.
    declared: Any = {
        f"p{n}": (
            hints.get(one.name, Any),
            Field(... if one.default is one.empty else None, alias=one.name),
        )
        for n, one in enumerate(named)
    }
    config = ConfigDict(extra="allow" if any_name else "forbid", arbitrary_types_allowed=True)
    model = create_model("Parameters", __config__=config, **declared)
    return Task(function, partial(_of_keywords, model), tuple(given), None)


def _values(settings: Plain) -> Plain:
    return {key: value for key, value in settings["task"].items() if key != "_target_"}


def _hints(function: Any) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # of a module that is imported for type checkers only
        return {}


def _takes_all(parameter: inspect.Parameter, hints: Plain, values: Plain) -> bool:
    """Whether a task's one parameter takes all of its settings, and is not one of them."""
    kind = hints.get(parameter.name)
    if parameter.name in values or (kind is None and parameter.default is not parameter.empty):
        return False
    plain = get_origin(kind) or kind
    is_mapping = isinstance(plain, type) and issubclass(dict, plain)
    return is_dataclass(kind) or kind in (None, Any) or is_mapping


def _has_seed(kind: Any) -> bool:
    return not is_dataclass(kind) or "seed" in {one.name for one in fields(kind)}


def _of_keywords(model: type[BaseModel], text: str) -> Plain:
    made = model.model_validate_json(text, strict=True)
    named = {
        str(model.model_fields[key].alias): getattr(made, key)
        for key in made.model_fields_set & model.model_fields.keys()
    }
    return named | (made.model_extra or {})


def _of_dataclass(kind: Any, text: str) -> Any:
    known = [one.name for one in fields(kind)]
    for name in json.loads(text):
        if name not in known:
            raise TaskError(f"task.{name}: no such setting; {suggestion(name, known)}")
    return TypeAdapter(kind).validate_json(text, strict=True)


def problems_of(settings: Plain) -> list[str]:
    """What is wrong with a run's settings by what its task declares.

    Args:
        settings: A run's, checked by the schema.
    """
    try:
        task = find(settings)
        _arguments(task, settings, dict.fromkeys(GIVEN))
    except ValidationError as error:
        return [_problem(one, settings) for one in error.errors(include_url=False)]
    except TaskError as error:
        return [str(error)]
    name = task_name(settings)
    found = []
    if settings["seed"] and "seed" not in task.given and "seed" not in _values(settings):
        text = f"{name} has no parameter `seed`, so repeats would all be the same run"
        found.append(str(Problem("seed", settings["seed"], text)))
    if "data" in settings and "dataset" not in task.given:
        found.append(f"data: {name} has no parameter `dataset` that would take the prepared data")
    if "data" not in settings and "dataset" in task.given:
        found.append(f"data: {name} needs a dataset: add data=mnist, data=digits or another")
    return found


def _problem(error: Any, settings: Plain) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"task.{key}: {task_name(settings)} needs it: set task.{key}=…"
    if error["type"] == "extra_forbidden":
        return f"task.{key}: {task_name(settings)} has no such parameter"
    text = error["msg"][:1].lower() + error["msg"][1:]
    return str(Problem(f"task.{key}", error["input"], text))


def _arguments(task: Task, settings: Plain, available: Plain) -> Plain:
    """What the function is called with, by parameter.

    Raises:
        ValidationError: A setting is not what the task declares.
        TaskError: There is no such setting.
    """
    values = _values(settings)
    names = inspect.signature(task.function).parameters
    given = {name: available[name] for name in task.given}
    if task.whole is None:
        return {**task.checked(json.dumps(values)), **given}
    if "seed" not in names and "seed" in given:
        values["seed"] = settings["seed"]
        del given["seed"]
    return {task.whole: task.checked(json.dumps(values)), **given}


def run(job: Job, on_epoch: OnEpoch) -> Result:
    """Call a job's task, in this process.

    Args:
        job: Whose settings name a task.
        on_epoch: Called after every epoch that the task reports.

    Raises:
        TaskError: Its answer is no mapping of finite numbers, or its predictions are no classes.
        BaseException: Whatever the task raises.
    """
    settings, history = job.settings, SimpleNamespace()
    done = Training(predictor=cast("Any", None), history=cast("Any", history))
    # For libraries that are not loaded yet; the others are told below.
    os.environ["OMP_NUM_THREADS"] = str(settings["threads"])
    task = find(settings)
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
        why = on_epoch(epoch + 1, cast("Any", history))
        last = perf_counter()
        if why:
            raise StopRunError(why)

    available = {
        "seed": settings["seed"], "threads": settings["threads"], "directory": directory,
        "dataset": dataset,
    }  # fmt: skip
    result = Result(done, None, 0.0, None, None, None)
    try:
        with epochs_to(report), threadpool_limits(settings["threads"]):
            answer = task.function(**_arguments(task, settings, available))
    except StopRunError as stopped:
        done.pruned = str(stopped)
    else:
        _take(result, answer, job)
    done.train_s = perf_counter() - started
    return result


def _take(result: Result, answer: Any, job: Job) -> None:
    """Put what a task returned into a result."""
    name = task_name(job.settings)
    if not isinstance(answer, Mapping):
        raise TaskError(
            f"{name} returned {type(answer).__name__}: expected a mapping of metrics to finite "
            "numbers, such as {'accuracy': 0.97}."
        )
    values = dict(answer)
    predictions, history = values.pop("predictions", {}), values.pop("history", None)
    metrics: dict[str, Plain] = {}
    for key, value in values.items():
        split, _, own = str(key).partition(".")
        split, own = (split, own) if split in (TRAIN, *HELD_OUT) and own else (TEST, str(key))
        if not _NAME.fullmatch(own) or own in _TAKEN:
            raise TaskError(
                f"{name} returned a metric {key!r}: expected a name of letters, digits and _, with "
                "train., validation. or test. before it where it is not of the test split."
            )
        metrics.setdefault(split, {})[own] = _number(name, key, value)
    if predictions:
        _take_predictions(result, metrics, predictions, job)
    if not metrics:
        raise TaskError(f"{name} returned no metric: expected one at least.")
    try:
        result.metrics = {
            k: SplitMetrics.model_validate(v).model_dump() for k, v in metrics.items()
        }
    except ValidationError as error:
        raise TaskError(f"{name} returned a metric out of range: {reason(error)}.") from None
    if history is not None and not result.training.epoch_s:
        vars(result.training.history).update(
            {str(key): [_number(name, key, one, finite=False) for one in series]
             for key, series in dict(history).items()}
        )  # fmt: skip


def _number(task: str, key: Any, value: Any, *, finite: bool = True) -> float:
    """A plain number of an int, a float, or a scalar of NumPy or PyTorch."""
    try:
        number = math.nan if isinstance(value, (str, bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if finite and not math.isfinite(number):
        raise TaskError(f"{task} returned {key} = {value!r}: expected a finite number.")
    return number


def _take_predictions(
    result: Result, metrics: dict[str, Plain], predictions: Any, job: Job
) -> None:
    """Keep predictions, and add the metrics that follow from them."""
    name, info = task_name(job.settings), job.data
    splits = predictions if isinstance(predictions, Mapping) else {TEST: predictions}
    found = {split: _classes(name, split, pair) for split, pair in splits.items()}
    classes = info.classes or 1 + max(int(part.max()) for pair in found.values() for part in pair)
    arrays: dict[str, Any] = {}
    for split in HELD_OUT:
        true, predicted = found.get(split, (np.zeros(0, np.uint8),) * 2)
        arrays[f"{split}_true"], arrays[f"{split}_predicted"] = true, predicted
        arrays[f"{split}_probability"] = np.full(len(true), np.nan, np.float16)
        if not len(true):
            continue
        computed = held_out_metrics(split, true, predicted, 0.0, classes)
        del computed["loss"]
        for key, value in metrics.get(split, {}).items():
            if key in computed and not math.isclose(value, computed[key], abs_tol=_SAME):
                raise TaskError(
                    f"{name} returned {split}.{key} = {value:g}, but its predictions give "
                    f"{computed[key]:g}: they do not belong together."
                )
        metrics[split] = computed | metrics.get(split, {})
    validation = len(arrays["validation_true"])
    truth = hashlib.sha256(b"".join(arrays[f"{split}_true"].tobytes() for split in HELD_OUT))
    arrays["validation_index"] = np.arange(validation, dtype=np.int32)
    arrays["data_sha256"] = np.array(info.sha256 or truth.hexdigest())
    result.predictions = arrays
    if not info.sha256:
        result.data = {
            "name": OWN_DATA, "source": f"the examples that {name} predicted",
            "sha256": truth.hexdigest(), "shape": [], "classes": classes, "n_train": 0,
            "n_validation": validation, "n_test": len(arrays["test_true"]),
        }  # fmt: skip


def _classes(name: str, split: Any, pair: Any) -> Sequence[Any]:
    """True and predicted classes of a split, (n,) uint8 each."""
    if split in HELD_OUT and isinstance(pair, (tuple, list)) and len(pair) == 2:
        found = [np.asarray(one) for one in pair]
        if (
            all(one.ndim == 1 and one.dtype.kind in "iub" and len(one) for one in found)
            and len(found[0]) == len(found[1])
            and all(one.min() >= 0 and one.max() <= 255 for one in found)
        ):
            return [one.astype(np.uint8) for one in found]
    raise TaskError(
        f"{name} returned predictions of {split!r} that cannot be used: expected "
        "{'test': (true, predicted)}, or validation, two lists of as many classes, whole numbers "
        "from 0 to 255."
    )


def problems_of_all(every: Sequence[Plain]) -> tuple[list[str], list[str]]:
    """What is wrong with the settings of runs, and notes; to be called in a process of its own."""
    found = []
    for settings in every:
        try:
            found += problems_of(settings)
        except MnistSweepError as error:
            found.append(str(error))
    return list(dict.fromkeys(found)), []
