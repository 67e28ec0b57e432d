"""The stages of a study as its config describes them, checked before anything is run.

A stage is a grid of its own, or (`of`) changes to the configuration that an earlier stage selected.
A stage may select, from its own runs or those of the stages named in `among`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
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

    `objective` is the metric of selections that name none; of `tasks` only runs tell which metrics
    there are.
    """
    stages: list[Stage] = []
    wrong: list[str] = []
    for number, entry in enumerate(raw, 1):
        values = entry if isinstance(entry, Mapping) else {}
        place = f"stage {values.get('name') or f'{number} of the study'}"
        if values is not entry:
            wrong.append(f"{place}: must be a mapping of {', '.join(_STAGE)}")
            continue
        name, params = str(values.get("name")), values.get("params")
        stage = Stage(
            name,
            None if values.get("of") is None else str(values["of"]),
            {str(key): config_text(value) for key, value in params.items()}
            if isinstance(params, Mapping) else {},
            None if values.get("select") is None
            else _rule(values["select"], name, objective, tasks=tasks),
        )  # fmt: skip
        earlier = {one.name: one for one in stages}
        wrong += [f"{place}: {text}" for text in _problems(stage, values, earlier)]
        stages.append(stage)
    raise_for(wrong)
    return stages


def _rule(raw: Any, name: str, objective: str, *, tasks: bool) -> SelectionRule:
    values = raw if isinstance(raw, Mapping) else {}
    by = str(values.get("by", objective))
    return SelectionRule(
        where=_texts(values.get("where")),
        by=declared(by) if tasks else by,
        direction=values.get("direction", "worst"),
        split=str(values.get("split", "validation")),
        among=_texts(values.get("among")) or (name,),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)


def _problems(stage: Stage, raw: Mapping[str, Any], earlier: Mapping[str, Stage]) -> Iterator[str]:
    there = f"earlier are {', '.join(earlier)}" if earlier else "it is the first"
    no_earlier = f"must be the name of an earlier stage; {there}"
    yield from _unknown_keys("", raw, _STAGE)
    if raw.get("name") is None or not _NAME.fullmatch(stage.name):
        yield f"name={raw.get('name')}: must be a word of letters, digits, - and _"
    if stage.name in earlier:
        yield "there is one of that name already; give each its own"
    yield from _problems_of_params(raw.get("params"))
    if stage.of is not None:
        if stage.of not in earlier:
            itself = "it cannot start from itself; " if stage.of == stage.name else ""
            yield f"of={stage.of}: {itself}{no_earlier}"
        elif earlier[stage.of].select is None:
            yield f"of={stage.of}: that stage selects nothing; give it a select"
        if not stage.params:
            yield f"is of {stage.of} but changes nothing; name a change in its params"
    if stage.select:
        yield from _problems_of_rule(stage.select, raw["select"])
        for other in stage.select.among:
            if other not in (*earlier, stage.name):
                yield f"select.among={other}: {no_earlier}, or this one"


def _unknown_keys(part: str, values: Mapping[str, Any], known: Sequence[str]) -> Iterator[str]:
    for key in values:
        if key not in known:
            yield f"{part}{key}: no such key; {suggestion(str(key), list(known))}"


def _problems_of_params(raw: Any) -> Iterator[str]:
    if not isinstance(raw, Mapping | None):
        yield f"params={raw}: must be a mapping of settings to values"
        return
    for key in map(str, raw or ()):
        top = key.lstrip("+~").partition(".")[0].partition("/")[0]
        if not _KEY.fullmatch(key):
            yield f"params: {key!r} is no setting"
        elif top in ("hydra", "experiment", *SWEEP_KEYS):
            yield f"params.{key}: belongs to the whole study; set it outside"
        elif top == "seed":
            yield (
                "params.seed: repeats belong to the whole study; set study.repeats, or "
                "seed=range(0,5) on the command line"
            )


def _problems_of_rule(rule: SelectionRule, raw: Any) -> Iterator[str]:
    if isinstance(raw, Mapping):
        yield from _unknown_keys("select: ", raw, _SELECT)
    else:
        yield f"select={raw}: must be a mapping of {', '.join(_SELECT)}"
    if rule.direction not in ("worst", "best"):
        yield f"select.direction={rule.direction}: must be worst or best"
    for check in (lambda: parse(rule.where), lambda: resolve(rule.by, rule.split)):
        try:
            check()
        except SelectionError as error:
            yield f"select: {error}"


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
