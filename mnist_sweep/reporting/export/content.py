"""What of a record goes to a tracker, under the same names in each: settings, series, results."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.fields import flat, flat_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.records.record import Record

_RESULTS = ("train.", "validation.", "test.", "time.")
HEADLINES = (
    "validation/f1_min", "validation/accuracy", "validation/f1", "validation/loss",
    "test/f1_min", "test/accuracy", "test/f1", "test/loss", "time/train_s", "parameters",
)  # fmt: skip
"""The results that a table of runs shows."""


@dataclass(frozen=True)
class Value:
    """One value of a series: `time_s` is seconds since 1970, `step` an epoch from 1."""

    step: int
    time_s: float
    value: float


@dataclass(frozen=True)
class Content:
    """A run as a tracker takes it.

    Attributes:
        name: Readable, unlike any other run's, and fit to be a directory's name.
        settings: Name -> plain value; nested ones dotted.
        series: `epoch/loss`, `epoch/val_accuracy`, … -> one value per epoch; NaN where the
            record has null.
        results: `validation/accuracy`, `test/f1.8`, `time/train_s`, … -> value.
        epochs: Epochs carried out, the step of the results.
        started_s: Seconds since 1970; 0 where the record does not tell.
        ended_s: The same.
    """

    name: str
    settings: dict[str, Any]
    series: dict[str, list[Value]]
    results: dict[str, float]
    epochs: int
    started_s: float
    ended_s: float


def content(record: Record) -> Content:
    """The content of a record, finished or not; a function of the record alone."""
    time = record.time
    started = record.environment.started_at
    started_s = datetime.fromisoformat(started).timestamp() if started else 0.0
    epoch_s = time.epoch_s if time else []
    clock = started_s + ((time.compile_s or 0.0) if time else 0.0)
    history = record.history.model_dump()
    series: dict[str, list[Value]] = {name: [] for name in history}
    for epoch in range(max(len(values) for values in history.values())):
        clock += epoch_s[epoch] if epoch < len(epoch_s) else 0.0
        for name, values in history.items():
            if epoch < len(values):
                value = math.nan if values[epoch] is None else float(values[epoch])
                series[name].append(Value(epoch + 1, clock, value))
    row = flat(record)
    results = {
        tag(name): float(value)
        for name, value in row.items()
        if (name.startswith(_RESULTS) or name == "parameters") and value is not None
    }
    total_s = (time.total_s if time else None) or max(clock - started_s, 0.0)
    return Content(
        name=f"{_file_name(record.label)}-{record.run_id}",
        settings=_settings(record.config),
        series={f"epoch/{name}": values for name, values in series.items() if values},
        results=results,
        epochs=len(record.history.loss),
        started_s=started_s,
        ended_s=started_s + total_s,
    )


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Flat settings; those that a builder takes over from the top (model.layers) are told once."""
    settings = flat_settings(config)
    twice = {
        name
        for name, value in settings.items()
        if name.startswith("model.") and settings.get(name.removeprefix("model."), ...) == value
    }
    return {name: value for name, value in settings.items() if name not in twice}


def tag(name: str) -> str:
    """A column of the runs table with its group before a slash, as trackers show groups."""
    return name.replace(".", "/", 1)


def differing(contents: Sequence[Content]) -> dict[str, bool]:
    """All settings' names, and whether the runs differ in it; those that do come first."""
    names = list(dict.fromkeys(name for one in contents for name in one.settings))
    differ = [n for n in names if len({repr(one.settings.get(n)) for one in contents}) > 1]
    return {**dict.fromkeys(differ, True), **{n: False for n in names if n not in differ}}


def _file_name(label: str) -> str:
    """A label without what a path could mean something by; a record may be anybody's."""
    return re.sub(r"[^\w,=+.-]|^\.+", "_", label)[:180] or "run"
