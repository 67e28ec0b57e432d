"""One side of a comparison: a directory's finished runs as a runs table, and what has no result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.plain_rows import plain_rows
from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import Metric, of_split
from mnist_sweep.records.external_results import COLUMNS, read_external_results
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.settings import affects_result, used

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

    from mnist_sweep.records.external_results import Mapping

Settings = dict[str, Any]
"""The settings that affect a run's result, without the seed, by dotted name."""

SEED = "seed"


@dataclass(frozen=True)
class NoResult:
    """A run without a result, or a result without one of its metrics, and why."""

    label: str
    status: str
    reason: str


@dataclass(frozen=True, eq=False)
class Side:
    """A directory's runs.

    Attributes:
        name: The directory's name; different for all sides of a comparison.
        directory: The directory.
        split: On which split the runs are compared; None for another program's results.
        runs: The finished runs, a row each, see `records.fields`.
        settings: Of each of these runs.
        metrics: What is compared, all classes together.
        without_result: The other runs, and what else could not be read.
    """

    name: str
    directory: Path
    split: str | None
    runs: pd.DataFrame
    settings: tuple[Settings, ...]
    metrics: tuple[Metric, ...]
    without_result: tuple[NoResult, ...]


def load_side(directory: Path, split: str = "test", mapping: Mapping | None = None) -> Side:
    """Read a sweep's or a run's directory, or another program's through a mapping.

    Raises:
        DirectoryError: It does not exist, holds nothing of ours, or no run of it finished.
    """
    if mapping is not None:
        return _external_side(directory, split, mapping)
    sweep = load(directory)
    table = all_runs([sweep])
    damaged = [NoResult(str(p.path), RunStatus.UNREADABLE, p.reason) for p in sweep.problems]
    others = [one for one in _without_result(table) if one.status != RunStatus.UNREADABLE]
    without = (*others, *damaged)
    runs = _finished(table)
    if runs.empty:
        reasons = "; ".join(f"{one.label}: {one.status}: {one.reason}" for one in without[:3])
        raise DirectoryError(
            f"Expected at least one finished run in {directory}, but: {reasons or 'it has none'}. "
            "Run the sweep's command again."
        )
    own = runs[[name for name in runs.columns if affects_result(name)]]
    settings = map(_settings, plain_rows(own))
    metrics = tuple(Metric(one, split) for one in of_split(split))
    return Side(_name(directory), directory, split, runs, tuple(settings), metrics, without)


def _external_side(directory: Path, split: str, mapping: Mapping) -> Side:
    table = read_external_results(directory, mapping, split)
    runs = _finished(table)
    metrics = tuple(mapping.resolved(split).values())
    known = {*COLUMNS, SEED, "error.message", *(metric.column for metric in metrics)}
    own = runs[[name for name in runs.columns if name not in known]]
    settings = map(_present, plain_rows(own))
    without = tuple(_without_result(table))
    return Side(_name(directory), directory, None, runs, tuple(settings), metrics, without)


def _settings(row: Settings) -> Settings:
    """Another network's arguments are missing in a row; what is null is not set either."""
    return {k: v for k, v in used(_present(row)).items() if k != SEED}


def _present(row: Settings) -> Settings:
    return {name: value for name, value in row.items() if value is not None}


def _finished(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        return table
    return table[table["status"] == RunStatus.FINISHED].reset_index(drop=True)


def _without_result(table: pd.DataFrame) -> Iterable[NoResult]:
    names = ["label", "status", "error.type", "error.message"]
    for row in plain_rows(table.reindex(columns=names)):
        label, status, *error = (row[name] for name in names)
        if any(error):
            yield NoResult(label, status, ": ".join(text for text in error if text))


def _name(directory: Path) -> str:
    return directory.name or str(directory)
