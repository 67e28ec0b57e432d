"""Found runs as records of tasks, in a directory of the cache: from there on they are a sweep."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import platformdirs

from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import TEST, TRAIN, VALIDATION, declared
from mnist_sweep.records import store
from mnist_sweep.records.external import csv, hydra, mlflow, tensorboard
from mnist_sweep.records.external.assumptions import (
    choose_experiment,
    name_columns,
    scale_percentages,
    take_seeds,
)
from mnist_sweep.records.external.found import LEADING, Found, FoundRun, Series, check_count
from mnist_sweep.records.external.mapping import ResultMapping, choose, read_mapped
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import Invocation, PlanFile, PlannedPoint, write_plan
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import to_json
from mnist_sweep.settings import configuration_id, label, run_id

# Name of a kind, the task of its runs -> its module. `find(path)` gives the places that hold its
# runs, none where it is of another kind; `read(path, places)` reads them.
READERS: dict[str, ModuleType] = {
    "hydra": hydra, "mlflow": mlflow, "tensorboard": tensorboard, "csv": csv,
}  # fmt: skip
_PREFIX = {TRAIN: "", VALIDATION: "val_", TEST: "test_"}


def recognised(path: Path) -> tuple[str, list[Path]]:
    """Which kind of directory (or file) this is, and its places; 'files' for no known kind."""
    for kind, reader in READERS.items():
        if places := reader.find(path):
            return kind, places
    return "files", []


def convert(
    path: Path,
    kind: str,
    places: list[Path],
    mapping: ResultMapping | None = None,
    split: str = TEST,
) -> tuple[Path, Found]:
    """Write the runs of another program as a sweep, and say what was found.

    `kind` and `places` are those of `recognised`; `split` is that of metrics whose names say none.

    Raises:
        DirectoryError: It is of no known kind, or none of its runs can be used.
        UsageError: The mapping names an experiment that is not there.
    """
    found = _read(path, kind, places, mapping)
    mapping = mapping or ResultMapping()
    check_count(path, len(found.runs))  # of a table and a database only now
    choose_experiment(path, found, mapping)
    if not any(run.metrics for run in found.runs):
        reasons = [f"{place}: {why}" for place, why in found.problems]
        reasons += [f"{run.place}: {run.failed or 'no metric'}" for run in found.runs]
        raise DirectoryError(
            f"Expected runs with metrics in {path} ({found.kind}), but there is none: "
            f"{'; '.join(reasons[:3]) or 'nothing was found'}. Say what is a metric: "
            "--metric NAME=PATH, with --record GLOB for other files."
        )
    name_columns(found, mapping, split)
    seeds = take_seeds(found, mapping)
    scale_percentages(found)
    by_id: dict[str, Record] = {}
    for run, seed in zip(_varying_first(found.runs), seeds, strict=True):
        record = _record(kind, run, seed, found)
        if record and by_id.setdefault(record.run_id, record) is not record:
            found.problems.append((run.place, f"another run is called {run.name}, too"))
    records = [*by_id.values()]
    if not records:
        place, why = found.problems[0]
        raise DirectoryError(f"None of the runs in {path} can be used: {place}: {why}.")
    keys = Counter((one.configuration_id, one.config["seed"]) for one in records if one.metrics)
    if again := keys.total() - len(keys):
        found.notes.append(
            f"{again} of {len(records)} runs have the settings and the seed of another: if these "
            "are several experiments, give the directory of one"
        )
    return _write(path, mapping, records, _objective(found, mapping)), found


def _read(path: Path, kind: str, places: list[Path], mapping: ResultMapping | None) -> Found:
    is_table = kind == "csv" and path.is_file()  # its metrics may have any name
    if mapping is not None and (mapping.record or is_table or kind not in READERS):
        return read_mapped(path, mapping)
    if kind not in READERS:
        raise DirectoryError(
            f"Expected results of another program at {path}, but none were recognised (Hydra, "
            "MLflow, TensorBoard, CSV). Say which files hold results: --record '*/results.json'."
        )
    check_count(path, len(places))
    found: Found = READERS[kind].read(path, places)
    if mapping is not None:
        choose(found, mapping)
    return found


def _varying_first(runs: Sequence[FoundRun]) -> Sequence[FoundRun]:
    """Put settings in which runs differ before the others, since labels are cut."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.settings.items():
            values.setdefault(name, set()).add(repr(value))
    for run in runs:
        run.settings = dict(sorted(run.settings.items(), key=lambda one: len(values[one[0]]) == 1))
    return runs


def _record(kind: str, run: FoundRun, seed: int | None, found: Found) -> Record | None:
    config = {"task": {"_target_": kind, **run.settings}, "seed": seed}
    metrics: dict[str, dict[str, float]] = {}
    history: Series = {}
    for column, value in run.metrics.items():
        own, _, name = column.partition(".")
        metrics.setdefault(own, {})[name] = value
        if series := run.history.get(column):
            history[f"{_PREFIX[own]}{name}"] = series
    status = RunStatus.FINISHED if run.metrics else RunStatus.FAILED
    error = {"type": "NoResult", "message": run.failed or "no metric was found"}
    values = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id({"name": run.name, **config}),
        "configuration_id": configuration_id(config),
        "label": label(config),
        "status": status,
        "task": kind,
        "config": config,
        "data": None,
        "history": history,
        "metrics": metrics if run.metrics else None,
        "error": None if run.metrics else error,
    }
    try:
        return build(values)
    except ValueError as error:
        found.problems.append((run.place, reason(error)))
        return None


def _objective(found: Found, mapping: ResultMapping) -> str:
    """The metric by which 'best' is meant: of a mapping its first, else the most usual one."""
    names = next([*run.metrics] for run in found.runs if run.metrics)
    name = names[0]
    if not mapping.metrics:
        splits = (VALIDATION, TEST, TRAIN)
        ranks = {
            one: (splits.index(own) == 2, LEADING.index(last), splits.index(own))
            for one in names
            for own, _, last in [one.partition(".")]
            if last in LEADING
        }
        name = min(ranks, key=ranks.__getitem__, default=name)
    if mapping.lower_is_better is not None:
        return f"{'lowest' if mapping.is_lower(name) else 'highest'}:{name}"
    return declared(name)


def _write(path: Path, mapping: ResultMapping, records: Sequence[Record], objective: str) -> Path:
    """Write what differs from what the cache holds, and remove what has gone."""
    root = os.environ.get("MNIST_SWEEP_CACHE") or platformdirs.user_cache_path(
        "mnist-sweep", appauthor=False
    )
    text = f"{path.resolve()} {mapping.model_dump_json()}"
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    paths = SweepPaths(Path(root).expanduser() / "external" / f"{path.name or 'root'}-{digest}")
    kept = set()
    for record in records:
        run = paths.run(record.label, record.run_id)
        kept.add(run.directory.name)
        written = to_json(record)
        with suppress(OSError):
            if run.record.read_bytes() == written.encode():
                continue
        store.write_text(run.record, written)
    for old in paths.runs.iterdir():
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
    points = tuple(PlannedPoint(run_id=one.run_id, label=one.label) for one in records)
    invocation = Invocation(config={"objective": objective}, points=points)
    write_plan(paths.directory, PlanFile(name=path.name, invocations=(invocation,)))
    return paths.directory
