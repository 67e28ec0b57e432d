"""What a reader finds in a directory of another program, and how names are understood."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import TEST, TRAIN, VALIDATION, definitions
from mnist_sweep.settings.all_settings import flat

Numbers = dict[str, float]  # name -> result
# Name -> values by epoch or step.
Series = dict[str, list[float | None]]

# What settings that are seeds are called, the most usual first.
SEEDS = ("seed", "random_seed", "random_state", "rng_seed", "manual_seed", "rng")
_SPLITS = {
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION,
    "validation": VALIDATION, "test": TEST, "testing": TEST, "eval": TEST, "evaluation": TEST,
}  # fmt: skip
# Metrics by which 'best' may be meant, the most usual first.
LEADING = ("accuracy", "acc", "f1", "auc", "score", "r2", "reward", "loss", "error", "rmse")
_RESERVED = ("per_class", "confusion", "values")
MAX_RUNS = 100_000


@dataclass
class FoundRun:
    """A run of another program."""

    name: str  # its path in the directory, or its id
    place: Path  # the file or directory that it was read from
    settings: dict[str, Any] = field(default_factory=dict)  # dotted name -> plain value
    metrics: Numbers = field(default_factory=dict)  # named as the program wrote them
    # Kept apart, as a result and its history may come from two files: the last of it is not always
    # the result.
    history: Series = field(default_factory=dict)
    # Why it has no result, though nothing is wrong with its files; empty if it has one.
    failed: str = ""
    experiment: str = ""  # of an MLflow store, the experiment's name

    def add(self, name: str, values: Sequence[Any]) -> None:
        """Add a metric by its values in order: the last is its result, several are its history."""
        numbers = [number(value) for value in values]
        if numbers and numbers[-1] is not None:
            self.metrics[name] = numbers[-1]
            # A single value that comes later, as of add_hparams, leaves the history.
            if len(numbers) > 1:
                self.history[name] = numbers


@dataclass
class Found:
    """All runs of a directory."""

    kind: str  # what wrote it, in words: 'a Hydra multirun'
    runs: list[FoundRun] = field(default_factory=list)
    # Files that could not be used, and why.
    problems: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what was assumed


def check_count(path: Path, count: int) -> None:
    """Refuse more runs than one table holds."""
    if count > MAX_RUNS:
        raise DirectoryError(f"{path} holds {count:,} runs; at most {MAX_RUNS:,} are read.")


def split_and_name(name: str, split: str = TEST) -> tuple[str, str]:
    """The split that a metric's name says, or `split`, and the rest: validation, acc of val/acc."""
    words = [word for word in re.split(r"[./]", name) if word]
    for place, word in enumerate(words):
        if word.lower() in _SPLITS and len(words) > 1:
            return _SPLITS[word.lower()], _plain("_".join(words[:place] + words[place + 1 :]))
    *group, last = words or [""]
    for part, rest in (last.partition("_")[::2], last.rpartition("_")[::-2]):
        if rest and part.lower() in _SPLITS:  # val_acc, acc_val
            return _SPLITS[part.lower()], _plain("_".join([*group, rest]))
    return split, _plain("_".join(words))


def _plain(name: str) -> str:
    name = name.removeprefix("epoch_").removeprefix("metrics_") or name
    name = name.lower() if name.lower() in (*LEADING, *definitions()) else name
    return f"{name}_" if name in _RESERVED else name


def flattened(value: Any) -> dict[str, Any]:
    """Nested mappings with dotted names; what is no mapping has an empty one."""
    return dict(flat(value)) if isinstance(value, Mapping) else {"": value}


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond any float
        return None


def numbers_in(value: Any) -> tuple[Numbers, Series]:
    """The numbers in nested mappings, by dotted name; and the lists of them, as histories."""
    metrics: Numbers = {}
    history: Series = {}
    for name, one in flattened(value).items():
        is_history = isinstance(one, list) and len(one) > 1
        values = one if is_history else [one]
        numbers = [number(entry) for entry in values]
        if (
            numbers[-1] is not None
            and all(isinstance(entry, (int, float)) for entry in values)
            and name != "schema_version"
        ):
            metrics[name] = numbers[-1]
            if is_history:
                history[name] = numbers
    return metrics, history
