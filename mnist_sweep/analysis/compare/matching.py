"""Which configurations of two sides belong together, and in which settings the sides differ."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.side import SEED
from mnist_sweep.records.paths import without_seed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from mnist_sweep.analysis.compare.side import Settings, Side

ABSENT = "(not set)"
DATASET = "dataset"
"""The data as a setting, where one side has runs on several."""


@dataclass(frozen=True)
class Differing:
    """A setting, or another named value, that is not the same on all sides.

    `by_side` has one tuple per side: the distinct values there, in rising order.
    """

    name: str
    by_side: tuple[tuple[Any, ...], ...]

    @property
    def is_constant(self) -> bool:
        """Whether every side has one value."""
        return all(len(own) == 1 for own in self.by_side)


@dataclass(frozen=True, eq=False)
class Shared:
    """A configuration that is on both sides, with its runs in order of seed.

    `name` lists the settings in which it differs from the others: "layers=2,nodes=300".
    """

    name: str
    first: pd.DataFrame
    second: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Matched:
    """Configurations of both sides or one, and the settings by which the sides differ as wholes."""

    shared: tuple[Shared, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Group:
    """A configuration of one side."""

    settings: Settings
    runs: pd.DataFrame


def differing(rows: Sequence[Iterable[Mapping[str, Any]]]) -> tuple[Differing, ...]:
    """The names whose values are not the same set on every side.

    Args:
        rows: Of each side, one flat row per run.
    """
    sides = [list(side) for side in rows]
    names = dict.fromkeys(name for side in sides for row in side for name in row)
    found = []
    for name in names:
        texts = [{_text(row.get(name, ABSENT)): row.get(name, ABSENT) for row in s} for s in sides]
        if any(one.keys() != texts[0].keys() for one in texts[1:]):
            ordered = (sorted(one, key=lambda text: (_number(text), text)) for one in texts)
            values = (tuple(own[t] for t in o) for own, o in zip(texts, ordered, strict=True))
            found.append(Differing(name, tuple(values)))
    return tuple(found)


def match(first: Side, second: Side) -> Matched:
    """Pair the configurations of two sides.

    Those with the same settings belong together. If one side differs from the other as a whole
    (5 epochs there, 20 here), these settings are left out, unless a configuration's partner would
    become ambiguous. The data count as a setting only if one side has several datasets, as runs on
    different data are never repeats of each other.
    """
    mixed = any(len(set(_datasets(side))) > 1 for side in (first, second))
    groups = (_groups(first, mixed=mixed), _groups(second, mixed=mixed))
    changed: tuple[str, ...] = ()
    if not groups[0].keys() & groups[1].keys():
        sides = differing([[one.settings for one in side.values()] for side in groups])
        changed = tuple(one.name for one in sides if one.is_constant)
    keyed = [_without(side, changed) for side in groups]
    if any(len(one) != len(side) for one, side in zip(keyed, groups, strict=True)):
        changed, keyed = (), [*groups]
    every = [group.settings for side in keyed for group in side.values()]
    names = dict.fromkeys(name for one in every for name in one if name not in changed)
    shown = [name for name in names if len({_text(one.get(name, ABSENT)) for one in every}) > 1]
    shared = tuple(
        Shared(_name(group, shown), group.runs, keyed[1][key].runs)
        for key, group in keyed[0].items()
        if key in keyed[1]
    )
    only = [
        tuple(_name(group, shown) for key, group in own.items() if key not in other)
        for own, other in ((keyed[0], keyed[1]), (keyed[1], keyed[0]))
    ]
    return Matched(shared, only[0], only[1], changed)


def _datasets(side: Side) -> pd.Series[Any]:
    import pandas as pd

    return side.runs.get("dataset.sha256", pd.Series("", index=side.runs.index))


def _groups(side: Side, *, mixed: bool) -> dict[str, _Group]:
    """The configurations of a side by their settings' text."""
    places: dict[str, list[int]] = {}
    kept: dict[str, Settings] = {}
    for place, (own, data) in enumerate(zip(side.settings, _datasets(side), strict=True)):
        settings = {**own, DATASET: str(data)[:12]} if mixed else own
        key = _key(settings)
        kept.setdefault(key, settings)
        places.setdefault(key, []).append(place)
    return {
        key: _Group(settings, side.runs.iloc[places[key]].sort_values(SEED, kind="stable"))
        for key, settings in kept.items()
    }


def _without(groups: Mapping[str, _Group], names: Sequence[str]) -> dict[str, _Group]:
    return {
        _key({k: v for k, v in group.settings.items() if k not in names}): group
        for group in groups.values()
    }


def _name(group: _Group, shown: Sequence[str]) -> str:
    """A configuration by the settings in which it differs, or by its label if there is none."""
    values = {name: group.settings[name] for name in shown if name in group.settings}
    parts = [f"{k}={v if isinstance(v, str) else _text(v)}" for k, v in values.items()]
    return ",".join(parts) or without_seed(str(group.runs["label"].iloc[0]))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps({name: _text(value) for name, value in settings.items()}, sort_keys=True)


def _text(value: Any) -> str:
    """Equal values as equal text: 1 and 1.0 are the same setting."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)
