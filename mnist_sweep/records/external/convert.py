"""Found runs as records of tasks, in a directory of the cache: from there on they are a sweep.

What the files do not say is assumed, with a note of each assumption: which names are splits, which
setting is the seed, whether a share is in percent.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

from mnist_sweep.errors import DirectoryError, UsageError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN, VALIDATION, declared, definitions
from mnist_sweep.records import store
from mnist_sweep.records.external import csv, hydra, mlflow, tensorboard
from mnist_sweep.records.external.found import (
    LEADING,
    SEEDS,
    Found,
    FoundRun,
    Numbers,
    Series,
    check_count,
    number,
    split_and_name,
)
from mnist_sweep.records.external.mapping import ResultMapping, choose, read_mapped
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import Invocation, PlanFile, PlannedPoint, write_plan
from mnist_sweep.records.reading import reason
from mnist_sweep.records.record import SCHEMA_VERSION, Record, build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import configuration_id, label, run_id

# Name of a kind, the task of its runs -> its module. `find(path)` gives the places that hold its
# runs, none where it is of another kind; `read(path, places)` reads them.
READERS: dict[str, ModuleType] = {
    "hydra": hydra, "mlflow": mlflow, "tensorboard": tensorboard, "csv": csv,
}  # fmt: skip
_PREFIX = {TRAIN: "", VALIDATION: "val_", TEST: "test_"}


def recognised(path: Path) -> tuple[str, list[Path]]:
    """Which kind of directory (or file) this is, and its places; 'files' for no known kind."""
    kinds = ((kind, reader.find(path)) for kind, reader in READERS.items())
    return next(((kind, places) for kind, places in kinds if places), ("files", []))


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
    _choose_experiment(path, found, mapping)
    if not any(run.metrics for run in found.runs):
        reasons = [f"{place}: {why}" for place, why in found.problems]
        reasons += [f"{run.place}: {run.failed or 'no metric'}" for run in found.runs]
        raise DirectoryError(
            f"Expected runs with metrics in {path} ({found.kind}), but there is none: "
            f"{'; '.join(reasons[:3]) or 'nothing was found'}. Say what is a metric: "
            "--metric NAME=PATH, with --record GLOB for other files."
        )
    for run in found.runs:
        run.settings = {name: _plain(value) for name, value in run.settings.items()}
        _name_columns(run, split, said=bool(mapping.metrics))
    seeds = [*_seeds(found, mapping)]
    _scale_percentages(found)
    # Settings in which runs differ come before the others, since labels are cut.
    values: dict[str, set[str]] = {}
    for run in found.runs:
        for name, value in run.settings.items():
            values.setdefault(name, set()).add(repr(value))
    by_id: dict[str, Record] = {}
    for run, seed in zip(found.runs, seeds, strict=True):
        run.settings = dict(sorted(run.settings.items(), key=lambda one: len(values[one[0]]) == 1))
        record = _record(kind, run, seed, found)
        if record and by_id.setdefault(record.run_id, record) is not record:
            found.problems.append((run.place, f"another run is called {run.name}, too"))
    records = [*by_id.values()]
    if not records:
        place, why = found.problems[0]
        raise DirectoryError(f"None of the runs in {path} can be used: {place}: {why}.")
    # Repeats differ in seed; equal ones are mostly two experiments below one directory.
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
        for run in found.runs:
            choose(run, mapping, found)
    return found


def _choose_experiment(path: Path, found: Found, mapping: ResultMapping) -> None:
    """Keep the runs of the chosen experiment; without a choice it is a setting, and said."""
    names = sorted({run.experiment for run in found.runs if run.experiment})
    listed = ", ".join(map(repr, names))
    if (wanted := mapping.experiment) is not None:
        if wanted not in names:
            known = f"known: {listed}" if names else "only MLflow stores have experiments"
            raise UsageError(f"There is no experiment {wanted!r} in {path}; {known}.")
        found.runs = [run for run in found.runs if run.experiment == wanted]
        found.notes.append(f"only the experiment {wanted!r}")
    elif len(names) > 1:
        found.notes.append(
            f"its experiments are mixed, as a setting: {listed}; choose one with --experiment NAME"
        )
        for run in found.runs:
            run.settings.setdefault("experiment", run.experiment)


def _plain(value: Any) -> Any:
    """A setting as JSON may hold it; a date, a number without end and the like as text."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    is_plain = value is None or isinstance(value, bool | int | str) or number(value) is not None
    return value if is_plain else str(value)


def _name_columns(run: FoundRun, split: str, *, said: bool) -> None:
    """Name metrics by column, of `split` where a name says none; those the user `said` stay."""
    metrics: Numbers = {}
    history: Series = {}
    for name in sorted(run.metrics, key=_is_of_epochs):
        first, dot, _ = name.partition(".")
        if not said:
            column = ".".join(split_and_name(name, split))
        elif dot and first in (TRAIN, *HELD_OUT):
            column = name
        else:
            column = f"{split}.{name.replace('.', '_')}"
        if column in metrics and not _is_of_epochs(name):  # val/loss and loss_val: both are kept
            column = f"{split}.{re.sub('[./]', '_', name)}"
        metrics.setdefault(column, run.metrics[name])
        if name in run.history:  # perhaps under another name than the result: epoch_loss, of loss
            history.setdefault(column, run.history[name])
    run.metrics, run.history = metrics, history


def _is_of_epochs(name: str) -> bool:
    return "epoch" in re.split("[._/]", name)


def _seeds(found: Found, mapping: ResultMapping) -> Iterator[int | None]:
    """Take the seeds out of the settings; without one, number the repeats."""
    names = dict.fromkeys(name for run in found.runs for name in run.settings)
    # A group may stand before it (`trainer.seed`); the most usual name counts.
    called = {name: name.rpartition(".")[2].lower() for name in names}
    usual = sorted((SEEDS.index(last), name) for name, last in called.items() if last in SEEDS)
    if mapping.seed in names or usual:
        seed = mapping.seed if mapping.seed in names else usual[0][1]
        found.notes.append(f"the seed is the setting {seed}")
        for run in found.runs:
            value = run.settings.pop(seed, None)
            yield value if isinstance(value, int) and not isinstance(value, bool) else None
        return
    counts: Counter[str] = Counter()
    for run in found.runs:
        run.settings = run.settings or {"run": run.name}
        key = configuration_id({"task": run.settings})
        yield counts[key]
        counts[key] += 1
    if any(count > 1 for count in counts.values()):
        found.notes.append("no setting is called seed: runs of the same settings are numbered")


def _scale_percentages(found: Found) -> None:
    """Make shares of what was written in percent."""
    shares = [name for name, one in definitions().items() if one.format.is_share]
    names = {n for run in found.runs for n in run.metrics if n.partition(".")[2] in shares}
    for name in sorted(names):
        own = [run for run in found.runs if name in run.metrics]
        values = [run.metrics[name] for run in own]
        # Values of at most 1 may be either: one above 1 decides.
        if max(values) > 1 and min(values) >= 0 and max(values) <= 100:
            found.notes.append(f"{name} is in percent")
            for run in own:
                run.metrics[name] /= 100
                if name in run.history:
                    run.history[name] = [one and one / 100 for one in run.history[name]]


def _record(kind: str, run: FoundRun, seed: int | None, found: Found) -> Record | None:
    config = {"task": {"_target_": kind, **run.settings}, "seed": seed}
    metrics: dict[str, dict[str, float]] = {}
    history: Series = {}
    for column, value in run.metrics.items():
        own, _, name = column.partition(".")
        metrics.setdefault(own, {})[name] = value
        if column in run.history:
            history[f"{_PREFIX[own]}{name}"] = run.history[column]
    error = {"type": "NoResult", "message": run.failed or "no metric was found"}
    values = {
        "schema_version": SCHEMA_VERSION,
        # Of the name too: runs without a seed may have the same settings.
        "run_id": run_id({"name": run.name, **config}),
        "configuration_id": configuration_id(config),
        "label": label(config),
        "status": RunStatus.FINISHED if metrics else RunStatus.FAILED,
        "task": kind,
        "config": config,
        "data": None,
        "history": history,
        "metrics": metrics or None,
        "error": None if metrics else error,
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
            one: (own == TRAIN, LEADING.index(last), splits.index(own))
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
        written = store.to_json(record)
        with suppress(OSError):
            # A record that is written again would have to be read again.
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
