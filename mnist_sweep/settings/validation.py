"""What is wrong with settings: every problem at once, each with what would be right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_sweep.errors import SelectionError, is_hidden
from mnist_sweep.metrics import VALIDATION, resolve
from mnist_sweep.settings.all_settings import (
    MLP_KEYS,
    NESTED,
    SETTINGS,
    TASK_KEYS,
    is_task,
    known_keys,
    task_name,
    unused,
)
from mnist_sweep.settings.schema import FORMATS, MLP_TARGET
from mnist_sweep.settings.setting import shown
from mnist_sweep.settings.source import nested_targets, not_importable

_ALIASES = {
    "lr": "learning_rate", "alpha": "learning_rate", "lr_schedule": "schedule",
    "bs": "batch_size", "batch": "batch_size", "n_epochs": "epochs", "num_epochs": "epochs",
    "depth": "layers", "n_layers": "layers", "num_layers": "layers", "hidden_layers": "layers",
    "hidden": "nodes", "neurons": "nodes", "units": "nodes", "width": "nodes",
    "act": "activation", "opt": "optimizer", "wd": "weight_decay", "random_state": "seed",
    "jobs": "n_jobs", "workers": "n_jobs", "metric": "objective", "dataset": "data",
    "dry_run": "plan",
}  # fmt: skip
"""Common names elsewhere, and ours."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""
MAX_SHOWN = 200
"""Characters of a wrong setting that a message repeats."""


def suggestion(key: str, among: list[str] | None = None) -> str:
    """'did you mean layers?' for a key that is close to one, else the names at the top.

    `among` are the names that exist; None: the settings.
    """
    among = known_keys() if among is None else among
    known = [_ALIASES[key]] if _ALIASES.get(key) in among else []
    close = known or difflib.get_close_matches(key, among, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(name for name in among if '.' not in name)}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one setting: `key` is dotted, `allowed` says what would be right."""

    key: str
    value: Any
    allowed: str

    def __str__(self) -> str:
        given = f"{self.key}={shown(self.value)}"
        return f"{given if len(given) <= MAX_SHOWN else given[:MAX_SHOWN] + '…'}: {self.allowed}"


def problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with one point's settings; empty if it can run.

    `settings` has all keys of `Settings` as plain nested values, interpolations resolved.
    """
    wrong, flat = [], {key: value for key, value in settings.items() if key not in NESTED}
    for key in NESTED:
        if isinstance(values := settings.get(key), Mapping):
            flat |= {f"{key}.{name}": value for name, value in values.items()}
        else:
            names = [one.partition(".")[2] for one in SETTINGS if one.startswith(f"{key}.")]
            wrong.append(Problem(key, values, f"must be a mapping of {', '.join(names)}"))
    task = is_task(settings)
    found = [*_problems_of(flat), *wrong, *(() if task else _metric_problems(settings))]
    # Rules between settings need values that are right by themselves.
    if found:
        return found
    rules = _task_problems if task else _keras_problems
    return [*rules(settings), *_data_problems(settings), *_name_problems(settings.get("name"))]


def _problems_of(flat: Mapping[str, Any]) -> list[Problem]:
    """Unknown keys, then wrong values in the schema's order."""
    found = [
        Problem(key, value, f"no such setting; {suggestion(key)}")
        for key, value in flat.items()
        if key not in SETTINGS
    ]
    return found + [
        Problem(key, flat[key], allowed)
        for key, rule in SETTINGS.items()
        if key in flat and (allowed := rule.violation(flat[key]))
    ]


def value_problem(key: str, value: Any) -> Problem | None:
    """What is wrong with one value of one dotted key of the schema, taken alone."""
    if SETTINGS[key].type is str and isinstance(value, (int, float)):
        value = str(value)  # name=2024 is read as a number and becomes text in the schema's field
    return next(iter(_problems_of({key: value})), None)


def nested_problems(key: str, values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with some of the values below one key of `NESTED`, each taken alone."""
    return _problems_of({f"{key}.{name}": value for name, value in values.items()})


def without_effect(points: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Values that have an effect in none of some points (settings as they were given)."""
    asked = {(key, value) for settings in points for key, value in unused(settings).items()}
    return [
        Problem(key, value, f"has no effect here: it needs {one.only_if}")
        for key, value in sorted(asked, key=str)
        for one in [SETTINGS[key]]
        if not any(one.applies(point) and one.value(point) == value for point in points)
    ]


def _metric_problems(settings: Mapping[str, Any]) -> Iterator[Problem]:
    # Not of a task: which metrics it returns is known only when it has returned.
    for rule in SETTINGS.values():
        name = rule.value(settings)
        if rule.metric and isinstance(name, str):
            try:
                resolve(name)
            except SelectionError as error:
                yield Problem(rule.key, name, f"must be a metric: {error}")


def _target_problems(key: str, values: Mapping[str, Any], text: str) -> Iterator[Problem]:
    target = values.get("_target_")
    if not isinstance(target, str) or "." not in target:
        yield Problem(f"{key}._target_", target, f"must name a function {text}")
        return
    for one in nested_targets(values):
        if reason := not_importable(one):
            yield Problem(f"{key}._target_", one, reason)


def _task_problems(settings: Mapping[str, Any]) -> Iterator[Problem]:
    text = "that returns metrics, as package.module.function"
    wrong = list(_target_problems("task", settings["task"], text))
    yield from wrong
    if wrong:
        return
    # A setting that is accepted and ignored would make two points of one run.
    task = task_name(settings)
    if (target := settings["model"].get("_target_")) != MLP_TARGET:
        text = f"has no effect on the task {task}, which trains no network of `model`"
        yield Problem("model._target_", target, text)
    for rule in SETTINGS.values():
        is_keras = rule.scope == "run" and rule.top not in (*TASK_KEYS, "data", "model")
        if is_keras and (value := rule.value(settings)) != rule.default:
            text = f"has no effect on the task {task}, whose settings are task.{rule.key}=…"
            yield Problem(rule.key, value, text)


def _keras_problems(settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Rules between the settings of a run that trains a network."""
    if settings["schedule"] == "exponential" and settings["schedule_end"] == 0:
        yield Problem("schedule_end", 0, "must be above 0 for schedule=exponential")
    if others := ", ".join(key for key in settings.get("task") or () if key != "_target_"):
        text = f"needs task=NAME or task._target_=my_module.function, which takes {others}"
        yield Problem("task", "keras", text)
    model = settings["model"]
    text = "that builds a Keras model, as package.module.function"
    yield from _target_problems("model", model, text)
    if model.get("_target_") != MLP_TARGET:
        return
    # Tables, labels and selections read the keys at the top: both must say the same.
    for key in MLP_KEYS:
        if key not in model or model[key] != settings[key]:
            text = f"model=mlp takes it from {key}: set {key}=…"
            yield Problem(f"model.{key}", model.get(key), text)
    for key in model:
        if key not in ("_target_", *MLP_KEYS):
            text = f"model=mlp has no such setting; it has {', '.join(MLP_KEYS)}"
            yield Problem(f"model.{key}", model[key], text)


def _data_problems(settings: Mapping[str, Any]) -> Iterator[Problem]:
    data = settings["data"]
    if data["name"] in FORMATS and not data["path"]:
        yield Problem("data.path", None, f"data={data['name']} needs data.path=…")
    if (data["name"] == "own") != bool(data.get("_target_")):
        text = "data=own, and no other, needs the name of a function: package.module.function"
        yield Problem("data._target_", data.get("_target_"), text)
    if data["validation_fraction"] > 0 or is_task(settings):
        return
    if patience := settings["early_stopping"]["patience"]:
        text = "needs validation examples: set data.validation_fraction above 0"
        yield Problem("early_stopping.patience", patience, text)
    objective = settings.get("objective")
    if objective and resolve(objective).split == VALIDATION:
        text = (
            "needs validation examples, and data.validation_fraction=0 leaves none: set "
            "objective=test.accuracy or another metric of the test split"
        )
        yield Problem("objective", objective, text)


def _name_problems(name: Any) -> Iterator[Problem]:
    if (
        not isinstance(name, str)
        or not re.fullmatch(r"[^/\\:*?\"<>|]{1,100}", name)
        or name.startswith((".", "-"))
        or name.endswith(".")
        or name != name.strip()
        or any(map(is_hidden, name))
        or _DEVICE.fullmatch(name)
    ):
        text = (
            "must be the name of one directory in outputs/ on every system: at most 100 visible "
            "characters, no slash, no . or - at the start, no . at the end, no device (NUL)"
        )
        yield Problem("name", name, text)
