"""The one run that a directory means: its own, or the best of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mnist_sweep.analysis.selection import select
from mnist_sweep.errors import DirectoryError, ModelError, SelectionError, UsageError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs, load


class ResolvedRun(NamedTuple):
    """A finished run, and why it was taken; empty where there was no choice."""

    paths: RunPaths
    record: Record
    reason: str = ""


def resolve_run(
    directory: Path, *, best: bool = False, by: str | None = None, where: Sequence[str] = ()
) -> ResolvedRun:
    """The run of a run's directory, or of a sweep that has a single one, or a sweep's best.

    The best is that of the best configuration by a metric (None: the sweep's objective) among the
    runs for which the conditions hold.
    """
    sweep = load(directory)
    runs = sweep.frame
    if runs.empty:
        reasons = [str(problem) for problem in sweep.problems]
        reasons += [f"{point.label}: {point.reason}" for point in sweep.missing]
        raise DirectoryError(
            f"Expected a run in {directory}, but none can be read: {'; '.join(reasons[:3])}. "
            "Run the sweep's command again."
        )
    if best:
        selection = select(all_runs([sweep]), where, by or sweep.objective, "best")
        chosen, count = selection.chosen, len(selection.candidates)
        pick = max if selection.metric.higher_is_better else min
        place = chosen.values.index(pick(chosen.values))
        run_id = chosen.run_ids[place]
        require_network(sweep, run_id)
        seeds = f", its best of {len(chosen.values)} seeds" if len(chosen.values) > 1 else ""
        why = (
            f"best of {count} configuration{'s' * (count > 1)} by {selection.metric} "
            f"({chosen.values[place]:.4f}{seeds})"
        )
        if selection.uncounted:
            why += f"; {len(selection.uncounted)} without a result"
        return ResolvedRun(sweep.run_paths(run_id), sweep.record(run_id), why)
    if len(runs) > 1:
        raise UsageError(
            f"{directory} is a sweep of {len(runs)} runs. Add --best (with --by and --where) to "
            f"use its best run, or give a run's directory, such as {runs['directory'].iloc[0]}."
        )
    record = sweep.record(str(runs["run_id"].iloc[0]))
    require_network(sweep, record.run_id)
    if record.status != RunStatus.FINISHED:
        why = f"{record.error.type}: {record.error.message}" if record.error else "no reason"
        ended, again = f"{record.label} {record.status}", "Run it again"
        if record.status == RunStatus.PRUNED:
            ended = f"{record.label} was {record.status}"
            again = "Run its point as a grid (without search)"
        raise SelectionError(
            f"Expected a finished run in {directory}, but {ended} ({why}), so it has no network. "
            f"{again}, or use another run."
        )
    return ResolvedRun(sweep.run_paths(record.run_id), record)


def require_network(sweep: Sweep, run_id: str) -> None:
    """Refuse a run that trained no Keras network."""
    record, files = sweep.record(run_id), sweep.run_paths(run_id).files
    if record.task is None:
        return
    what = f"the task {record.task}"
    way_out = "A task can store its model in the folder that it gets as `directory`"
    if sweep.is_external:
        what, way_out = "another program", "Give a run of mnist_sweep"
    elif files.is_dir():
        way_out = f"The files that the task stored are in {files}"
    raise ModelError(
        f"Expected a run with a Keras network, but {record.label} is a run of {what}, "
        f"and only its own code can apply what it made. {way_out}."
    )
