"""One run as a flat row: the names of the columns of the runs table.

`run_id`, `configuration_id`, `label`, `status`, `parameters`
    As in the record.
`layers`, `nodes`, …, `trainer.name`, `early_stopping.patience`, …
    Settings; nested ones dotted. `model` is the builder's name, the last part of `model._target_`.
`task`, `task._target_`, `task.lr`, …
    The last two words of a task's name, and its settings.
`code.sha256`
    The hash of the user's own source that decides the result; empty for networks of ours.
`dataset.name`, `.source`, `.sha256`, `.classes`, `.n_train`, `.n_validation`, `.n_test`, `.notice`
    The data that were used (`data.name` is the setting, which may be auto).
`train.loss`, `train.accuracy`
    The final weights on the training split.
`validation.loss`, `.accuracy`, `.precision`, `.recall`, `.f1`, `.f1_min`; `test.…`
    The final weights on that split; macro averages. All metrics of `mnist_sweep.metrics` and, of a
    task of the user's own, the metrics that it returned.
`validation.f1.8`, `.precision.8`, `.recall.8`; `test.…`
    Of one class.
`time.compile_s`, `.train_s`, `.evaluate_s`, `.total_s`, `.epoch_s`
    Seconds; `epoch_s` is the median epoch.
`training.form`, `training.reason`
    How the epochs were computed (xla, graph or fit), and why so.
`epochs_trained`, `history.val_accuracy`
    Epochs carried out, and the validation accuracy after the last of them, of every run that has
    any, finished or not.
`environment.python`, …
    As in the record.
`error.type`, `error.message`
    Of a run that did not finish.
`directory`, `sweep`
    The run's directory; of several sweeps the name of the sweep's directory (see `all_runs`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN, of_split
from mnist_sweep.records.record import (
    ClassMetrics,
    DataRecord,
    Environment,
    Metrics,
    Times,
    TrainingForm,
)
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import NESTED, RUN_KEYS, TASK_KEYS, defaults, known_keys, task_name

if TYPE_CHECKING:
    from mnist_sweep.metrics import Metric
    from mnist_sweep.records.record import Record

Flat = dict[str, Any]
"""Column (see above) -> plain value; None where the record has none."""

_DATA = tuple(name for name in DataRecord.model_fields if name not in ("shape", "scale"))
_TIMES = tuple(name for name in Times.model_fields if name != "epoch_s")
_FIRST = ("run_id", "configuration_id", "label", "status")
ALWAYS = (*_FIRST, "seed", "error.type", "error.message", "directory")
"""Columns that every table has, an empty one too."""
_RESULTS = (
    "parameters", "code", "dataset", TRAIN, *HELD_OUT, "time", "training", "epochs_trained",
    "history", "environment", "error", "directory", "sweep",
)  # fmt: skip
_NUMBERS = {TRAIN, *HELD_OUT, "time", "history", "parameters", "epochs_trained"}


def flat(record: Record) -> Flat:
    """One record as a flat row; every name is there, with None where a run has no such value."""
    row: Flat = {
        "run_id": record.run_id,
        "configuration_id": record.configuration_id,
        "label": record.label,
        "status": str(record.status),
        **flat_settings(record.config),
        "parameters": record.parameters,
        "code.sha256": record.code.sha256 if record.code else None,
    }
    data = record.data if record.data.sha256 else None
    row |= {f"dataset.{name}": getattr(data, name, None) for name in _DATA}
    metrics = record.metrics or Metrics()
    for split in (TRAIN, *HELD_OUT):
        values = getattr(metrics, split).values
        for name in (*_metric_names(split), *values):
            row[f"{split}.{name}"] = values.get(name)
    for split in HELD_OUT:
        classes = {entry.label: entry for entry in getattr(metrics, split).per_class}
        for name in _class_metric_names(split):
            for label in classes or range(record.data.classes):
                row[f"{split}.{name}.{label}"] = getattr(classes.get(label), name, None)
    for name in _TIMES:
        row[f"time.{name}"] = getattr(record.time, name) if record.time else None
    epochs = record.time.epoch_s if record.time else []
    row["time.epoch_s"] = median(epochs) if epochs else None
    for name in TrainingForm.model_fields:
        row[f"training.{name}"] = getattr(record.training, name, None)
    history = record.history.model_dump()
    row["epochs_trained"] = max(len(series) for series in history.values())
    reached = record.history.val_accuracy
    row["history.val_accuracy"] = reached[-1] if reached else None
    for name in Environment.model_fields:
        row[f"environment.{name}"] = getattr(record.environment, name)
    row["error.type"] = record.error.type if record.error else None
    row["error.message"] = record.error.message if record.error else None
    return row


def flat_planned(run_id: str, label: str, overrides: tuple[str, ...]) -> Flat:
    """What is known of a planned point without a record: its settings."""
    return {
        **_usual_settings(TASK_KEYS if is_of_task(label) else RUN_KEYS),
        **settings_of(label, overrides),
        "run_id": run_id,
        "label": label,
        "status": str(RunStatus.MISSING),
    }


def is_of_task(label: str) -> bool:
    """Whether a run's label is that of a task of the user's own."""
    return label.startswith("task=")


def result_columns(classes: int) -> list[str]:
    """The columns of a finished run that its settings do not tell.

    Args:
        classes: How many classes its data have.
    """
    per_class = [
        f"{split}.{name}.{label}"
        for split in HELD_OUT
        for name in _class_metric_names(split)
        for label in range(classes)
    ]
    others = ("parameters", "code.sha256", "epochs_trained", "history.val_accuracy")
    return [*ALWAYS, *others, *_known_results(), *per_class]


def is_number(name: str) -> bool:
    """Whether a column holds a number in every run that has a value there."""
    return name.partition(".")[0] in _NUMBERS


def column_order(name: str) -> tuple[Any, ...]:
    """The sort key of a column: ids, settings in the schema's order, results as listed above."""
    top = name.partition(".")[0]
    if name in _FIRST:
        return (0, _FIRST.index(name))
    natural = tuple((int(part), "") if part.isdecimal() else (-1, part) for part in name.split("."))
    if top in _RESULTS:
        return (2, _RESULTS.index(top), _known_results().get(name, math.inf), natural)
    # `model` and what a builder takes of its own come where the schema has `model`.
    place = _known_settings().get(name, _known_settings().get(top, math.inf))
    return (1, place, natural)


@cache
def _metric_names(split: str) -> tuple[str, ...]:
    return tuple(one.name for one in of_split(split))


@cache
def _class_metric_names(split: str) -> tuple[str, ...]:
    """Metrics that also exist for single classes, as far as records hold them."""
    stored = ClassMetrics.model_fields
    return tuple(one.name for one in of_split(split) if one.class_values and one.name in stored)


@cache
def _known_settings() -> dict[str, int]:
    return {name: place for place, name in enumerate(known_keys())}


@cache
def _known_results() -> dict[str, int]:
    names = [f"dataset.{name}" for name in _DATA]
    names += [f"{split}.{name}" for split in (TRAIN, *HELD_OUT) for name in _metric_names(split)]
    names += [f"time.{name}" for name in (*_TIMES, "epoch_s")]
    names += [f"training.{name}" for name in TrainingForm.model_fields]
    names += [f"environment.{name}" for name in Environment.model_fields]
    return {name: place for place, name in enumerate(names)}


def value_of(record: Record, metric: Metric) -> float | None:
    """The metric's value in a record; None where the run has none."""
    row = flat(record)
    value = row.get(metric.column)
    if value is None and record.task:  # a task may measure on the test split alone
        value = row.get(f"{TEST}.{metric.name}")
    return None if value is None else float(value)


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Flat:
    """Nested settings with dotted names; lists are kept, `model` is added as the builder's name."""
    row: Flat = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            if not prefix and key == "model":
                row["model"] = str(value.get("_target_") or "").rpartition(".")[2]
            elif not prefix and key == "task" and value.get("_target_"):
                row["task"] = task_name(settings)
            row |= flat_settings(value, f"{prefix}{key}.")
        else:
            row[prefix + key] = value
    return row


def settings_of(label: str, overrides: tuple[str, ...] = ()) -> Flat:
    """The settings that a label (`layers=2,nodes=300,seed=0`) and overrides spell out.

    What is no setting of this program is passed over: a directory's name can be anything.
    """
    dotted, known = _spelled()
    row: Flat = {}
    parts = label.rstrip("~").split(",")
    if is_of_task(label):  # its settings' names stand there without `task.`
        parts = [one if one.startswith(TASK_KEYS) else f"task.{one}" for one in parts]
        overrides = tuple(one for one in overrides if not one.startswith("task="))
    for part in (*parts, *overrides):
        key, equals, value = part.partition("=")
        key = key.lstrip("+~")
        key = dotted.get(key, key)
        if equals and (key in known or key.startswith(("model.", "task."))):
            row[key] = scalar(value)
    return row


def scalar(text: str) -> Any:
    """The plain value that `text` spells, as on Hydra's command line: null, true, 2, 0.5, text."""
    text = text.strip()
    words = {"null": None, "none": None, "true": True, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        return value if math.isfinite(value) else text
    return text.strip("'\"")


@cache
def _usual_settings(keys: tuple[str, ...]) -> Flat:
    return flat_settings({key: value for key, value in defaults().items() if key in keys})


@cache
def _spelled() -> tuple[dict[str, str], set[str]]:
    """What labels call nested settings -> their dotted keys; and the keys of a run's settings."""
    names = {key: [f.name for f in dataclasses.fields(NESTED[key])] for key in NESTED}
    dotted = {name: f"early_stopping.{name}" for name in names["early_stopping"]}
    dotted |= {name: f"trainer.{name}" for name in names["trainer"] if name != "name"}
    dotted |= {"trainer": "trainer.name", "data": "data.name"}
    return dotted, {key for key in known_keys() if key.partition(".")[0] in RUN_KEYS}
