"""The stages of a study as its config describes them, checked before anything is run.

A stage is a grid of its own, or (`of`) changes to the configuration that an earlier stage selected.
A stage may select, from its own runs or those of the stages named in `among`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mnist_sweep.analysis.where import parse
from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import resolve
from mnist_sweep.settings import DEFAULT_OBJECTIVE, SWEEP_KEYS, suggestion
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.plan.overrides import config_text

_STAGE = ("name", "of", "params", "select")
_SELECT = ("where", "by", "direction", "split", "among")
_NAME = re.compile(r"[A-Za-z][\w-]{0,39}")
_KEY = re.compile(r"[+~]*[A-Za-z_][\w./-]*")


@dataclass(frozen=True)
class SelectionRule:
    """What a stage selects.

    Attributes:
        where: Conditions as the `worst` command takes them.
        by: The metric.
        direction: worst or best.
        split: Of a metric that names none.
        among: Names of the stages whose runs are the candidates.
    """

    where: tuple[str, ...]
    by: str
    direction: Literal["worst", "best"]
    split: str
    among: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Unique in its study.
        of: The stage whose selected configuration it starts from; None for a grid of its own.
        params: Key -> value as written on Hydra's command line, perhaps a sweep.
        select: What later stages start from; None where it selects nothing.
    """

    name: str
    of: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    select: SelectionRule | None = None

    @property
    def overrides(self) -> list[str]:
        """`params` as overrides."""
        return [f"{key}={value}" for key, value in self.params.items()]


def read_stages(raw: Sequence[Any], objective: str = DEFAULT_OBJECTIVE) -> list[Stage]:
    """Stages from `study.stages`.

    Raises:
        SettingsError: Lists everything that is wrong with them.
    """
    found: list[str] = []
    stages: list[Stage] = []
    for number, entry in enumerate(raw, 1):
        if not isinstance(entry, Mapping):
            found.append(f"stage {number} of the study: must be a mapping of {', '.join(_STAGE)}")
            continue
        stages.append(_stage(entry, number, stages, found, objective))
    raise_for(found)
    return stages


def depth(stage: Stage, stages: Iterable[Stage]) -> int:
    """How many stages it goes through: 0 for a grid of its own, 1 for one `of` that."""
    by_name = {other.name: other for other in stages}
    sources = [stage.of] if stage.of else []
    if stage.of and (choice := by_name[stage.of].select):
        sources += choice.among
    return max((1 + depth(by_name[name], by_name.values()) for name in sources), default=0)


def _stage(
    entry: Mapping[str, Any],
    number: int,
    earlier: list[Stage],
    found: list[str],
    objective: str,
) -> Stage:
    raw_name = entry.get("name")
    name = str(raw_name)
    place = f"stage {name}" if raw_name is not None else f"stage {number} of the study"
    found += _unknown_keys(place, entry, _STAGE)
    if raw_name is None or not _NAME.fullmatch(name):
        found.append(f"{place}: name={raw_name}: must be a word of letters, digits, - and _")
    names = [stage.name for stage in earlier]
    if name in names:
        found.append(f"{place}: there is one of that name already; give each its own")
    of = entry.get("of")
    params = _params(place, entry.get("params"), found)
    if of is not None:
        of = str(of)
        found += _source_problems(place, of, name, earlier)
        if not params:
            found.append(f"{place}: is of {of} but changes nothing; name a change in its params")
    select = entry.get("select")
    choice = None if select is None else _rule(place, select, name, names, found, objective)
    return Stage(name, of, params, choice)


def _source_problems(place: str, of: str, name: str, earlier: list[Stage]) -> list[str]:
    names = [stage.name for stage in earlier]
    if of not in names:
        return [f"{place}: of={of}: {_no_earlier(of, name, names)}"]
    if earlier[names.index(of)].select is None:
        return [f"{place}: of={of}: that stage selects nothing; give it a select"]
    return []


def _no_earlier(wanted: str, name: str, names: list[str]) -> str:
    """Why a stage cannot refer to `wanted`."""
    itself = "it cannot start from itself; " if wanted == name else ""
    there = f"earlier are {', '.join(names)}" if names else "it is the first"
    return f"{itself}must be the name of an earlier stage; {there}"


def _params(place: str, raw: Any, found: list[str]) -> dict[str, str]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        found.append(f"{place}: params={raw}: must be a mapping of settings to values")
        return {}
    params = {}
    for key, value in raw.items():
        top = str(key).lstrip("+~").partition(".")[0].partition("/")[0]
        if not _KEY.fullmatch(str(key)):
            found.append(f"{place}: params: {key!r} is no setting")
        elif top in ("hydra", "experiment", *SWEEP_KEYS):
            found.append(f"{place}: params.{key}: belongs to the whole study; set it outside")
        elif top == "seed":
            found.append(
                f"{place}: params.seed: repeats belong to the whole study; set study.repeats, or "
                "seed=range(0,5) on the command line"
            )
        else:
            params[str(key)] = config_text(value)
    return params


def _rule(
    place: str, raw: Any, name: str, names: list[str], found: list[str], objective: str
) -> SelectionRule:
    values: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    if not isinstance(raw, Mapping):
        found.append(f"{place}: select={raw}: must be a mapping of {', '.join(_SELECT)}")
    found += _unknown_keys(f"{place}: select", values, _SELECT)
    where, among = _texts(values.get("where")), _texts(values.get("among")) or (name,)
    by, split = str(values.get("by", objective)), str(values.get("split", "validation"))
    direction = values.get("direction", "worst")
    if direction not in ("worst", "best"):
        found.append(f"{place}: select.direction={direction}: must be worst or best")
    for check in (lambda: parse(where), lambda: resolve(by, split)):
        try:
            check()
        except SelectionError as error:
            found.append(f"{place}: select: {error}")
    found += [
        f"{place}: select.among={other}: {_no_earlier(other, '', names)}, or this one"
        for other in among
        if other not in (*names, name)
    ]
    return SelectionRule(where, by, "best" if direction == "best" else "worst", split, among)


def decidable(choice: SelectionRule) -> str | None:
    """Why further seeds cannot decide a selection, or None where they can."""
    if resolve(choice.by, choice.split).is_from_counts:
        return None
    return (
        f"select.by={choice.by}: study.decide needs a metric that is made of predictions, such as "
        "accuracy, f1_min, or one class's as in f1.8"
    )


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)


def _unknown_keys(place: str, values: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    return [
        f"{place}: {key}: no such key; {suggestion(str(key), list(known))}"
        for key in values
        if key not in known
    ]
