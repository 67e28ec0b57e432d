"""One side of a comparison: a directory's finished runs as a runs table, and what has no result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.plain_rows import plain_rows
from mnist_sweep.analysis.selection import Uncounted, error_of
from mnist_sweep.analysis.varying import SEED
from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import Metric, of_split, overall
from mnist_sweep.records.external_results import COLUMNS, read_external_results
from mnist_sweep.records.fields import measured
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.settings import DEFAULT_MARGIN, DEFAULT_OBJECTIVE, affects_result, used

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from mnist_sweep.records.external_results import ResultMapping

Settings = dict[str, Any]
"""The settings that affect a run's result, without the seed, by dotted name."""


@dataclass(frozen=True, eq=False)
class Side:
    """A directory's runs.

    Attributes:
        name: The directory's name; different for all sides of a comparison.
        directory: The directory.
        split: On which split the runs are compared; None for another program's results.
        runs: The finished runs, a row each, see `records.fields`.
        settings: Of each of these runs.
        metrics: What is compared, all classes together, the objective's metric first.
        without_result: Runs without a result, or without one of its metrics, and what else could
            not be read.
        margin: The largest difference of a share that counts as none.
    """

    name: str
    directory: Path
    split: str | None
    runs: pd.DataFrame
    settings: tuple[Settings, ...]
    metrics: tuple[Metric, ...]
    without_result: tuple[Uncounted, ...]
    margin: float = DEFAULT_MARGIN


def load_side(directory: Path, split: str = "test", mapping: ResultMapping | None = None) -> Side:
    """Read a sweep's or a run's directory, or another program's through a mapping.

    Raises:
        DirectoryError: It does not exist, holds nothing of ours, or no run of it finished.
    """
    problems: list[Uncounted] = []
    margin = DEFAULT_MARGIN
    if mapping is not None:
        table = read_external_results(directory, mapping, split)
        metrics = list(mapping.resolved(split).values())
    else:
        sweep = load(directory)
        table, margin = all_runs([sweep]), sweep.margin
        problems = [Uncounted(str(p.path), RunStatus.UNREADABLE, p.reason) for p in sweep.problems]
        # Of an objective on validation the metric leads on the split that the user chose.
        leading = [one.partition(".")[2] or one for one in (sweep.objective, DEFAULT_OBJECTIVE)]
        known = [Metric(one, split) for one in of_split(split)]
        names = [one.name for one in known]
        own = overall(measured(table), sweep.objective)
        metrics = [*(o for o in own if o.split == split and o.name not in names), *known]
        metrics.sort(key=lambda one: leading.index(one.name) if one.name in leading else 9)
    columns = ["label", "status", "error.type", "error.message"]
    without = [
        Uncounted(row["label"], row["status"], why)
        for row in plain_rows(table.reindex(columns=columns))
        if (why := error_of(row)) and (mapping or row["status"] != RunStatus.UNREADABLE)
    ]
    without += problems
    runs = table if table.empty else table[table["status"] == RunStatus.FINISHED]
    runs = runs.reset_index(drop=True)
    if runs.empty:
        reasons = "; ".join(f"{one.label}: {one.status}: {one.reason}" for one in without[:3])
        raise DirectoryError(
            f"Expected at least one finished run in {directory}, but: {reasons or 'it has none'}. "
            "Run the sweep's command again."
        )
    others = {*COLUMNS, SEED, "error.message", *(metric.column for metric in metrics)}
    names = [n for n in map(str, runs) if (n not in others if mapping else affects_result(n))]
    # What another network's arguments are is missing in a row; what is null is not set either.
    rows = [{k: v for k, v in row.items() if v is not None} for row in plain_rows(runs[names])]
    if mapping is None:
        rows = [{k: v for k, v in used(row).items() if k != SEED} for row in rows]
    return Side(
        directory.name or str(directory), directory, None if mapping else split, runs,
        tuple(rows), tuple(metrics), tuple(without), margin,
    )  # fmt: skip
