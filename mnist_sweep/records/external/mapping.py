"""What a user says of another program's directory: its files, its metrics, its seed.

`--record '*/results.json' --metric accuracy=metrics.test.acc`, or both in a YAML file. Settings
come from Hydra's own `.hydra/config.yaml` beside the file or above it; without one, a run is
identified by its directory's name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.records.external import csv
from mnist_sweep.records.external.found import (
    Found,
    FoundRun,
    Numbers,
    Series,
    check_count,
    number,
    numbers_in,
)
from mnist_sweep.records.external.hydra import hydra_settings
from mnist_sweep.records.external.values import value_in
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import strict_yaml

_EXAMPLE = "record: '*/results.json', metrics: {accuracy: metrics.test.acc}"


class ResultMapping(BaseModel):
    """How to read a directory that this program did not write."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    # Glob of JSON, YAML or CSV files, relative to the directory; None finds them.
    record: str | None = None
    # Name -> dotted path into the file, or column; a number counts in a list, -1 is its last. Empty
    # takes every number.
    metrics: dict[str, str] = {}
    # Metrics of which less is better; None guesses by name (loss, error, time).
    lower_is_better: list[str] | None = None
    seed: str = "seed"  # the setting that is the seed, if there is one of this name
    # Of an MLflow store, the name of the experiment that is read; None reads all.
    experiment: str | None = None

    @field_validator("record")
    @classmethod
    def _is_inside(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value or Path(value).is_absolute() or ".." in Path(value).parts:
            raise ValueError(
                f"expected a glob inside the directory, such as '*/results.json', got {value!r}"
            )
        return value

    @field_validator("metrics", mode="before")
    @classmethod
    def _are_named(cls, value: Any) -> Any:
        return {name: name for name in value} if isinstance(value, list) else value

    def is_lower(self, name: str) -> bool:
        """Whether less of a metric is better, by `lower_is_better`."""
        known = self.lower_is_better or ()
        return name in known or name.partition(".")[2] in known


def mapping_of(
    record: str | None, metrics: Sequence[str], experiment: str | None = None
) -> ResultMapping | None:
    """A mapping from the command line's words, NAME=PATH or PATH for a metric; None without any.

    Raises:
        UsageError: A metric is given twice or malformed, or the glob leads out.
    """
    if record is None and not metrics and experiment is None:
        return None
    found: dict[str, str] = {}
    for word in metrics:
        name, equals, path = word.partition("=")
        name, path = name.strip(), (path if equals else name).strip()
        if not name or not path or name in found:
            raise UsageError(
                f"Expected --metric NAME=PATH, each name once, got {word!r}. "
                "For example: --metric test_acc=metrics.accuracy."
            )
        found[name] = path
    try:
        return ResultMapping(record=record, metrics=found, experiment=experiment)
    except ValidationError as error:
        raise UsageError(f"--record and --metric: {reason(error)}.") from error


def read_mapping(path: Path) -> ResultMapping:
    """A mapping from a YAML file with `record`, `metrics`, and perhaps the rest.

    Raises:
        UsageError: The file cannot be read or is not such a mapping.
    """
    try:
        return ResultMapping.model_validate(strict_yaml(path))
    except (OSError, ValueError) as error:
        found = " ".join(reason(error).split())
        raise UsageError(
            f"Expected a mapping (YAML) at {path}, such as {_EXAMPLE}: {found}."
        ) from error


def read_mapped(path: Path, mapping: ResultMapping) -> Found:
    """The runs in the files that a mapping names; unusable files become problems."""
    if not path.exists():
        raise DirectoryError(f"Expected a directory at {path}, but there is none. Name another.")
    pattern = mapping.record or "*"
    top = path.parent if path.is_file() else path
    files = [path] if path.is_file() else sorted(one for one in path.glob(pattern) if one.is_file())
    if not files:
        inside = ", ".join(sorted(child.name for child in path.iterdir())[:5]) or "nothing"
        raise DirectoryError(
            f"Expected files like {pattern} in {path}, but none matches; it holds {inside}. "
            "Change --record."
        )
    check_count(path, len(files))
    found = Found(f"files like {pattern}")
    for file in files:
        try:
            settings = hydra_settings(top, file.parent)
            if csv.find(file) and not settings:
                table = csv.read(file, [file], [*mapping.metrics.values()])
                for run in table.runs:
                    if len(files) > 1:
                        run.name = f"{file.relative_to(top).as_posix()}: {run.name}"
                    choose(run, mapping, found)
                found.runs += table.runs
                found.problems += table.problems
                continue
            label = file.parent.relative_to(top).as_posix()
            run = FoundRun(file.stem if label == "." else label, file)
            run.settings = settings or {"run_directory": run.name}
            run.metrics, run.history = _metrics(file, mapping, found)
        except (OSError, ValueError, RecursionError) as error:
            found.problems.append((file, " ".join(reason(error).split())))
            continue
        found.runs.append(run)
    return found


def choose(run: FoundRun, mapping: ResultMapping, found: Found) -> None:
    """Keep, of a run that a reader found, the metrics that the mapping names."""
    if not mapping.metrics or run.failed:
        return
    absent = [one for one in mapping.metrics.values() if one not in run.metrics]
    if absent:
        known = ", ".join([*run.metrics][:8]) or "none"
        found.problems.append((run.place, f"no {', '.join(absent)}; there is {known}"))
    own, history = run.metrics, run.history
    run.metrics = {name: own[one] for name, one in mapping.metrics.items() if one in own}
    run.history = {name: history[one] for name, one in mapping.metrics.items() if one in history}
    run.failed = "" if run.metrics else f"no {', '.join(absent)}"


def _metrics(file: Path, mapping: ResultMapping, found: Found) -> tuple[Numbers, Series]:
    """The metrics of a file and their history; what is not there becomes a problem."""
    value = value_in(file)
    every, history = numbers_in(value)
    if not mapping.metrics:
        if not every:
            raise ValueError("there is no number in it")
        return every, history
    metrics: Numbers = {}
    reasons = []
    for name, path in mapping.metrics.items():
        try:
            metrics[name] = every[path] if path in every else _number(value, path)
        except ValueError as error:
            reasons.append(str(error))
    if not metrics:
        raise ValueError("; ".join(reasons))
    if reasons:
        found.problems.append((file, "; ".join(reasons)))
    # The last of a list has the list as its history.
    paths = {name: path.removesuffix(".-1") for name, path in mapping.metrics.items()}
    return metrics, {name: history[path] for name, path in paths.items() if path in history}


def _number(value: Any, path: str) -> float:
    """The number at a dotted path; the error says how far the path led."""
    steps = path.split(".")
    for index, step in enumerate(steps, 1):
        so_far = ".".join(steps[:index])
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,9}", step):
            if not -len(value) <= int(step) < len(value):
                raise ValueError(f"no {so_far}: the list has {len(value)} entries")
            value = value[int(step)]
        else:
            names = list(value)[:8] if isinstance(value, dict) else []
            known = f"; there is {', '.join(map(str, names))}" if names else ""
            raise ValueError(f"no {so_far}{known}")
    if (found := number(value)) is None:
        raise ValueError(f"{path} is {repr(value)[:40]}, not a finite number")
    return found
