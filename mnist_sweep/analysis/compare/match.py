"""Which configurations of two sides belong together, and in what sides differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_sweep.analysis.compare.sides import Settings, Side
from mnist_sweep.analysis.varying import SEED, order_key
from mnist_sweep.records.paths import without_seed
from mnist_sweep.records.table import RunsTable

ABSENT = "(not set)"
# The data as a setting, where one side has runs on several.
_DATASET = "dataset"


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
