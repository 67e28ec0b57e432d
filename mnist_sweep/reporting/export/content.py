"""What of a record goes to a tracker, under the same names in each: settings, series, results."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from mnist_sweep.records.fields import flat, flat_settings

if TYPE_CHECKING:
    from mnist_sweep.records.record import Record

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
