"""The sides of a comparison: a directory's finished runs each, and which configurations match.

What has no result is named; settings in which the sides differ as wholes do not keep them apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.analysis.selection import Uncounted, error_of
from mnist_sweep.analysis.varying import SEED, TASK_TARGET, order_key
from mnist_sweep.analysis.where import plain_rows
from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import HELD_OUT, TEST, TRAIN, Metric, of_split, overall
from mnist_sweep.records.external.mapping import ResultMapping
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs, load
from mnist_sweep.records.table import RunsTable, measured
from mnist_sweep.settings import DEFAULT_MARGIN, DEFAULT_OBJECTIVE, affects_result, used

# Columns without which times do not compare.
MACHINE = ("environment.cpu", "environment.threads", "environment.workers", "environment.device")
ABSENT = "(not set)"
# The data as a setting, where one side has runs on several.
_DATASET = "dataset"
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


@dataclass(frozen=True)
class Differing:
    """A setting, or another named value, with the distinct values of every side in rising order."""

    name: str
    by_side: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, eq=False)
class Shared:
    """A configuration that is on both sides, with its runs in order of seed."""

    name: str  # the settings in which it differs from the others: "layers=2,nodes=300"
    first: RunsTable
    second: RunsTable


@dataclass(frozen=True, eq=False)
class Matched:
    """Configurations of both sides or one, and the settings by which the sides differ as wholes."""

    shared: tuple[Shared, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    changed: tuple[str, ...]


def differing(rows: Sequence[Iterable[Mapping[str, Any]]]) -> tuple[Differing, ...]:
    """The names whose values are not the same set on every side; each has one row per run."""
    sides = [list(side) for side in rows]
    names = dict.fromkeys(name for side in sides for row in side for name in row)
    found = []
    for name in names:
        texts = [{_text(row.get(name, ABSENT)): row.get(name, ABSENT) for row in s} for s in sides]
        if any(one.keys() != texts[0].keys() for one in texts[1:]):
            by_side = (
                tuple(sorted(own.values(), key=lambda v: order_key(None if v == ABSENT else v)))
                for own in texts
            )
            found.append(Differing(name, tuple(by_side)))
    return tuple(found)


def columns_of(runs: RunsTable, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Some columns as a row per run, without their prefix; those that are there."""
    known = {name: name.partition(".")[2] for name in names if name in runs}
    return plain_rows(runs[[*known]].rename(columns=known))


def match(first: Side, second: Side) -> Matched:
    """Pair the configurations of two sides.

    Those with the same settings belong together. If one side differs from the other as a whole
    (5 epochs there, 20 here), these settings are left out, unless a configuration's partner would
    become ambiguous. The data count as a setting only if one side has several datasets, as runs on
    different data are never repeats of each other.
    """
    known = [side.runs["dataset.sha256"] for side in (first, second) if side.split is not None]
    mixed = any(len(set(hashes)) > 1 for hashes in known)
    groups = [_groups(side, mixed=mixed) for side in (first, second)]
    changed: tuple[str, ...] = ()
    keyed = groups
    if not groups[0].keys() & groups[1].keys():
        sides = differing([[settings for settings, _ in side.values()] for side in groups])
        changed = tuple(one.name for one in sides if {*map(len, one.by_side)} == {1})
        keyed = [{_key(own[0], changed): own for own in side.values()} for side in groups]
        if [*map(len, keyed)] != [*map(len, groups)]:
            changed, keyed = (), groups
    every = [settings for side in keyed for settings, _ in side.values()]
    names = dict.fromkeys(name for one in every for name in one if name not in changed)
    shown = [name for name in names if len({_text(one.get(name, ABSENT)) for one in every}) > 1]
    shared = tuple(
        Shared(_name(own, shown), own[1], keyed[1][key][1])
        for key, own in keyed[0].items()
        if key in keyed[1]
    )
    only_first, only_second = (
        tuple(_name(own, shown) for key, own in side.items() if key not in other)
        for side, other in (keyed, reversed(keyed))
    )
    return Matched(shared, only_first, only_second, changed)


def _groups(side: Side, *, mixed: bool) -> dict[str, tuple[Settings, RunsTable]]:
    """The configurations of a side: settings and runs, by the settings' text."""
    settings: Sequence[Settings] = side.settings
    if mixed:
        data = [str(one)[:12] for one in side.runs["dataset.sha256"]]
        settings = [own | {_DATASET: one} for own, one in zip(settings, data, strict=True)]
    keys = [_key(own) for own in settings]
    first = dict(zip(reversed(keys), reversed(settings), strict=True))
    return {
        str(key): (first[str(key)], runs.sort_values(SEED, kind="stable"))
        for key, runs in side.runs.groupby(np.array(keys), sort=False)
    }


def _name(configuration: tuple[Settings, RunsTable], shown: Sequence[str]) -> str:
    """The settings in which it differs, or its label if there is none."""
    settings, runs = configuration
    values = {name: settings[name] for name in shown if name in settings}
    parts = [f"{k}={v if isinstance(v, str) else _text(v)}" for k, v in values.items()]
    return ",".join(parts) or without_seed(str(runs["label"].iloc[0]))


def _key(settings: Mapping[str, Any], left_out: Sequence[str] = ()) -> str:
    kept = {name: _text(value) for name, value in settings.items() if name not in left_out}
    return json.dumps(kept, sort_keys=True)


def _text(value: Any) -> str:
    """Equal values as equal text: 1 and 1.0 are the same setting."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)
