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


def read_stages(
    raw: Sequence[Any], objective: str = DEFAULT_OBJECTIVE, *, tasks: bool = False
) -> list[Stage]:
    """Stages from `study.stages`.

    Args:
        raw: As the config has them.
        objective: The metric of selections that name none.
        tasks: Whether only runs tell which metrics there are.

    Raises:
        SettingsError: Lists everything that is wrong with them.
    """
    reader = _Reader(objective, tasks=tasks)
    for number, entry in enumerate(raw, 1):
        reader.read(entry, f"stage {number} of the study")
    raise_for(reader.problems)
    return reader.stages


class _Reader:
    """Reads stages one after another, and collects what is wrong with them."""

    def __init__(self, objective: str, *, tasks: bool) -> None:
        self.stages: list[Stage] = []
        self.problems: list[str] = []
        self._objective, self._tasks, self._place = objective, tasks, ""

    def read(self, entry: Any, place: str) -> None:
        self._place = place
        if not isinstance(entry, Mapping):
            return self._wrong(f"must be a mapping of {', '.join(_STAGE)}")
        raw_name, of, select = entry.get("name"), entry.get("of"), entry.get("select")
        name = str(raw_name)
        if raw_name is not None:
            self._place = f"stage {name}"
        self._check_keys("", entry, _STAGE)
        if raw_name is None or not _NAME.fullmatch(name):
            self._wrong(f"name={raw_name}: must be a word of letters, digits, - and _")
        if name in self._names:
            self._wrong("there is one of that name already; give each its own")
        params = self._params(entry.get("params"))
        if of is not None:
            self._check_source(str(of), name)
            if not params:
                self._wrong(f"is of {of} but changes nothing; name a change in its params")
        rule = None if select is None else self._rule(select, name)
        self.stages.append(Stage(name, None if of is None else str(of), params, rule))
        return None

    @property
    def _names(self) -> list[str]:
        return [stage.name for stage in self.stages]

    def _wrong(self, text: str) -> None:
        self.problems.append(f"{self._place}: {text}")

    def _check_keys(self, part: str, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in values:
            if key not in known:
                self._wrong(f"{part}{key}: no such key; {suggestion(str(key), list(known))}")

    def _check_source(self, of: str, name: str) -> None:
        if of not in self._names:
            self._wrong(f"of={of}: {self._no_earlier(of, name)}")
        elif self.stages[self._names.index(of)].select is None:
            self._wrong(f"of={of}: that stage selects nothing; give it a select")

    def _no_earlier(self, wanted: str, name: str) -> str:
        """Why a stage cannot refer to `wanted`."""
        itself = "it cannot start from itself; " if wanted == name else ""
        there = f"earlier are {', '.join(self._names)}" if self.stages else "it is the first"
        return f"{itself}must be the name of an earlier stage; {there}"

    def _params(self, raw: Any) -> dict[str, str]:
        if not isinstance(raw, Mapping):
            if raw is not None:
                self._wrong(f"params={raw}: must be a mapping of settings to values")
            return {}
        for key in raw:
            top = str(key).lstrip("+~").partition(".")[0].partition("/")[0]
            if not _KEY.fullmatch(str(key)):
                self._wrong(f"params: {key!r} is no setting")
            elif top in ("hydra", "experiment", *SWEEP_KEYS):
                self._wrong(f"params.{key}: belongs to the whole study; set it outside")
            elif top == "seed":
                self._wrong(
                    "params.seed: repeats belong to the whole study; set study.repeats, or "
                    "seed=range(0,5) on the command line"
                )
        return {str(key): config_text(value) for key, value in raw.items()}

    def _rule(self, raw: Any, name: str) -> SelectionRule:
        values: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
        if not isinstance(raw, Mapping):
            self._wrong(f"select={raw}: must be a mapping of {', '.join(_SELECT)}")
        self._check_keys("select: ", values, _SELECT)
        where, among = _texts(values.get("where")), _texts(values.get("among")) or (name,)
        by, split = str(values.get("by", self._objective)), str(values.get("split", "validation"))
        if self._tasks:
            by = declared(by)
        direction = values.get("direction", "worst")
        if direction not in ("worst", "best"):
            self._wrong(f"select.direction={direction}: must be worst or best")
        for check in (lambda: parse(where), lambda: resolve(by, split)):
            try:
                check()
            except SelectionError as error:
                self._wrong(f"select: {error}")
        for other in among:
            if other not in (*self._names, name):
                self._wrong(f"select.among={other}: {self._no_earlier(other, '')}, or this one")
        return SelectionRule(where, by, "best" if direction == "best" else "worst", split, among)


def depth(stage: Stage, stages: Iterable[Stage]) -> int:
    """How many stages it goes through: 0 for a grid of its own, 1 for one `of` that."""
    by_name = {other.name: other for other in stages}
    sources = [stage.of] if stage.of else []
    if stage.of and (choice := by_name[stage.of].select):
        sources += choice.among
    return max((1 + depth(by_name[name], by_name.values()) for name in sources), default=0)


def undecidable(stage: Stage) -> list[str]:
    """Why further seeds cannot decide a stage's selection; empty where they can."""
    if not stage.select or resolve(stage.select.by, stage.select.split).is_from_counts:
        return []
    text = (
        f"stage {stage.name}: select.by={stage.select.by}: study.decide needs a metric that is "
        "made of predictions, such as accuracy, f1_min, or one class's as in f1.8"
    )
    return [text]


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else (str(value),)
