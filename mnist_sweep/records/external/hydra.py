"""A plain Hydra multirun: a directory for each job, with `.hydra/` and what the job wrote.

A job's CSV file is read where no JSON or YAML file of it has numbers.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from mnist_sweep.records.external.found import Found, FoundRun, flattened, number, numbers_in
from mnist_sweep.records.external.values import value_in
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import strict_yaml

MAX_DEPTH = 4
_ENDINGS = (".json", ".yaml", ".yml", ".csv")


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
