"""Sweeps below a directory: where they are, how far each is, what is best so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

from mnist_sweep.analysis.configurations import Configuration, configurations
from mnist_sweep.errors import DirectoryError, MnistSweepError
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.records.locks import is_held
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.plan_file import PlanFile, read_plan
from mnist_sweep.records.progress_file import Progress, read_progress
from mnist_sweep.records.sweep import Sweep, all_runs, load
from mnist_sweep.records.table import Rows
from mnist_sweep.reporting.html.ranking import Ranking, ranking
from mnist_sweep.reporting.phrases.names import with_names

MAX_DEPTH = 6
MAX_SWEEPS = 1000
# Sweeps whose runs are kept in memory.
MAX_LOADED = 100

T = TypeVar("T")
# Path, size and time of change of each file that says what a sweep holds.
Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Active:
    """A run without a record: under way, or interrupted."""

    label: str
    run_id: str
    progress: Progress
    is_running: bool


@dataclass(frozen=True)
class State:
    """How far a sweep is, from its directory's listing alone."""

    directory: Path
    done: int  # how many runs have a record
    asked: int  # how many runs its commands asked for so far
    active: tuple[Active, ...]
    changed_s: float  # when something changed last, seconds since 1970
    signature: Signature  # what changes when `results` do
    problem: str = ""  # why its plan cannot be read; empty where it can

    @property
    def running(self) -> list[Active]:
        """The runs that are under way."""
        return [one for one in self.active if one.is_running]

    @property
    def word(self) -> str:
        """running, not started, finished or incomplete."""
        if self.running:
            return "running"
        if not self.done and not self.active:
            return "not started"
        return "incomplete" if self.done < self.asked else "finished"


@dataclass(frozen=True, eq=False)
class Results:
    """What a sweep's records say."""

    sweep: Sweep
    objective: Metric
    configurations: list[Configuration]
    ranking: Ranking


def find(root: Path) -> Iterator[Path]:
    """The sweeps in `root` and below it, by name; links are not followed."""
    found, waiting = 0, [(root, 0)]
    while waiting and found < MAX_SWEEPS:
        directory, depth = waiting.pop()
        if is_sweep(directory):
            found += 1
            yield directory
        elif depth < MAX_DEPTH:
            try:
                with os.scandir(directory) as entries:
                    inside = [
                        Path(entry.path)
                        for entry in entries
                        if entry.is_dir(follow_symlinks=False) and is_shown(entry.name)
                    ]
            except OSError:
                continue
            waiting += [(path, depth + 1) for path in sorted(inside, reverse=True)]


def is_shown(name: str) -> bool:
    """Whether a file is not hidden, and an address can name it."""
    try:
        return not name.startswith(".") and bool(name.encode())
    except UnicodeEncodeError:
        return False


def is_sweep(directory: Path) -> bool:
    """Whether a directory has a plan, or runs with records; not if it cannot be read."""
    paths = SweepPaths(directory)
    record = RunPaths("").record.name
    # Unlike that of a Path, os.path's answer is no where the directory may not be entered.
    return os.path.isfile(paths.sweep_json) or any(  # noqa: PTH113
        paths.runs.glob(f"*/{record}")
    )


def state_of(directory: Path) -> State:
    """How far a sweep is."""
    if not is_sweep(directory):
        raise DirectoryError(f"Expected a sweep at {directory}, but there is none.")
    paths = SweepPaths(directory)
    files, begun = [paths.sweep_json], list[RunPaths]()
    for name in sorted(os.listdir(paths.runs)) if paths.runs.is_dir() else ():  # noqa: PTH208
        run = RunPaths(paths.runs / name)
        if run.record.exists():
            files.append(run.record)
        elif not name.startswith(".") and run.directory.is_dir():
            begun.append(run)
    signature = tuple(_stamps(files))
    planned, problem = _plan(directory, signature[:1])
    done = sum(path != str(paths.sweep_json) for path, *_ in signature)
    active = []
    for run in begun:
        label, run_id = label_and_run_id(run.directory.name)
        progress, is_running = read_progress(run.progress), is_held(paths.lock(run_id))
        active.append(Active(label, run_id, progress, is_running))
    stamps = [*signature, *_stamps([run.progress for run in begun])]
    changed_s = max((time_ns for *_, time_ns in stamps), default=0) / 1e9
    asked = max(len(planned.points), done)
    return State(directory, done, asked, tuple(active), changed_s, signature, problem)


def _stamps(files: list[Path]) -> Iterator[tuple[str, int, int]]:
    for path in files:
        try:
            status = path.stat()
        except OSError:
            continue  # replaced or removed in this moment: the next look tells
        yield str(path), status.st_size, status.st_mtime_ns


def _until_changed(
    most: int,
) -> Callable[[Callable[[Path, Signature], T]], Callable[[Path, Signature], T]]:
    """Keep a function's last value for each of the latest directories while these do not change."""

    def keep(function: Callable[[Path, Signature], T]) -> Callable[[Path, Signature], T]:
        kept: dict[Path, tuple[Signature, T]] = {}

        @wraps(function)
        def latest(directory: Path, signature: Signature) -> T:
            found = kept.pop(directory, None)
            if found is None or found[0] != signature:
                found = signature, function(directory, signature)
            kept[directory] = found
            while len(kept) > most:
                kept.pop(next(iter(kept)), None)
            return found[1]

        return latest

    return keep


@_until_changed(MAX_SWEEPS)
def _plan(directory: Path, signature: Signature) -> tuple[PlanFile, str]:  # noqa: ARG001
    try:
        return read_plan(directory), ""
    except (OSError, ValueError, MnistSweepError):
        return PlanFile(invocations=()), "its sweep.json cannot be read"


@lru_cache(MAX_LOADED)
def _memory(directory: Path) -> list[Rows]:  # noqa: ARG001
    return []


@_until_changed(MAX_LOADED)
def loaded(directory: Path, signature: Signature) -> Sweep:  # noqa: ARG001
    """A sweep; of its records only those that changed are read again, and nothing is written."""
    return load(directory, memory=_memory(directory))


@_until_changed(32)
def results(directory: Path, signature: Signature) -> Results:
    """What a sweep's records say, computed again only if its state's `signature` has changed."""
    sweep = loaded(directory, signature)
    objective = resolve(sweep.objective)
    shown = with_names(configurations(all_runs([sweep])))
    return Results(sweep, objective, shown, ranking(shown, objective, directory))


@_until_changed(MAX_SWEEPS)
def best(directory: Path, signature: Signature) -> tuple[str, str, str]:
    """The best value, of which metric, and by which configuration; texts, empty without any."""
    try:
        found = results(directory, signature)
    except MnistSweepError as error:
        return "", "", str(error)
    if not found.ranking.rows:
        return "", "", ""
    return found.ranking.best, str(found.objective), found.ranking.rows[0].name
