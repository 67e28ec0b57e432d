"""The stages of a study as its config describes them, checked before anything is run.

A stage is a grid of its own, or (`of`) changes to the configuration that an earlier stage selected.
A stage may select, from its own runs or those of the stages named in `among`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mnist_sweep.analysis.where import parse
from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import declared, resolve
from mnist_sweep.settings import DEFAULT_OBJECTIVE, SWEEP_KEYS, suggestion
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.plan.overrides import config_text

_STAGE = ("name", "of", "params", "select")
_SELECT = ("where", "by", "direction", "split", "among")
_NAME = re.compile(r"[A-Za-z][\w-]{0,39}")
_KEY = re.compile(r"[+~]*[A-Za-z_][\w./-]*")


@dataclass(frozen=True)
class SelectionRule:
    """What a stage selects, as the commands `worst` and `best` do.

    `split` is that of a metric that names none; `among` are the stages whose runs are candidates.
    """

    where: tuple[str, ...]
    by: str
    direction: Literal["worst", "best"]
    split: str
    among: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """One stage.

    `of` is the stage whose selected configuration it starts from, None for a grid of its own;
    `params` are written as on Hydra's command line; `select` is what later stages start from.
    """

    name: str
    of: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    select: SelectionRule | None = None

    @property
    def overrides(self) -> list[str]:
        """`params` as overrides."""
        return [f"{key}={value}" for key, value in self.params.items()]


def read_stages(
    raw: Sequence[Any], objective: str = DEFAULT_OBJECTIVE, *, tasks: bool = False
) -> list[Stage]:
    """Stages from `study.stages`; all that is wrong with them is reported at once.

    Args:
        raw: As the config has them.
        objective: The metric of selections that name none.
        tasks: Whether only runs tell which metrics there are.
    """
    stages: list[Stage] = []
    problems: list[str] = []
    for number, entry in enumerate(raw, 1):
        wrong: list[str] = []
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if isinstance(entry, Mapping):
            stages.append(_stage(entry, stages, objective, wrong, tasks=tasks))
        else:
            wrong.append(f"must be a mapping of {', '.join(_STAGE)}")
        place = f"stage {number} of the study" if name is None else f"stage {name}"
        problems += [f"{place}: {text}" for text in wrong]
    raise_for(problems)
    return stages


def _stage(
    entry: Mapping[str, Any],
    earlier: Sequence[Stage],
    objective: str,
    wrong: list[str],
    *,
    tasks: bool,
) -> Stage:
    """One stage; what is wrong with it is added to `wrong`."""
    wrong += _unknown_keys("", entry, _STAGE)
    name = str(entry.get("name"))
    of = None if entry.get("of") is None else str(entry["of"])
    if entry.get("name") is None or not _NAME.fullmatch(name):
        wrong.append(f"name={entry.get('name')}: must be a word of letters, digits, - and _")
    before = {stage.name: stage for stage in earlier}
    if name in before:
        wrong.append("there is one of that name already; give each its own")
    params = entry.get("params")
    wrong += _wrong_params(params)
    params = params if isinstance(params, Mapping) else {}
    if of is not None:
        if of not in before:
            itself = "it cannot start from itself; " if of == name else ""
            wrong.append(f"of={of}: {itself}{_no_earlier(before)}")
        elif before[of].select is None:
            wrong.append(f"of={of}: that stage selects nothing; give it a select")
        if not params:
            wrong.append(f"is of {of} but changes nothing; name a change in its params")
    rule = None
    if entry.get("select") is not None:
        rule = _rule(entry["select"], name, objective, wrong, tasks=tasks)
        wrong += [
            f"select.among={other}: {_no_earlier(before)}, or this one"
            for other in rule.among
            if other not in (*before, name)
        ]
    return Stage(name, of, {str(key): config_text(value) for key, value in params.items()}, rule)


def _unknown_keys(part: str, values: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    return [
        f"{part}{key}: no such key; {suggestion(str(key), list(known))}"
        for key in values
        if key not in known
    ]


def _no_earlier(names: Mapping[str, Any]) -> str:
    there = f"earlier are {', '.join(names)}" if names else "it is the first"
    return f"must be the name of an earlier stage; {there}"


def _wrong_params(raw: Any) -> list[str]:
    if not isinstance(raw, Mapping):
        return [] if raw is None else [f"params={raw}: must be a mapping of settings to values"]
    wrong = []
    for key in raw:
        top = str(key).lstrip("+~").partition(".")[0].partition("/")[0]
        if not _KEY.fullmatch(str(key)):
            wrong.append(f"params: {key!r} is no setting")
        elif top in ("hydra", "experiment", *SWEEP_KEYS):
            wrong.append(f"params.{key}: belongs to the whole study; set it outside")
        elif top == "seed":
            wrong.append(
                "params.seed: repeats belong to the whole study; set study.repeats, or "
                "seed=range(0,5) on the command line"
            )
    return wrong


def _rule(raw: Any, name: str, objective: str, wrong: list[str], *, tasks: bool) -> SelectionRule:
    values: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    if not isinstance(raw, Mapping):
        wrong.append(f"select={raw}: must be a mapping of {', '.join(_SELECT)}")
    wrong += _unknown_keys("select: ", values, _SELECT)
    where, among = _texts(values.get("where")), _texts(values.get("among")) or (name,)
    by, split = str(values.get("by", objective)), str(values.get("split", "validation"))
    if tasks:
        by = declared(by)
    direction = values.get("direction", "worst")
    if direction not in ("worst", "best"):
        wrong.append(f"select.direction={direction}: must be worst or best")
    for check in (lambda: parse(where), lambda: resolve(by, split)):
        try:
            check()
        except SelectionError as error:
            wrong.append(f"select: {error}")
    return SelectionRule(where, by, "best" if direction == "best" else "worst", split, among)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)


def depth(stage: Stage, stages: Sequence[Stage]) -> int:
    """How many stages it goes through: 0 for a grid of its own, 1 for one `of` that."""
    by_name = {other.name: other for other in stages}
    sources = [stage.of] if stage.of else []
    # Its seeds must differ from those of all that were compared for the selection.
    if stage.of and (choice := by_name[stage.of].select):
        sources += choice.among
    return max((1 + depth(by_name[name], stages) for name in sources), default=0)


def undecidable(stage: Stage) -> list[str]:
    """Why further seeds cannot decide a stage's selection; empty where they can."""
    if not stage.select or resolve(stage.select.by, stage.select.split).is_from_counts:
        return []
    text = (
        f"stage {stage.name}: select.by={stage.select.by}: study.decide needs a metric that is "
        "made of predictions, such as accuracy, f1_min, or one class's as in f1.8"
    )
    return [text]
