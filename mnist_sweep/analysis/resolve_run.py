"""The one run that a directory means: its own, or the best of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.analysis.selection import select
from mnist_sweep.errors import DataError, DirectoryError, SelectionError, UsageError
from mnist_sweep.records.collect import Collection, collect
from mnist_sweep.records.paths import RunPaths, run_directories
from mnist_sweep.records.store import read_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.records.record import Record


@dataclass(frozen=True)
class OneRun:
    """A finished run: its files, its record, and why it was taken.

    `because` is empty where there was no choice.
    """

    paths: RunPaths
    record: Record
    because: str = ""


def the_run(directory: Path) -> OneRun:
    """The run of a run's directory, or of a sweep that has a single one.

    Raises:
        UsageError: There is a choice, and nobody made it.
        DirectoryError: It holds no run that can be read, or the run is not finished.
    """
    found = _readable(directory)
    if len(found.records) > 1:
        raise UsageError(
            f"{directory} is a sweep of {len(found.records)} runs. Add --best (with --by and "
            "--where) to take its best, or give one run's directory, as "
            f"{_directory_of(found, found.records[0])}."
        )
    return _finished(found, found.records[0])


def best_run(directory: Path, by: str, where: Sequence[str] = ()) -> OneRun:
    """The best run of the best configuration.

    Args:
        directory: A sweep's.
        by: A metric's name, see `metric.resolve`; on validation if it names no split.
        where: Conditions such as `layers=2`.

    Raises:
        SelectionError: An unknown metric or setting, or nothing matches.
        DirectoryError: It holds no run that can be read.
    """
    found = _readable(directory)
    selection = select(found.records, where, by, "best", missing=found.missing)
    chosen = selection.chosen
    pick = max if selection.metric.higher_is_better else min
    row = chosen.values.index(pick(chosen.values))
    record = chosen.records[row]
    of = f"of {len(selection.candidates)} configuration" + "s" * (len(selection.candidates) > 1)
    seeds = f", its best of {len(chosen.values)} seeds" if len(chosen.values) > 1 else ""
    because = f"best {of} by {selection.metric} ({chosen.values[row]:.4f}{seeds})"
    if selection.uncounted:
        because += f"; {len(selection.uncounted)} not counted, without a result"
    return _finished(found, record, because)


def check_same_data(run: OneRun) -> None:
    """Refuse a run whose record and predictions are of different data: its files were mixed.

    A run without predictions passes: there is nothing to compare.

    Raises:
        DataError: The hashes differ.
        DirectoryError: The predictions are damaged.
    """
    if not run.paths.predictions.exists():
        return
    sha256 = read_predictions(run.paths.predictions).data_sha256
    if sha256 != run.record.data.sha256:
        raise DataError(
            f"The files in {run.paths.directory} do not belong together: its record is of data "
            f"{run.record.data.sha256[:12]}, its predictions of {sha256[:12]}. Run it again."
        )


def _readable(directory: Path) -> Collection:
    found = collect(directory)
    if not found.records:
        reasons = [str(problem) for problem in found.problems]
        reasons += [f"{point.label}: {point.reason}" for point in found.missing]
        raise DirectoryError(
            f"Expected a run in {directory}, but none can be read: {'; '.join(reasons[:3])}. "
            "Run the sweep's command again."
        )
    return found


def _finished(found: Collection, record: Record, because: str = "") -> OneRun:
    if record.status != "finished":
        reason = f"{record.error.type}: {record.error.message}" if record.error else "no reason"
        pruned = record.status == "pruned"
        again = "Run its point as a grid (without search)" if pruned else "Run it again"
        raise SelectionError(
            f"Expected a finished run in {found.directory}, but {record.label} "
            f"{'was ' if pruned else ''}{record.status} ({reason}), so it has no network. "
            f"{again}, or take another."
        )
    return OneRun(RunPaths(_directory_of(found, record)), record, because)


def _directory_of(found: Collection, record: Record) -> Path:
    return run_directories(found.directory).get(record.run_id, found.directory)
