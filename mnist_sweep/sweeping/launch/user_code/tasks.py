"""Tasks of the user's own: found by `_target_`, called, and their answer made a result.

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
from time import perf_counter
from types import SimpleNamespace
from typing import Any, cast, get_origin, get_type_hints

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, create_model
from threadpoolctl import threadpool_limits

from mnist_sweep.data import DatasetInfo, load
from mnist_sweep.errors import TaskError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN
from mnist_sweep.records import store
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import SplitMetrics
from mnist_sweep.settings import Plain, suggestion, task_name
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.task import StopRunError, epochs_to
from mnist_sweep.training.evaluate import held_out_metrics
from mnist_sweep.training.progress import OnEpoch, Training
from mnist_sweep.training.train import Result

GIVEN = ("seed", "threads", "directory", "dataset")
"""Parameters that the program fills, where a task has them and they are no settings of its own."""
# What data are called of which only the predicted examples' truth is known.
OWN_DATA = "own data"
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")
_TAKEN = ("per_class", "confusion")
_SAME = 1e-6


@dataclass(frozen=True)
class Task:
    """A function, and how a run's settings become its arguments."""

    function: Callable[..., Any]
    # The settings as arguments; raises ValidationError where one is not what the task declares, and
    # TaskError where there is no such setting.
    checked: Callable[[], Plain]
    given: Sequence[str]  # which of `GIVEN` are arguments, too
    takes_seed: bool  # as an argument or within one


def find(settings: Plain) -> Task:
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


def run(job: Job, on_epoch: OnEpoch) -> Result:
    """Call a job's task, in this process; raises what that raises, and TaskError of its answer."""
    settings = job.settings
    # A task names its own figures, and has no network whose predictor the result would need.
    history: Any = SimpleNamespace()
    done = Training(predictor=cast("Any", None), history=history)
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


def take(result: Result, answer: Any, name: str, info: DatasetInfo) -> None:
    """Put what a task (`name`) returned of its data (`info`) into a result.

    These are metrics by name, with `predictions` and `history` among them where it has any.

    Raises:
        TaskError: It is no mapping of finite numbers, or the predictions are no classes.
    """
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
                "an optional prefix train., validation. or test. (default: test)."
            )
        number = _number(value)
        if not math.isfinite(number):
            raise TaskError(f"{name} returned {key} = {value!r}: expected a finite number.")
        metrics.setdefault(split, {})[own] = number
    if predictions:
        _take_predictions(result, metrics, predictions, name, info)
    if not metrics:
        raise TaskError(f"{name} returned no metric: expected at least one.")
    try:
        result.metrics = {
            split: SplitMetrics.model_validate(own).model_dump() for split, own in metrics.items()
        }
    except ValidationError as error:
        raise TaskError(f"{name} returned a metric out of range: {reason(error)}.") from None
    if history is not None and not result.training.epoch_s:
        for key, series in dict(history).items():
            setattr(result.training.history, str(key), [*map(_number, series)])


def _number(value: Any) -> float:
    """A plain number of an int, a float, or a scalar of NumPy or PyTorch; of all else NaN."""
    try:
        return math.nan if isinstance(value, (str, bool, np.bool_)) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _take_predictions(
    result: Result, metrics: dict[str, Plain], predictions: Any, name: str, info: DatasetInfo
) -> None:
    """Keep predictions, and add the metrics that follow from them."""
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
        own = metrics.get(split, {})
        for key, value in own.items():
            if key in computed and not math.isclose(value, computed[key], abs_tol=_SAME):
                raise TaskError(
                    f"{name} returned {split}.{key} = {value:g}, but its predictions give "
                    f"{computed[key]:g}: these disagree."
                )
        # The first metric is the objective unless one is set: the task's own, else the accuracy.
        metrics[split] = own | {n: computed[n] for n in ("accuracy", *computed) if n not in own}
    n_validation, n_test = (len(arrays[f"{split}_true"]) for split in ("validation", "test"))
    truth = hashlib.sha256(b"".join(arrays[f"{split}_true"].tobytes() for split in HELD_OUT))
    arrays["validation_index"] = np.arange(n_validation, dtype=np.int32)
    arrays["data_sha256"] = np.array(info.sha256 or truth.hexdigest())
    result.predictions = arrays
    if not info.sha256:
        result.data = {
            "name": OWN_DATA, "source": f"the examples that {name} predicted",
            "sha256": truth.hexdigest(), "shape": [], "classes": classes, "n_train": 0,
            "n_validation": n_validation, "n_test": n_test,
        }  # fmt: skip


def _classes(name: str, split: Any, pair: Any) -> list[Any]:
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
        "{'test': (true, predicted)}, or validation: two lists of classes of equal length, whole "
        "numbers from 0 to 255."
    )
