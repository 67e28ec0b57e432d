"""The sides of a comparison: a directory's finished runs each; what has no result is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_sweep.analysis.selection import Uncounted, error_of
from mnist_sweep.analysis.varying import SEED, TASK_TARGET
from mnist_sweep.analysis.where import plain_rows
from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN, Metric, of_split, overall
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs, load
from mnist_sweep.records.table import RunsTable, measured
from mnist_sweep.settings import DEFAULT_MARGIN, DEFAULT_OBJECTIVE, affects_result, used

# Columns without which times do not compare.
MACHINE = ("environment.cpu", "environment.threads", "environment.workers", "environment.device")
# The settings that affect a run's result, without the seed, by dotted name.
Settings = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Side:
    """A directory's runs."""

    name: str  # the directory's; different for all sides of a comparison
    directory: Path
    split: str | None  # on which the runs are compared; None for another program's results
    runs: RunsTable  # the finished ones
    settings: tuple[Settings, ...]  # of each of these
    metrics: tuple[Metric, ...]  # what is compared, the objective's metric first
    # Runs without a result, or without one of its metrics, and what else could not be read.
    without_result: tuple[Uncounted, ...]
    margin: float = DEFAULT_MARGIN
    notes: tuple[str, ...] = ()


def load_side(
    directory: Path,
    split: str | None = None,
    mapping: ResultMapping | None = None,
    loaded: Sweep | None = None,
) -> Side:
    """Read a sweep's or a run's directory, or another program's through a mapping.

    `split` is that whose metrics are compared; None: test, and of another program the objective's.

    Raises:
        DirectoryError: It does not exist, holds nothing of ours, or no run of it finished.
    """
    sweep = loaded or load(directory, mapping, split or TEST)
    table = all_runs([sweep])
    metrics = _metrics(sweep, table, split)
    if mapping is not None and mapping.lower_is_better is not None:
        metrics = [
            replace(one, definition=replace(one.definition, higher_is_better=not is_lower))
            for one in metrics
            for is_lower in [mapping.is_lower(one.name)]
        ]
    columns = ["label", "status", "error.type", "error.message"]
    without = [
        Uncounted(row["label"], row["status"], why)
        for row in plain_rows(table.reindex(columns=columns))
        if (why := error_of(row)) and row["status"] != RunStatus.UNREADABLE
    ]
    without += [Uncounted(str(p.path), RunStatus.UNREADABLE, p.reason) for p in sweep.problems]
    runs = table if table.empty else table[table["status"] == RunStatus.FINISHED]
    runs = runs.reset_index(drop=True)
    if runs.empty:
        reasons = "; ".join(map(": ".join, without[:3]))
        raise DirectoryError(
            f"Expected at least one finished run in {directory}, but: {reasons or 'it has none'}. "
            "Run the sweep's command again."
        )
    names = [name for name in map(str, runs) if affects_result(name)]
    # What another network's arguments are is missing in a row; what is null is not set either.
    rows = [{k: v for k, v in row.items() if v is not None} for row in plain_rows(runs[names])]
    rows = [{k: v for k, v in used(row).items() if k != SEED} for row in rows]
    if sweep.is_external:  # its settings have the names that the other program gave them
        of_task = [n for n in names if n.startswith("task.") and n != TASK_TARGET]
        rows = [{n.removeprefix("task."): row[n] for n in of_task if n in row} for row in rows]
    return Side(
        directory.name or str(directory), directory,
        None if sweep.is_external else split or TEST, runs,
        tuple(rows), tuple(metrics), tuple(without), sweep.margin, sweep.notes,
    )  # fmt: skip


def _metrics(sweep: Sweep, table: RunsTable, split: str | None) -> list[Metric]:
    """What is compared; of another program what it measured, on the split where it did."""
    own = overall(measured(table), sweep.objective)
    if sweep.is_external:
        wanted, _, name = sweep.objective.rpartition(":")[2].partition(".")
        splits = {one.split for one in own}
        chosen = next(
            (one for one in (split or wanted, TEST, *HELD_OUT, TRAIN) if one in splits), ""
        )
        own = [one for one in own if one.split == chosen]
        return sorted(own, key=lambda one: one.name != name)
    split = split or TEST
    # Of an objective on validation the metric leads on the split that the user chose.
    objectives = (one.rpartition(":")[2] for one in (sweep.objective, DEFAULT_OBJECTIVE))
    leading = [one.partition(".")[2] or one for one in objectives]
    known = [Metric(one, split) for one in of_split(split)]
    names = [one.name for one in known]
    metrics = [*(one for one in own if one.split == split and one.name not in names), *known]
    metrics.sort(key=lambda one: leading.index(one.name) if one.name in leading else 9)
    return metrics


def columns_of(runs: RunsTable, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some columns as a row per run, without their prefix; those that are there."""
    known = {name: name.partition(".")[2] for name in names if name in runs}
    return plain_rows(runs[[*known]].rename(columns=known))
