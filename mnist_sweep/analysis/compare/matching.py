"""Which configurations of two sides belong together, and in which settings the sides differ."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.paths import without_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mnist_sweep.analysis.compare.sides import ComparedRun, Side
    from mnist_sweep.records.fields import Flat

ABSENT = "(not set)"


@dataclass(frozen=True)
class Differing:
    """A setting, or another named value, that is not the same on all sides.

    `values` holds one tuple per side: the distinct values there, in rising order.
    """

    name: str
    values: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Shared:
    """A configuration that is on both sides, with its runs in order of seed."""

    name: str
    first: tuple[ComparedRun, ...]
    second: tuple[ComparedRun, ...]

    @property
    def same_settings(self) -> bool:
        """Whether nothing but the seed can differ."""
        return _key(self.first[0].settings) == _key(self.second[0].settings)

    @property
    def paired(self) -> bool:
        """Whether both sides hold the same seeds, so that runs can be compared one by one."""
        first, second = ([run.seed for run in runs] for runs in (self.first, self.second))
        return first == second and len(set(first)) == len(first)


@dataclass(frozen=True)
class Matched:
    """Configurations in both, in one, and the settings by which one side differs from the other."""

    shared: tuple[Shared, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    changed: tuple[str, ...]


def differing(rows: Sequence[Sequence[Flat]]) -> tuple[Differing, ...]:
    """The names whose values are not the same set on every side.

    Args:
        rows: Of each side, one flat row per run.
    """
    names = dict.fromkeys(name for side in rows for row in side for name in row)
    found = []
    for name in names:
        values = tuple(_distinct(row.get(name, ABSENT) for row in side) for side in rows)
        if any(list(map(_text, side)) != list(map(_text, values[0])) for side in values[1:]):
            found.append(Differing(name, values))
    return tuple(found)


def match(first: Side, second: Side) -> Matched:
    """Pair the configurations of two sides.

    Those with the same settings belong together. Where one side differs from the other as a whole
    (5 epochs there, 20 here), such settings are set aside, as long as that leaves every
    configuration's partner unambiguous. The data count as a setting only where one side holds
    several: they are never repeats of each other.
    """
    mixed = any(len({_data(run) for run in side.runs}) > 1 for side in (first, second))
    groups = (_configurations(first.runs, mixed), _configurations(second.runs, mixed))
    changed = _constant_changes(*groups) if not groups[0].keys() & groups[1].keys() else ()
    keyed = [_without(group, changed) for group in groups]
    if any(len(keys) != len(group) for keys, group in zip(keyed, groups, strict=True)):
        changed, keyed = (), [_without(group, ()) for group in groups]
    shown = _varying([run for group in groups for runs in group.values() for run in runs], changed)
    shared = [
        Shared(_name(keyed[0][key][0], shown), keyed[0][key], keyed[1][key])
        for key in keyed[0]
        if key in keyed[1]
    ]
    only = [
        tuple(_name(runs[0], shown) for key, runs in own.items() if key not in other)
        for own, other in ((keyed[0], keyed[1]), (keyed[1], keyed[0]))
    ]
    return Matched(tuple(shared), only[0], only[1], changed)


_Groups = dict[str, tuple["ComparedRun", ...]]


def _data(run: ComparedRun) -> str:
    return str(run.data.get("sha256"))


def _configurations(runs: Sequence[ComparedRun], by_data: bool) -> _Groups:  # noqa: FBT001
    groups: dict[str, list[ComparedRun]] = {}
    for one in runs:
        run = one
        if by_data:
            run = replace(one, settings={**one.settings, "dataset": _data(one)[:12]})
        groups.setdefault(_key(run.settings), []).append(run)
    return {
        key: tuple(sorted(group, key=lambda run: (run.seed is None, run.seed or 0)))
        for key, group in groups.items()
    }


def _constant_changes(first: _Groups, second: _Groups) -> tuple[str, ...]:
    """Settings with one value on either side, and not the same."""
    sides = [[runs[0].settings for runs in group.values()] for group in (first, second)]
    return tuple(
        one.name for one in differing(sides) if all(len(values) == 1 for values in one.values)
    )


def _without(groups: _Groups, changed: Sequence[str]) -> _Groups:
    keyed: _Groups = {}
    for runs in groups.values():
        settings = {k: v for k, v in runs[0].settings.items() if k not in changed}
        keyed[_key(settings)] = runs
    return keyed


def _varying(runs: Sequence[ComparedRun], changed: Sequence[str]) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run.settings if name not in changed)
    return [
        name for name in names if len({_text(run.settings.get(name, ABSENT)) for run in runs}) > 1
    ]


def _name(run: ComparedRun, shown: Sequence[str]) -> str:
    """A configuration by the settings that tell it from others, or by its label if none does."""
    parts = [f"{name}={_shown(run.settings[name])}" for name in shown if name in run.settings]
    if parts:
        return ",".join(parts)
    return without_seed(run.label)


def _distinct(values: Any) -> tuple[Any, ...]:
    found = {_text(value): value for value in values}
    return tuple(found[text] for text in sorted(found, key=lambda text: (_number(text), text)))


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


def _shown(value: Any) -> str:
    text = _text(value)
    return value if isinstance(value, str) else text
