"""Runs shown where a team already looks: TensorBoard and MLflow, both optional extras.

An export is a function `export(sweep, options) -> Exported`, in a module of this folder or named by
an entry point in the group `mnist_sweep.exports`. A tracker's own package is imported inside
functions, so nothing else needs it. This folder imports records and settings, and no other exports.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from mnist_sweep.plugins import plugins
from mnist_sweep.records.fields import flat, flat_settings
from mnist_sweep.records.record import Record
from mnist_sweep.records.sweep import Sweep

BUILT_IN = ("tensorboard", "mlflow")


@dataclass(frozen=True)
class ExportOptions:
    """Where an export goes."""

    output: Path
    # A server or database instead of the folder; None for the folder.
    tracking_uri: str | None = None
    # The name under which the tracker shows the runs.
    experiment: str = ""


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    new: int
    # How many runs were there already, unchanged.
    known: int
    # Where they are, in words: "in outputs/grid/tensorboard".
    place: str
    # A shell command that shows them; empty if there is none.
    command: str = ""


Export = Callable[["Sweep", ExportOptions], Exported]


def names() -> list[str]:
    """The exports there are."""
    return [*BUILT_IN, *plugins("exports")]


def find(name: str) -> Export:
    """The export with a name of `names`."""
    if name in BUILT_IN:
        found: Export = import_module(f"{__name__}.{name}").export
        return found
    return plugins("exports")[name]  # type: ignore[no-any-return]


_RESULTS = ("train.", "validation.", "test.", "time.")


class Value(NamedTuple):
    """One value of a series: `time_s` is seconds since 1970, `step` an epoch from 1."""

    step: int
    time_s: float
    value: float


@dataclass(frozen=True)
class Content:
    """A run as a tracker takes it."""

    # Readable, unlike any other run's, and fit to be a directory's name.
    name: str
    # Name -> plain value; nested ones dotted.
    settings: dict[str, Any]
    # `epoch/loss`, `epoch/val_accuracy`, … -> one value per epoch; NaN where the record has null.
    series: dict[str, list[Value]]
    # `validation/accuracy`, `test/f1.8`, `time/train_s`, … -> value.
    results: dict[str, float]
    # Epochs carried out, the step of the results.
    epochs: int
    # Seconds since 1970; 0 where the record does not tell.
    started_s: float
    ended_s: float


def content(record: Record) -> Content:
    """The content of a record, finished or not; a function of the record alone."""
    time, started = record.time, record.environment.started_at
    started_s = datetime.fromisoformat(started).timestamp() if started else 0.0
    # A tracker's axis of time: when each epoch ended.
    epoch_s = time.epoch_s if time else []
    clock = [*accumulate(epoch_s, initial=started_s + ((time and time.compile_s) or 0.0))]
    series = {
        f"epoch/{name}": [
            Value(k, clock[min(k, len(clock) - 1)], math.nan if value is None else float(value))
            for k, value in enumerate(values, 1)
        ]
        for name, values in record.history.model_dump().items()
        if values
    }
    results = {
        name.replace(".", "/", 1): float(value)
        for name, value in flat(record).items()
        if (name.startswith(_RESULTS) or name == "parameters") and value is not None
    }
    settings = flat_settings(record.config)
    # Those that a builder takes over from the top (model.layers) are told once.
    twice = {f"model.{name}" for name, value in settings.items()
             if settings.get(f"model.{name}", ...) == value}  # fmt: skip
    # A label without what a path could mean something by; a record may be anybody's.
    name = re.sub(r"[^\w,=+.-]|^\.+", "_", record.label)[:180] or "run"
    return Content(
        name=f"{name}-{record.run_id}",
        settings={name: value for name, value in settings.items() if name not in twice},
        series=series,
        results=results,
        epochs=len(record.history.loss),
        started_s=started_s,
        ended_s=started_s + ((time and time.total_s) or clock[-1] - started_s),
    )
