"""A directory of runs as one value: the runs table, what could not be read, and each run's files.

Reading is strict and never fails on a bad file. What cannot be read becomes a `Problem`, what was
planned and is not there becomes a `Missing`, so nothing is left out silently. Only a directory that
does not exist, or holds nothing of ours, is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.errors import DirectoryError, SelectionError, visible
from mnist_sweep.metrics import TEST, TRAIN, VALIDATION, resolve
from mnist_sweep.records.cache import read_runs
from mnist_sweep.records.fields import Flat, columns_of_planned, flat
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id, settings_of
from mnist_sweep.records.plan_file import PlanFile, read_plan
from mnist_sweep.records.reading import Unread, read_record, read_run, reason
from mnist_sweep.records.record import Metrics, Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.table import NAME, Rows, combined, frame, frame_of, measured, rows_of
from mnist_sweep.settings import DEFAULT_MARGIN, DEFAULT_OBJECTIVE

if TYPE_CHECKING:
    import pandas as pd

    from mnist_sweep.records.external.mapping import ResultMapping
    from mnist_sweep.records.predictions import Predictions

_RUN_ID = re.compile(r"[0-9a-f]{12}")
_BEGUN = "no record: interrupted, or still running"
_EXPECTED = "Expected the directory of a sweep or a run at"
_WAY_OUT = "Give a directory that a sweep made, such as outputs/NAME."


@dataclass(frozen=True)
class Problem:
    """A file or directory that could not be used, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return visible(f"{self.path}: {self.reason}")


@dataclass(frozen=True)
class Missing:
    """A planned point without a record, and why: it was not run, or was interrupted."""

    run_id: str
    label: str
    overrides: tuple[str, ...]
    reason: str


@dataclass(frozen=True, eq=False)
class Sweep:
    """What a directory holds.

    Attributes:
        directory: The sweep's directory, or a single run's.
        frame: The runs table: one row per run that has a record, failed ones included, in the order
            of the names of their directories. Columns are named in `records.fields`. A value that a
            run does not have is NaN, <NA> or None. A missing point has no row, see `all_runs`.
        problems: What could not be read, and why.
        missing: Planned points without a record, and why.
        objective: The metric by which "best" is meant: `validation.accuracy`.
        margin: The largest difference of a share that counts as none.
        plan: What was asked for; None of a single run, and where there is no plan.
        is_external: Whether another program wrote the directory.
        notes: Then what was assumed, and what cannot be known.
        may_keep: Whether what is computed of it may be written into its directory.
    """

    directory: Path
    frame: pd.DataFrame = field(repr=False)
    problems: tuple[Problem, ...] = ()
    missing: tuple[Missing, ...] = ()
    objective: str = DEFAULT_OBJECTIVE
    margin: float = DEFAULT_MARGIN
    plan: PlanFile | None = None
    is_external: bool = False
    notes: tuple[str, ...] = ()
    may_keep: bool = False
    _read: dict[str, Record] = field(default_factory=dict, repr=False)

    def record(self, run_id: str) -> Record:
        """The whole record of a run, read when it is first asked for.

        Raises:
            SelectionError: There is no such run.
            DirectoryError: The record was changed or removed since the directory was read.
        """
        if run_id in self._read:
            return self._read[run_id]
        path = self.run_paths(run_id).record
        row = self.frame.iloc[self._places[run_id]]
        started = row.get("environment.started_at")
        why = f"Expected the record at {path} as it was."
        try:
            record = read_record(path)
            # A record is written once a run: another start is another record.
            now = (record.run_id, record.status, record.environment.started_at)
            if now == (run_id, row["status"], started if isinstance(started, str) else None):
                self._read[run_id] = record
                return record
        except DirectoryError as error:
            why = str(error)
        raise DirectoryError(
            f"{why} It was removed or changed during this command: run the command again."
        )

    def run_paths(self, run_id: str) -> RunPaths:
        """Where a run's files are; a SelectionError if there is no such run."""
        if run_id not in self._places:
            raise SelectionError(f"No run {run_id} in {self.directory}.")
        return RunPaths(self.frame["directory"].iloc[self._places[run_id]])

    def predictions(self, run_id: str) -> Predictions:
        """What a run predicted, example by example.

        Raises:
            SelectionError: There is no such run.
            DirectoryError: Its predictions are missing or damaged.
        """
        from mnist_sweep.records.predictions import read_predictions

        return read_predictions(self.run_paths(run_id).predictions)

    @cached_property
    def records(self) -> Sequence[Record]:
        """All records; reads every file, and hashes those beside each record."""
        return [self.record(run_id) for run_id in self.frame["run_id"]]

    @cached_property
    def missing_frame(self) -> pd.DataFrame:
        """The missing points as rows of the runs table, see `all_runs`."""
        points = self.missing
        parent = f"{SweepPaths(self.directory).runs}{os.sep}"  # 100,000 Paths are slow
        columns = {
            **columns_of_planned([(one.label, one.overrides) for one in points]),
            "run_id": [one.run_id for one in points],
            "label": [one.label for one in points],
            "status": [str(RunStatus.MISSING)] * len(points),
            "error.message": [one.reason for one in points],
            "directory": [f"{parent}{one.label}-{one.run_id}" for one in points],
        }
        return frame(columns, len(points))

    @cached_property
    def _places(self) -> dict[str, int]:
        return {run_id: place for place, run_id in enumerate(self.frame["run_id"])}


def load(
    directory: str | os.PathLike[str],
    mapping: ResultMapping | None = None,
    split: str = TEST,
    memory: list[Rows] | None = None,
) -> Sweep:
    """Read a sweep's directory, a single run's, or what another program wrote.

    Args:
        directory: The directory; of another program also a file.
        mapping: How to read another program's; None finds out.
        split: Of another program's metrics whose names say none.
        memory: Keeps the rows of a sweep's runs for the next call, which reads only what changed;
            nothing is written below the directory then.

    Raises:
        DirectoryError: It does not exist, cannot be listed, or holds no run and no plan.
        UsageError: It is another program's, and what reads it is not installed.
    """
    path = Path(directory)
    if (mapping is not None or path.is_file()) and (found := _external(path, mapping, split)):
        return found
    try:
        names = {one.name for one in path.iterdir()}
    except OSError as error:
        kinds = {
            FileNotFoundError: "there is no such directory",
            NotADirectoryError: "it is a file",
        }
        why = kinds.get(type(error), f"it cannot be listed: {error.strerror or error}")
        raise DirectoryError(f"{_EXPECTED} {path}, but {why}. {_WAY_OUT}") from error
    if "record.json" in names:
        return _single(path)
    paths = SweepPaths(path)
    problems: list[Problem] = []
    plan = PlanFile(invocations=())
    if "sweep.json" in names:
        try:
            plan = read_plan(path)
        except (OSError, ValueError) as error:
            why = f"the plan cannot be read: {reason(error)}"
            problems.append(Problem(paths.sweep_json, why))
    try:
        load_study(path)
    except DirectoryError as error:
        problems.append(Problem(paths.study_json, str(error)))
    rows, begun = _runs(paths, problems, memory) if "runs" in names else (rows_of([]), {})
    if not (len(rows.table) or plan.points):
        if found := _external(path, None, split):
            return found
        if not problems:
            inside = _sweeps_in(path)
            hint = f"Did you mean {inside[0]}?" if inside else _WAY_OUT
            raise DirectoryError(f"{_EXPECTED} {path}, but it holds no runs. {hint}")
    runs = rows.frame(f"{paths.runs}{os.sep}")
    missing = tuple(_missing(plan, begun, {*runs["run_id"].tolist()}, problems))
    objective = _objective(plan.objective, runs)
    return Sweep(
        path, runs, tuple(problems), missing, objective, plan.margin, plan,
        may_keep=memory is None,
    )  # fmt: skip


def _external(path: Path, mapping: ResultMapping | None, split: str) -> Sweep | None:
    """What another program wrote; None without a mapping where nothing is recognised."""
    from mnist_sweep.records.external.convert import convert, recognised

    if mapping is None and path.is_dir() and _sweeps_in(path):
        return None
    kind, places = recognised(path)
    if mapping is None and not places:
        return None
    converted, found = convert(path, kind, places, mapping, split)
    sweep = load(converted)
    problems = (*sweep.problems, *(Problem(place, why) for place, why in found.problems))
    said = "".join(f"; {note}" for note in found.notes)
    note = (
        f"{path} was read as {found.kind}{said}. Without predictions the only "
        "intervals are those of `compare`, over seeds, and there is nothing on single classes."
    )
    return replace(sweep, directory=path, problems=problems, is_external=True, notes=(note,))


def _runs(
    paths: SweepPaths, problems: list[Problem], memory: list[Rows] | None
) -> tuple[Rows, dict[str, Path]]:
    """The rows of a sweep's records, and by run id the directories without a record yet."""
    try:
        with os.scandir(paths.runs) as entries:  # Paths of 100,000 would take a second
            names = sorted(one.name for one in entries if not one.name.startswith("."))
    except OSError as error:
        problems.append(Problem(paths.runs, reason(error)))
        return rows_of([]), {}
    rows, unread = read_runs(paths, names, memory)
    first: dict[str, str] = {}
    names = rows.table[NAME].tolist()
    for name, run_id in zip(names, rows.table["run_id"].tolist() if names else (), strict=True):
        if (taken := first.setdefault(run_id, name)) != name:
            why = f"the same run as {taken}, which was taken instead"
            unread[name] = Unread("problem", why, RunPaths(name).record.name)
    begun = {}
    for name, one in sorted(unread.items()):
        if one.kind == "problem":
            problems.append(Problem(paths.runs / name / one.file, one.reason))
        elif one.kind == "begun":
            begun[label_and_run_id(name)[1]] = paths.runs / name
        # A plain file among the runs (.DS_Store, notes) is nobody's run: a stray is no problem.
    return rows.take([k for k, name in enumerate(names) if name not in unread]), begun


def _single(path: Path) -> Sweep:
    read = read_run(RunPaths(path))
    if isinstance(read, Unread):
        return Sweep(path, frame_of([]), (Problem(path / read.file, read.reason),))
    runs = frame_of([{**flat(read[0]), "directory": str(path)}])
    return Sweep(path, runs, objective=_objective(read[0].objective or DEFAULT_OBJECTIVE, runs))


def _objective(name: str, runs: pd.DataFrame) -> str:
    """The objective of a sweep by its column, with its direction where tasks returned it."""
    if "task" not in runs or not (known := measured(runs)):
        return name
    try:
        if name == DEFAULT_OBJECTIVE and name not in known:
            # None was set: the first metric that the first finished run returned, of the
            # validation split if it returned any of that.
            first = runs[runs["status"] == RunStatus.FINISHED].iloc[0]
            metrics = read_record(RunPaths(first["directory"]).record).metrics or Metrics()
            found = ((s, getattr(metrics, s)) for s in (VALIDATION, TEST, TRAIN))
            name = next(f"{s}.{own}" for s, one in found for own in one.values)  # noqa: PD011
        metric = resolve(name, VALIDATION, measured=known)
    except (SelectionError, DirectoryError):  # whoever asks for the best is told
        return name
    return f"{'highest' if metric.higher_is_better else 'lowest'}:{metric.column}"


def _missing(
    plan: PlanFile, begun: dict[str, Path], read: set[str], problems: list[Problem]
) -> Iterator[Missing]:
    """Planned and begun runs without a record; other directories become problems."""
    accounted = read | {label_and_run_id(problem.path.parent.name)[1] for problem in problems}
    for run_id, point in plan.points.items():
        was_begun = begun.pop(run_id, None) is not None
        if run_id not in accounted:
            why = _BEGUN if was_begun else "not run"
            yield Missing(run_id, point.label or run_id, point.overrides, why)
    for run_id, directory in begun.items():
        if _RUN_ID.fullmatch(run_id) and run_id not in read:
            yield Missing(run_id, label_and_run_id(directory.name)[0], (), _BEGUN)
        else:
            problems.append(Problem(directory, "a directory without a record"))


def _sweeps_in(path: Path) -> list[Path]:
    known = ("sweep.json", "record.json")
    # Unlike a Path's `exists`, this is False where a directory may not be entered.
    return [
        one
        for one in sorted(path.iterdir())
        if any(os.path.exists(one / name) for name in known)  # noqa: PTH110
    ]


def objective_of(sweeps: Sequence[Sweep]) -> str:
    """The objective that some sweeps share, or the default if they differ."""
    objectives = {sweep.objective for sweep in sweeps}
    return objectives.pop() if len(objectives) == 1 else DEFAULT_OBJECTIVE


def all_runs(sweeps: Iterable[Sweep]) -> pd.DataFrame:
    """Every run of some sweeps, one row each: with a record, planned without one, or unreadable.

    Columns are those of `Sweep.frame` and `sweep`, the name of the sweep's directory. A planned
    point without a record has the status missing, a record that cannot be read the status
    unreadable; `error.message` says why, and settings are those that its name spells. Within a
    sweep runs with a record come first.
    """
    parts = []
    for sweep in sweeps:
        name = sweep.directory.name or str(sweep.directory)
        unread = frame_of([*_unreadable(sweep)])
        parts += [(sweep.frame, name), (sweep.missing_frame, name), (unread, name)]
    return combined(parts)


def _unreadable(sweep: Sweep) -> Iterator[Flat]:
    """A row for each run whose record cannot be read."""
    paths = SweepPaths(sweep.directory)
    for problem in sweep.problems:
        if problem.path in (paths.sweep_json, paths.study_json, paths.runs):
            continue  # stands for no run
        directory = problem.path if problem.path.parent == paths.runs else problem.path.parent
        label, run_id = label_and_run_id(directory.name)
        yield {
            **settings_of(label),
            "run_id": run_id,
            "label": label or directory.name,
            "status": str(RunStatus.UNREADABLE),
            "error.message": problem.reason,
            "directory": str(directory),
        }
