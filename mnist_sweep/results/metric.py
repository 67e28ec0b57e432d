"""Metrics by name: which value of a record it is, on which split, and whether more is better."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mnist_sweep.errors import SelectionError
from mnist_sweep.results.fields import SPLITS, flat

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mnist_sweep.results.record import Record

SUMMARIES = ("f1_min", "f1", "accuracy", "precision", "recall", "loss")
_PER_CLASS = re.compile(r"(f1|precision|recall)\.\d+")
_TRAIN = ("train.loss", "train.accuracy")
_COSTS = (
    "time.compile_s", "time.train_s", "time.evaluate_s", "time.total_s", "time.epoch_s",
    "parameters", "epochs_trained",
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One number of a record.

    `column` is its name in `fields`; `name` what a person calls it; `split` is None for values that
    belong to no split (times, parameters).
    """

    column: str
    name: str
    split: str | None
    higher_is_better: bool

    def __str__(self) -> str:
        return f"{self.split} {self.name}" if self.split else self.name


def resolve(name: str, split: str = "validation", classes: int | None = None) -> Metric:
    """The metric that `name` means: f1_min, test.accuracy, f1.8, time.train_s, train.loss.

    Args:
        name: As the user wrote it; a split before a dot goes before `split`.
        split: The split meant where the name holds none.
        classes: Number of classes, to check the class of `f1.8`; None leaves that out.

    Raises:
        SelectionError: There is no such metric or split; the text suggests one.
    """
    if split not in SPLITS:
        raise SelectionError(f"No split {split!r}: expected one of {', '.join(SPLITS)}.")
    if name in _COSTS:
        return Metric(name, name, None, higher_is_better=False)
    if name in _TRAIN:
        short = name.removeprefix("train.")
        return Metric(name, short, "train", higher_is_better=short != "loss")
    first, dot, rest = name.partition(".")
    own_split, short = (first, rest) if dot and first in SPLITS else (split, name)
    if short in SUMMARIES or _PER_CLASS.fullmatch(short):
        digit = short.partition(".")[2]
        if digit and classes is not None and int(digit) >= classes:
            raise SelectionError(
                f"No metric {name!r}: the classes are 0 to {classes - 1}, got {digit}."
            )
        short = f"{short.partition('.')[0]}.{int(digit)}" if digit else short
        return Metric(f"{own_split}.{short}", short, own_split, higher_is_better=short != "loss")
    raise SelectionError(f"No metric {name!r}; {_closest(name, _known())}")


def value_of(record: Record, metric: Metric) -> float | None:
    """The metric's value in a record; None where the run has none."""
    value = flat(record).get(metric.column)
    return None if value is None else float(value)


def closest(name: str, among: Collection[str]) -> str:
    """'did you mean f1_min?', or what is known, for a name that is not among `among`."""
    return _closest(name, sorted(among))


def _known() -> list[str]:
    splits = [f"{split}.{name}" for split in SPLITS for name in SUMMARIES]
    return [*SUMMARIES, *splits, *_TRAIN, *_COSTS]


def _closest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    short = [key for key in known if not key.startswith(("validation.", "test.", "environment."))]
    return f"known: {', '.join(short)}, and f1.8 for one class's; test. or validation. before it."
