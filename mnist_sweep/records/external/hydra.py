"""A plain Hydra multirun: a directory for each job, with `.hydra/` and what the job wrote.

A job's CSV file is read where no JSON or YAML file of it has numbers.
"""

from __future__ import annotations

import json
import os
import statistics
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external import csv
from mnist_sweep.records.external.found import Found, FoundRun, flattened, number, numbers_in
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import content, strict_yaml

MAX_DEPTH = 4
_ENDINGS = (".json", ".yaml", ".yml", ".csv")
# Columns by which the rows of a table come one after another; other rows are averaged.
_ORDERED = ("epoch", "step")
_INDICES = (*_ORDERED, "fold")


def find(path: Path) -> list[Path]:
    """The directories with a `.hydra/config.yaml`, at `path` and below."""
    found = []
    # Links are not followed: they could lead in circles. What may not be listed is passed over.
    for name, inside, _ in os.walk(path):
        place, may_hold_jobs = Path(name), False
        with suppress(OSError):  # not ours to read
            if (place / ".hydra" / "config.yaml").is_file():
                found.append(place)
            depth = len(place.relative_to(path).parts)
            # A sweep of ours below is no part of a multirun.
            may_hold_jobs = depth < MAX_DEPTH and not SweepPaths(place).sweep_json.exists()
        inside[:] = sorted(one for one in inside if one[0] != ".") if may_hold_jobs else []
    return found


def read(path: Path, jobs: list[Path]) -> Found:
    """The jobs, and the numbers in the JSON, YAML or CSV files beside their `.hydra/`."""
    found = Found("a Hydra multirun")
    counts: Counter[str] = Counter()
    for job in jobs:
        relative = job.relative_to(path).as_posix()
        run, place = FoundRun(path.name if relative == "." else relative, job), job
        try:
            own = [one for one in job.iterdir() if one.suffix in _ENDINGS]
            place = job / ".hydra" / "config.yaml"
            run.settings = hydra_settings(path, job)
        except (OSError, ValueError) as error:
            found.problems.append((place, reason(error)))
            continue
        # Tables last: they are read only where no other file has numbers.
        _read_files(run, sorted(own, key=lambda one: (one.suffix == ".csv", one)), found, counts)
        run.failed = "" if run.metrics else "no JSON, YAML or CSV file with numbers beside .hydra/"
        found.runs.append(run)
    used = " and ".join(name for name, _ in counts.most_common(3))
    names = dict.fromkeys(name for run in found.runs for name in run.metrics)
    found.notes.append(f"every number in {used} is a metric: {', '.join([*names][:8])}")
    if any(name.endswith(".csv") for name in counts):
        found.notes.append("the rows of a CSV file are in order of epoch or step, else averaged")
    return found


def _read_files(run: FoundRun, files: list[Path], found: Found, counts: Counter[str]) -> None:
    """Give a run the numbers in its files; `counts` says which were read."""
    for file in files:
        if file.suffix == ".csv" and run.metrics:
            break
        counts[file.name] += 1
        try:
            metrics, history = numbers_in(value_in(file))
        except (OSError, ValueError, RecursionError) as error:
            found.problems.append((file, reason(error)))
            continue
        for name, value in metrics.items():
            if number(run.settings.get(name)) != value:  # a copy of a setting
                run.metrics.setdefault(name, value)
                if name in history:
                    run.history.setdefault(name, history[name])


def value_in(file: Path) -> Any:
    """The value in a JSON, YAML or CSV file; of a CSV file its columns' means, or values in order.

    Raises:
        ValueError: It is empty, not UTF-8, or neither.
        OSError: It cannot be read.
    """
    if file.suffix in (".yaml", ".yml"):
        return strict_yaml(file)
    if file.suffix == ".csv":
        return _columns(file)
    text = content(file)[0].decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    return json.loads(text)  # may hold NaN, as Python writes it; `number` takes it for none


def _columns(file: Path) -> dict[str, float | list[float]]:
    """The columns of numbers of a job's table."""
    try:
        columns = csv.columns_of(file)
    except DirectoryError as error:
        raise ValueError(str(error)) from error
    found: dict[str, float | list[float]] = {}
    is_ordered = not columns.keys().isdisjoint(_ORDERED)
    for name, cells in columns.items():
        present = [cell for cell in cells if cell is not None]
        values = [one for cell in present if (one := number(cell)) is not None]
        if values and len(values) == len(present) and name not in _INDICES:
            found[name] = values if is_ordered and values[1:] else statistics.fmean(values)
    return found


def hydra_settings(directory: Path, place: Path) -> dict[str, Any]:
    """Flat settings of the nearest `.hydra/config.yaml`, from `place` up to `directory`."""
    for parent in (place, *place.parents):
        config = parent / ".hydra" / "config.yaml"
        if config.is_file():
            try:
                value = strict_yaml(config)
            except ValueError as error:
                raise ValueError(f"{config}: {reason(error)}") from error
            return flattened(value) if isinstance(value, dict) and value else {}
        if parent == directory:
            break
    return {}
