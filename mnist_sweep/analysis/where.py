"""Conditions on runs: `layers=2`, `layers=1,2`, `dropout>0`, `status!=failed`.

Tables, selections, studies and gates use them; `holding` applies them to the runs table.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import closest, resolve
from mnist_sweep.records.paths import scalar
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.table import plain

if TYPE_CHECKING:
    import pandas as pd

# Config groups: what a user writes on the command line -> the column of the runs table.
ALIASES = {"trainer": "trainer.name", "data": "dataset.name"}
_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_RESULTS = ("train.", "validation.", "test.", "time.", "history.", "parameters", "epochs_trained")
_EXPRESSION = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*", re.DOTALL)

# A value before a comma; what is in quotes is text, commas and all.
_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,]*?))\s*(?:,|$)""")
MAX_LISTED = 8


@dataclass(frozen=True)
class Condition:
    """A column compared with any of `wanted`; an ordering takes one number."""

    key: str
    operator: str
    wanted: tuple[Any, ...]
    text: str

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is true of a run; an ordering is not true of a value that is missing."""
        value = row.get(self.key)
        if self.operator in ("=", "!="):
            return any(_same(value, one) for one in self.wanted) == (self.operator == "=")
        if value is None:
            return False
        if not _is_number(value):
            raise SelectionError(
                f"In the condition {self.text}: {self.key} is {value!r}, not a number. Use = or !=."
            )
        return bool(_ORDERINGS[self.operator](value, self.wanted[0]))


def parse(expressions: Iterable[str]) -> list[Condition]:
    """Conditions of expressions such as `layers=1,2`; a malformed one is a SelectionError."""
    conditions = []
    for text in expressions:
        found = _EXPRESSION.fullmatch(text)
        if not found or not found[3]:
            raise SelectionError(
                f"Expected a condition KEY=VALUE, KEY=VALUE,VALUE or KEY>=NUMBER, got {text!r}. "
                "For example: layers=2 or dropout>0."
            )
        key, sign, right = found.groups()
        sign = "=" if sign == "==" else sign
        wanted = tuple(
            scalar(part[3]) if part[3] is not None else part[1] or part[2] or ""
            for part in _PART.finditer(right)
            if part[0]
        )
        if sign in _ORDERINGS and (len(wanted) > 1 or not _is_number(wanted[0])):
            raise SelectionError(
                f"In the condition {text}: {sign} needs one number, got {right!r}."
            )
        conditions.append(Condition(ALIASES.get(key, key), sign, wanted, text))
    return conditions


def check_keys(conditions: Sequence[Condition], known: Collection[str]) -> None:
    """Refuse conditions on names that are no column of the runs."""
    for condition in conditions:
        if len(known) and condition.key not in known:
            raise SelectionError(
                f"In the condition {condition.text}: no such setting or metric as {condition.key}; "
                f"{closest(condition.key, known)}"
            )


def holding(conditions: Sequence[Condition], runs: pd.DataFrame) -> list[bool]:
    """Of each row of the runs table whether all conditions hold, see `matches`."""
    if not conditions:
        return [True] * len(runs)
    for one in conditions:
        _refuse_percentage(one, runs)
    names = [name for name in {"status", *(one.key for one in conditions)} if name in runs]
    found = []
    for values in zip(*(plain(runs[name]) for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        if row["status"] in (RunStatus.MISSING, RunStatus.UNREADABLE):
            # Only what its name spells is known of it.
            row = {name: value for name, value in row.items() if value is not None}
        found.append(matches(conditions, row))
    return found


def unmet(conditions: Sequence[Condition], runs: pd.DataFrame) -> str:
    """What there is in place of what conditions ask for that no run meets; for an error."""
    found = []
    for one in conditions if len(runs) else ():
        if any(holding([one], runs)):
            continue
        values = [value for value in dict.fromkeys(plain(runs[one.key])) if value is not None]
        found.append(f"{one.key} is {_listed(values, one)}")
    if found:
        return "; ".join(found)
    return "each holds for some, all of them for none" if len(conditions) > 1 < len(runs) else ""


def _listed(values: list[Any], condition: Condition) -> str:
    if all(isinstance(one, (int, float)) for one in values):
        numbers = [f"{one:.4g}" if isinstance(one, float) else str(one) for one in sorted(values)]
        if len(numbers) > MAX_LISTED:
            return f"{numbers[0]} to {numbers[-1]}"
        return ", ".join(numbers) or "null"
    texts = [str(one) for one in values]
    close = difflib.get_close_matches(str(condition.wanted[0]), texts, n=3)
    hidden = len(texts) - MAX_LISTED if not close else 0
    more = f" and {hidden} others" if hidden > 0 else ""
    return ", ".join(close or texts[:MAX_LISTED]) + more


def _refuse_percentage(condition: Condition, runs: pd.DataFrame) -> None:
    number = condition.wanted[0]
    if not _is_number(number) or number <= 1:
        return
    try:
        is_share = resolve(condition.key).format.is_share
    except SelectionError:  # no metric
        return
    key, sign = condition.key, condition.operator
    if is_share and key in runs and not any((one or 0) > 1 for one in plain(runs[key])):
        raise SelectionError(
            f"In the condition {condition.text}: {key} is a fraction, though it is shown in "
            f"percent: {key}{sign}{number / 100:g} means {number:g} %."
        )


def plain_rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row as column -> plain value; None where the run has no value."""
    table = runs.astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def matches(conditions: Iterable[Condition], row: Mapping[str, Any]) -> bool:
    """Whether all conditions hold for a run, of which what is not known is left out."""
    # A run without results (failed, missing) is not left out by a condition on results: nobody
    # knows whether it would have held, and no run may disappear silently.
    finished = row.get("status") == RunStatus.FINISHED
    return all(
        one.holds(row)
        for one in conditions
        if finished
        or row.get(one.key) is not None
        or (one.key in row and not one.key.startswith(_RESULTS))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool) or value is None or wanted is None:
        return value is wanted
    if isinstance(value, (int, float)) and isinstance(wanted, (int, float)):
        # As settings are shown: range(0.1,0.5,0.1) has 0.30000000000000004.
        return value == wanted or f"{value:.12g}" == f"{wanted:.12g}"
    return str(value) == str(wanted)
