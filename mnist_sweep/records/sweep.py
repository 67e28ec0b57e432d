"""A sweep's directory as one value: the runs table, problems, what is missing, one run's files."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import SelectionError
from mnist_sweep.records.collect import DEFAULT_OBJECTIVE, Missing, Problem, collect
from mnist_sweep.records.fields import Flat, flat_missing, settings_of
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.runs import Run, runs_of
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.store import read_predictions
from mnist_sweep.records.view import View

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from mnist_sweep.records.predictions import Predictions
    from mnist_sweep.records.record import Record

_LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True)
class Sweep:
    """What a directory holds.

    Attributes:
        directory: The sweep's directory, or a single run's.
        records: One per run, finished or not, in the order of their directories' names; those of
            a large sweep are read from disk each time that they are asked for.
        problems: What could not be read, and why.
        missing: Planned points without a record, and why.
        objective: The metric by which "best" is meant: `validation.accuracy`.
    """

    directory: Path
    records: Sequence[Record]
    problems: tuple[Problem, ...]
    missing: tuple[Missing, ...]
    objective: str = DEFAULT_OBJECTIVE
    _read: dict[str, Record] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def runs(self) -> Sequence[Run]:
        """The same runs as flat values, their records read only when asked for."""
        return runs_of(self.records)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The runs table: one row per run that has a record, failed ones included.

        Columns are named in `records.fields`. A value that a run does not have is NaN, <NA> or
        None. A missing point has no row, see `missing` and `all_runs`.
        """
        return frame(self.records)

    def record(self, run_id: str) -> Record:
        """The whole record of a run, read from disk when it is first asked for.

        Raises:
            SelectionError: There is no such run.
            DirectoryError: The record was changed or removed since the directory was read.
        """
        if run_id not in self._read:
            self._read[run_id] = self.runs[self._place(run_id)].record
        return self._read[run_id]

    def run_paths(self, run_id: str) -> RunPaths:
        """Where a run's files are.

        Raises:
            SelectionError: There is no such run.
        """
        return RunPaths(self.frame["directory"].iloc[self._place(run_id)])

    def predictions(self, run_id: str) -> Predictions:
        """What a run predicted, example by example.

        Raises:
            SelectionError: There is no such run.
            DirectoryError: Its predictions are missing or damaged.
        """
        return read_predictions(self.run_paths(run_id).predictions)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {run_id: place for place, run_id in enumerate(self.frame["run_id"])}

    def _place(self, run_id: str) -> int:
        if run_id not in self._places:
            raise SelectionError(f"No run {run_id} in {self.directory}.")
        return self._places[run_id]


def load(directory: str | os.PathLike[str]) -> Sweep:
    """Read a sweep's directory, or a single run's.

    Raises:
        DirectoryError: It does not exist or holds nothing of ours.
    """
    found = collect(directory)
    return Sweep(
        found.directory,
        found.records,
        tuple(found.problems),
        tuple(found.missing),
        found.objective,
    )


def all_runs(sweeps: Iterable[Sweep]) -> pd.DataFrame:
    """Every run of some sweeps, one row each: with a record, planned without one, or unreadable.

    Columns are those of `Sweep.frame` and `sweep`, the name of the sweep's directory. A planned
    point without a record has the status missing, a record that cannot be read the status
    unreadable; `error.message` says why, and settings are those that its name spells. Within a
    sweep runs with a record come first.
    """
    import pandas as pd

    parts = []
    for sweep in sweeps:
        own = [sweep.frame] if len(sweep.frame) else []
        without = [*map(_missing_row, sweep.missing), *_unreadable_rows(sweep)]
        if without:
            paths = SweepPaths(sweep.directory)
            for row in without:
                row.setdefault("directory", str(paths.run(row["label"], row["run_id"]).directory))
            own.append(
                _frame_of(
                    {
                        name: [row.get(name) for row in without]
                        for name in dict.fromkeys(name for row in without for name in row)
                    }
                )
            )
        name = sweep.directory.name or str(sweep.directory)
        parts += [part.assign(sweep=name) for part in own]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _missing_row(missing: Missing) -> Flat:
    return {
        **flat_missing(missing),
        "status": str(RunStatus.MISSING),
        "error.message": missing.reason,
    }


def _unreadable_rows(sweep: Sweep) -> Iterator[Flat]:
    for problem in sweep.problems:
        # Of the plan, or of the directory as a whole: stands for no run.
        if problem.path in (SweepPaths(sweep.directory).sweep_json, sweep.directory / "runs"):
            continue
        of_record = problem.path.name == RunPaths("").record.name
        directory = problem.path.parent if of_record else problem.path
        label, run_id = label_and_run_id(directory.name)
        yield {
            **settings_of(label),
            "run_id": run_id,
            "label": label or directory.name,
            "status": str(RunStatus.UNREADABLE),
            "error.message": problem.reason,
            "directory": str(directory),
        }


def frame(records: Sequence[Record]) -> pd.DataFrame:
    """Records as a tidy data frame, one row per record; see `Sweep.frame`."""
    runs = runs_of(records)
    view = View(runs.rows)
    columns = {name: view.values(name) for name in view.names()}
    columns["directory"] = [None if run.directory is None else str(run.directory) for run in runs]
    return _frame_of(columns)


def _frame_of(columns: dict[str, list[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()}
    )


def _dtype(values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(abs(value or 0) <= _LARGEST_INT64 for value in values):
        return "Int64"
    if kinds and kinds <= {int, float}:
        return "float64"
    return "str" if kinds == {str} else object
