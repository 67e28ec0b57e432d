"""A record as one flat row: the names by which tables, conditions and data frames address it.

`run_id`, `configuration_id`, `label`, `status`, `parameters`
    As in the record.
`layers`, `nodes`, …, `trainer.name`, `early_stopping.patience`, …
    Settings; nested ones dotted. `model` is the builder's name, the last part of `model._target_`.
`dataset.name`, `.source`, `.sha256`, `.classes`, `.n_train`, `.n_validation`, `.n_test`, `.notice`
    The data that were used (`data.name` is the setting, which may be auto).
`train.loss`, `train.accuracy`
    The final weights on the training split.
`validation.loss`, `.accuracy`, `.precision`, `.recall`, `.f1`, `.f1_min`; `test.…`
    The final weights on that split; macro averages.
`validation.f1.8`, `.precision.8`, `.recall.8`; `test.…`
    Of one class.
`time.compile_s`, `.train_s`, `.evaluate_s`, `.total_s`, `.epoch_s`
    Seconds; `epoch_s` is the median epoch.
`epochs_trained`, `history.val_accuracy`
    Epochs carried out, and the validation accuracy after the last of them, of every run that has
    any, finished or not.
`environment.python`, …
    As in the record.
`error.type`, `error.message`
    Of a run that did not finish.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

from mnist_sweep.settings import NESTED, RUN_KEYS, defaults, known_keys

if TYPE_CHECKING:
    from mnist_sweep.metrics import Metric
    from mnist_sweep.records.collect import Missing
    from mnist_sweep.records.record import Record, SplitMetrics

Flat = dict[str, Any]
"""Name (see above) -> plain value; None where the record has none."""
FlatValues = Mapping[str, Any]
"""The same for who only reads it: it may lie in an index."""

SPLITS = ("validation", "test")
_SUMMARIES = ("loss", "accuracy", "precision", "recall", "f1", "f1_min")
_PER_CLASS = ("f1", "precision", "recall")
_TIMES = ("compile_s", "train_s", "evaluate_s", "total_s")


def flat(record: Record) -> Flat:
    """One record as a flat row; every name is there, with None where a run has no such value."""
    row: Flat = {
        "run_id": record.run_id,
        "configuration_id": record.configuration_id,
        "label": record.label,
        "status": record.status,
        **flat_settings(record.config),
        "parameters": record.parameters,
    }
    for name in ("name", "source", "sha256", "classes", "n_train", "n_validation", "n_test"):
        row[f"dataset.{name}"] = getattr(record.data, name)
    row["dataset.notice"] = record.data.notice
    metrics = record.metrics
    row["train.loss"] = metrics.train.loss if metrics else None
    row["train.accuracy"] = metrics.train.accuracy if metrics else None
    for split in SPLITS:
        values = getattr(metrics, split) if metrics else None
        row |= _flat_split(split, values, record.data.classes)
    for name in _TIMES:
        row[f"time.{name}"] = getattr(record.time, name) if record.time else None
    epochs = record.time.epoch_s if record.time else []
    row["time.epoch_s"] = median(epochs) if epochs else None
    row["epochs_trained"] = len(record.history.loss)
    reached = record.history.val_accuracy
    row["history.val_accuracy"] = reached[-1] if reached else None
    row |= {f"environment.{name}": value for name, value in record.environment.model_dump().items()}
    row["error.type"] = record.error.type if record.error else None
    row["error.message"] = record.error.message if record.error else None
    return row


def value_of(record: Record, metric: Metric) -> float | None:
    """The metric's value in a record; None where the run has none."""
    value = flat(record).get(metric.column)
    return None if value is None else float(value)


@lru_cache
def settings_names(layout: tuple[str, ...]) -> tuple[str, ...]:
    """Which of a flat record's names, in their order, are of settings."""
    return layout[layout.index("status") + 1 : layout.index("parameters")]


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Flat:
    """Nested settings with dotted names; lists are kept, `model` is added as the builder's name."""
    row: Flat = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            if not prefix and key == "model":
                row["model"] = str(value.get("_target_") or "").rpartition(".")[2]
            row |= flat_settings(value, f"{prefix}{key}.")
        else:
            row[prefix + key] = value
    return row


def flat_missing(missing: Missing) -> Flat:
    """What is known of a planned point without a record: its settings."""
    row: Flat = {"run_id": missing.run_id, "label": missing.label, "status": "missing"}
    usual = {key: value for key, value in defaults().items() if key in RUN_KEYS}
    return {**flat_settings(usual), **settings_of(missing.label, missing.overrides), **row}


def settings_of(label: str, overrides: tuple[str, ...] = ()) -> Flat:
    """The settings that a label (`layers=2,nodes=300,seed=0`) and overrides spell out.

    What is no setting of this program is passed over: a directory's name can be anything.
    """
    dotted = {name: f"{key}.{name}" for key in ("early_stopping",) for name in _names(key)}
    dotted |= {name: f"trainer.{name}" for name in _names("trainer") if name != "name"}
    dotted["trainer"] = "trainer.name"
    known = {key for key in known_keys() if key.partition(".")[0] in RUN_KEYS}
    row: Flat = {}
    for part in (*label.rstrip("~").split(","), *overrides):
        key, equals, value = part.partition("=")
        key = key.lstrip("+~")
        key = dotted.get(key, key)
        if equals and (key in known or key.startswith("model.")):
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


def _names(key: str) -> list[str]:
    return [f.name for f in dataclasses.fields(NESTED[key])]


def _flat_split(split: str, values: SplitMetrics | None, classes: int) -> Flat:
    row: Flat = {f"{split}.{name}": getattr(values, name, None) for name in _SUMMARIES}
    per_class = {entry.label: entry for entry in values.per_class} if values else {}
    for name in _PER_CLASS:
        for label in per_class or range(classes):
            row[f"{split}.{name}.{label}"] = getattr(per_class.get(label), name, None)
    return row
