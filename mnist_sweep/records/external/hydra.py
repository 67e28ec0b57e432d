"""A plain Hydra multirun: a directory for each job, with `.hydra/` and what the job wrote."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_sweep.records.external.found import Found, FoundRun, flattened, number, numbers_in
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import content, strict_yaml

MAX_DEPTH = 4
_ENDINGS = (".json", ".yaml", ".yml")


def recognises(path: Path) -> bool:
    """Whether some directory below has a `.hydra/config.yaml`."""
    return next(_jobs(path), None) is not None


def read(path: Path) -> Found:
    """The jobs, and the numbers in the JSON and YAML files beside their `.hydra/`."""
    found = Found("a Hydra multirun")
    jobs = list(_jobs(path))
    files: dict[Path, list[Path]] = {}
    for job in jobs:
        try:
            files[job] = sorted(one for one in job.iterdir() if one.suffix in _ENDINGS)
        except OSError as error:
            found.problems.append((job, reason(error)))
    counts = Counter(file.name for own in files.values() for file in own)
    for job, own in files.items():
        relative = job.relative_to(path).as_posix()
        run = FoundRun(path.name if relative == "." else relative, job)
        try:
            run.settings = hydra_settings(path, job)
        except (OSError, ValueError) as error:
            found.problems.append((job / ".hydra" / "config.yaml", reason(error)))
            continue
        for file in own:
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
        run.failed = "" if run.metrics else "no JSON or YAML file with numbers beside .hydra/"
        found.runs.append(run)
    used = " and ".join(name for name, _ in counts.most_common(3))
    names = dict.fromkeys(name for run in found.runs for name in run.metrics)
    found.notes.append(f"every number in {used} is a metric: {', '.join([*names][:8])}")
    return found


def _jobs(path: Path, depth: int = 0) -> Iterator[Path]:
    """The directories with a `.hydra/config.yaml`, `path` included; links are not followed."""
    try:
        is_job = (path / ".hydra" / "config.yaml").is_file()
        is_leaf = depth == MAX_DEPTH or not path.is_dir() or SweepPaths(path).sweep_json.exists()
        inside = (
            []
            if is_leaf
            else sorted(e.path for e in os.scandir(path) if e.is_dir(follow_symlinks=False))
        )
    except OSError:  # not ours to read
        return
    if is_job:
        yield path
    for name in inside:
        if not Path(name).name.startswith("."):
            yield from _jobs(Path(name), depth + 1)


def value_in(file: Path) -> Any:
    """The value in a JSON or YAML file; JSON may hold NaN, which is no number here.

    Raises:
        ValueError: It is empty, not UTF-8, or neither.
        OSError: It cannot be read.
    """
    if file.suffix in (".yaml", ".yml"):
        return strict_yaml(file)
    text = content(file)[0].decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    return json.loads(text)


def hydra_settings(directory: Path, place: Path) -> dict[str, Any]:
    """Flat settings of the nearest `.hydra/config.yaml`, from `place` up to `directory`.

    Raises:
        ValueError: It cannot be read.
    """
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
