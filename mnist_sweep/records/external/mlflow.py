"""An MLflow store of files (`mlruns/`) or in SQLite (`mlflow.db`), read without MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external.found import Found, FoundRun
from mnist_sweep.records.paths import scalar
from mnist_sweep.records.reading import reason
from mnist_sweep.safe_files import content, strict_yaml

DATABASE = "mlflow.db"
# In a store of files the status is a number of MLflow's protocol (`RunStatus` in service.proto).
_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_RUNS = """
SELECT run_uuid, status, name FROM
(SELECT run_uuid, status, experiment_id, start_time FROM runs WHERE lifecycle_stage = 'active')
JOIN experiments USING (experiment_id) WHERE lifecycle_stage = 'active'
ORDER BY start_time, run_uuid
"""
_HISTORY = """
SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics
ORDER BY run_uuid, key, step, timestamp, value
"""


def find(path: Path) -> list[Path]:
    """The database, or the `meta.yaml` of each run: of a store, of one inside, of an experiment."""
    file = path / DATABASE if path.is_dir() else path
    if file.suffix == ".db" and file.is_file():
        return [file]
    for pattern in ("*/*/meta.yaml", "mlruns/*/*/meta.yaml", "*/meta.yaml"):
        own = [meta for meta in sorted(path.glob(pattern)) if (meta.parent / "metrics").is_dir()]
        # Deleted experiments stay there until `mlflow gc`.
        if own := [meta for meta in own if ".trash" not in meta.parts]:
            return own
    return []


def read(_path: Path, places: list[Path]) -> Found:
    """The runs with their parameters, last metrics and their history."""
    found = Found("an MLflow store")
    if places[0].suffix == ".db":
        try:
            found.runs += _runs_in(places[0])
        except sqlite3.Error as error:
            raise DirectoryError(f"Expected MLflow's database at {places[0]}: {error}.") from error
        return found
    names = {folder: _experiment(folder) for folder in {meta.parent.parent for meta in places}}
    for meta in places:
        try:
            about = strict_yaml(meta)
            if about.get("lifecycle_stage") != "deleted":
                found.runs.append(_run(meta.parent, about))
                found.runs[-1].experiment = names[meta.parent.parent]
        except (OSError, ValueError, AttributeError) as error:
            found.problems.append((meta, reason(error)))
    return found


def _experiment(directory: Path) -> str:
    with suppress(OSError, ValueError, AttributeError):
        return str(strict_yaml(directory / "meta.yaml").get("name") or directory.name)
    return directory.name


def _run(directory: Path, about: dict[str, Any]) -> FoundRun:
    run = FoundRun(str(about.get("run_id") or directory.name), directory)
    for name, text in _texts(directory / "params"):
        run.settings[name] = scalar(text)
    for name, text in _texts(directory / "metrics"):
        lines = [line.split() for line in text.splitlines() if line]
        # Timestamp, value, step: the last is what MLflow calls the latest.
        lines.sort(key=lambda words: (*map(int, words[2:]), int(words[0]), float(words[1])))
        run.add(name, [float(words[1]) for words in lines])
    status = about.get("status")
    status = _STATUS.get(status, status) if isinstance(status, int) else status
    _check_status(run, str(status))
    return run


def _texts(directory: Path) -> Iterator[tuple[str, str]]:
    """The files below a directory: their paths are names, which may have slashes."""
    for file in sorted(directory.rglob("*")):
        if file.is_file():
            yield file.relative_to(directory).as_posix(), content(file)[0].decode("utf-8")


def _check_status(run: FoundRun, status: str) -> None:
    if status in ("FAILED", "KILLED", "RUNNING", "SCHEDULED"):
        run.failed = f"MLflow says {status}"
        run.metrics, run.history = {}, {}
    elif not run.metrics:
        run.failed = "it logged no metric"


def _runs_in(database: Path) -> list[FoundRun]:
    # Opened for reading alone: MLflow may be writing.
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as store:
        runs = {
            key: (FoundRun(key, database, experiment=experiment), status)
            for key, status, experiment in store.execute(_RUNS)
        }
        for key, name, value in store.execute("SELECT run_uuid, key, value FROM params"):
            if key in runs:
                runs[key][0].settings[name] = scalar(value)
        series: dict[tuple[str, str], list[float | None]] = {}
        for key, name, value in store.execute(_HISTORY):
            series.setdefault((key, name), []).append(value)
    for (key, name), values in series.items():
        if key in runs:
            runs[key][0].add(name, values)
    for run, status in runs.values():
        _check_status(run, status)
    return [run for run, _ in runs.values()]
