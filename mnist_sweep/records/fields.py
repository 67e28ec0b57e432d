"""One run as a flat row: the columns of the runs table, and their order.

`docs/reference/files.md` lists them. A row has the columns of all its settings, of all metrics in
`mnist_sweep.metrics` and, of a task of the user's own, of those that it returned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from statistics import median
from typing import Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN, Metric, of_split
from mnist_sweep.records.paths import settings_of
from mnist_sweep.records.record import (
    ClassMetrics,
    DataRecord,
    Environment,
    Metrics,
    Record,
    Times,
    TrainingForm,
)
from mnist_sweep.settings import RUN_KEYS, TASK_KEYS, defaults, known_keys, task_name

Flat = dict[
    str, Any
]  # column (docs/reference/files.md) -> plain value; None where the record has none

# Settings times planned runs: above, a plan is nonsense, and its table would take gigabytes.
MAX_CELLS = 2**26

# The first word of columns -> the fields of that part of a record.
_PARTS: dict[str, tuple[str, ...]] = {
    "dataset": tuple(
        name for name in DataRecord.model_fields if name not in ("shape", "scale", "class_names")
    ),
    "time": tuple(name for name in Times.model_fields if name != "epoch_s"),
    "training": tuple(TrainingForm.model_fields),
    "environment": tuple(Environment.model_fields),
    "error": ("type", "message"),
}
_OWN_KEYS = tuple(key for key in RUN_KEYS if key != "model")
_FIRST = ("run_id", "configuration_id", "label", "status")
# Columns that every table has, an empty one too.
ALWAYS = (*_FIRST, "seed", "error.type", "error.message", "directory")
_RESULTS = (
    "parameters", "code", "dataset", TRAIN, *HELD_OUT, "time", "training", "epochs_trained",
    "history", "environment", "error", "directory", "sweep",
)  # fmt: skip
# The first words of columns that hold a number in every run that has a value there.
NUMBERS = {TRAIN, *HELD_OUT, "time", "history", "parameters", "epochs_trained"}


def flat(record: Record) -> Flat:
    """One record as a flat row; every name is there, with None where a run has no such value."""
    row: Flat = {
        "run_id": record.run_id,
        "configuration_id": record.configuration_id,
        "label": record.label,
        "status": str(record.status),
        # A setting that came later than the record was at its default.
        **({} if record.task else _usual_settings(_OWN_KEYS)),
        **flat_settings(record.config),
        "parameters": record.parameters,
        "code.sha256": record.code.sha256 if record.code else None,
    }
    parts = {
        "dataset": record.data if record.data.sha256 else None,
        "time": record.time,
        "training": record.training,
        "environment": record.environment,
        "error": record.error,
    }
    for prefix, part in parts.items():
        names: tuple[str, ...] = _PARTS[prefix]
        own = [getattr(part, name, None) for name in names]
        row |= zip(_dotted(prefix, names), own, strict=True)
    metrics = record.metrics or Metrics()
    for split in (TRAIN, *HELD_OUT):
        values = getattr(metrics, split).values
        names = tuple(dict.fromkeys((*_metric_names(split), *values)))
        row |= zip(_dotted(split, names), map(values.get, names), strict=True)
    for split in HELD_OUT:
        classes = getattr(metrics, split).per_class  # of the classes 0, 1, … in order
        labels = tuple(range(len(classes) or record.data.classes))
        for name in _class_metric_names(split):
            own = [getattr(one, name) for one in classes] or [None] * len(labels)
            row |= zip(_dotted(f"{split}.{name}", labels), own, strict=True)
    epochs = record.time.epoch_s if record.time else []
    row["time.epoch_s"] = median(epochs) if epochs else None
    history = {**vars(record.history), **(record.history.model_extra or {})}
    row["epochs_trained"] = max(map(len, history.values()))
    reached = record.history.val_accuracy
    row["history.val_accuracy"] = reached[-1] if reached else None
    return row


@lru_cache(10_000)
def _dotted(prefix: str, names: tuple[object, ...]) -> tuple[str, ...]:
    """Names of columns: the same strings in every row, which saves making and hashing them."""
    return tuple(f"{prefix}.{name}" for name in names)


def columns_of_planned(points: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, list[Any]]:
    """What is known of planned points without a record, by label and overrides: their settings.

    Raises:
        DirectoryError: They have more settings than any sweep.
    """
    found: dict[str, list[Any]] = {}
    for place, (label, overrides) in enumerate(points):
        kind = TASK_KEYS if label.startswith("task=") else RUN_KEYS
        for name, value in {**_usual_settings(kind), **settings_of(label, overrides)}.items():
            if name not in found:
                found[name] = [None] * len(points)
                if len(found) * len(points) > MAX_CELLS:
                    raise DirectoryError(
                        f"The {len(points):,} planned runs without a record have {len(found):,} "
                        f"settings or more, too many for a table: {name[:40]} …"
                    )
            found[name][place] = value
    return found


def result_columns(classes: int) -> list[str]:
    """The columns of a finished run, on data of so many classes, that its settings do not tell."""
    per_class = [
        f"{split}.{name}.{label}"
        for split in HELD_OUT
        for name in _class_metric_names(split)
        for label in range(classes)
    ]
    others = ("parameters", "code.sha256", "epochs_trained", "history.val_accuracy")
    return [*ALWAYS, *others, *_known_results(), *per_class]


def column_order(name: str) -> tuple[Any, ...]:
    """The sort key of a column: ids, settings in the schema's order, results as in files.md."""
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
    # Those of errors stay in the order of the alphabet: the message, which says most, is first.
    parts = {prefix: own for prefix, own in _PARTS.items() if prefix != "error"}
    known = {**parts, **{split: _metric_names(split) for split in (TRAIN, *HELD_OUT)}}
    known["time"] = (*known["time"], "epoch_s")
    names = [name for prefix, own in known.items() for name in _dotted(prefix, own)]
    return {name: place for place, name in enumerate(names)}


def value_of(record: Record, metric: Metric) -> float | None:
    """The metric's value in a record; None where the run has none."""
    row, columns = flat(record), [metric.column]
    if record.task:  # it may measure on the test split alone
        columns.append(f"{TEST}.{metric.name}")
    return next((float(row[name]) for name in columns if row.get(name) is not None), None)


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Flat:
    """Nested settings with dotted names; lists are kept, `model` is added as the builder's name."""
    row: Flat = {}
    for key, value in settings.items():
        if hasattr(value, "items"):  # a mapping, without asking its class for each of millions
            if not prefix and key == "model":
                row["model"] = str(value.get("_target_") or "").rpartition(".")[2]
            elif not prefix and key == "task" and value.get("_target_"):
                row["task"] = task_name(settings)
            row |= flat_settings(value, f"{prefix}{key}.")
        else:
            row[prefix + key] = value
    return row


@cache
def _usual_settings(keys: tuple[str, ...]) -> Flat:
    return flat_settings({key: value for key, value in defaults().items() if key in keys})
