"""What a setting is: its key, type, default, range, scope, and whether it affects a result."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mnist_sweep.plugins import plugins

MAX_SHOWN = 60
"""Characters of a value in a message or a label."""

_TYPE_NAMES = {bool: "true or false", str: "text", dict: "a mapping", list: "a list"}


def shown(value: Any) -> str:
    """A value as messages and labels show it: short, None as null."""
    text = "null" if value is None else str(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def value_at(settings: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """The value of a dotted key in nested settings, or in a flat row with dotted names."""
    if key in settings:
        return settings[key]
    top, dot, rest = key.partition(".")
    inner = settings.get(top)
    return value_at(inner, rest, default) if dot and isinstance(inner, Mapping) else default


@dataclass(frozen=True)
class OnlyIf:
    """A condition on another setting: it has one of `values`, or is above `above`; in `words`."""

    key: str
    values: tuple[Any, ...] = ()
    above: float | None = None
    words: str = ""

    def holds(self, settings: Mapping[str, Any]) -> bool:
        """Whether it holds in nested settings or a flat row; False where the key is missing."""
        value = value_at(settings, self.key)
        if self.above is None:
            return value in self.values
        return isinstance(value, (int, float)) and value > self.above

    def __str__(self) -> str:
        return self.words or f"{self.key}={','.join(map(str, self.values))}"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The declaration of one setting."""

    key: str
    type: type
    optional: bool  # null is a value
    default: Any
    help: str
    scope: Literal["run", "sweep"]  # may differ between points, or steers the whole sweep
    # A different value may give a different result. Such settings make the run id; comparisons and
    # tables of what varies ignore all others.
    affects_result: bool
    only_if: OnlyIf | None = None  # without this it is not used and does not affect the result
    choices: tuple[str, ...] = ()  # empty where any value is allowed
    plugins: str | None = None  # a group of entry points, whose names are choices too
    low: float | None = None
    high: float | None = None
    above: float | None = None  # as `low`, itself left out
    below: float | None = None
    metric: bool = False  # its values are names of metrics

    @property
    def top(self) -> str:
        """The first part of its key."""
        return self.key.partition(".")[0]

    def applies(self, settings: Mapping[str, Any]) -> bool:
        """Whether a run with these settings (nested, or a flat row) uses this one."""
        return self.only_if is None or self.only_if.holds(settings)

    def value(self, settings: Mapping[str, Any]) -> Any:
        """Its value in nested settings or a flat row; the default where it is missing."""
        return value_at(settings, self.key, self.default)

    def violation(self, value: Any) -> str | None:
        """What a value must be, if it is not; None if it is allowed."""
        if value is None:
            return None if self.optional else "must not be null"
        if self.choices:
            # In this order, since looking for plugins takes long and is rarely needed.
            if value in self.choices or value in self.all_choices():
                return None
            close = difflib.get_close_matches(str(value), self.all_choices(), n=1)
            return f"must be {self.allowed}" + (f" (did you mean {close[0]}?)" if close else "")
        return None if self._fits(value) else f"must be {self.allowed}"

    @property
    def allowed(self) -> str:
        """The allowed values in words, null left out: "a whole number from 1 to 16"."""
        if self.choices:
            return f"one of: {', '.join(self.all_choices())}"
        if self.type not in (int, float):
            return "a metric" if self.metric else _TYPE_NAMES[self.type]
        number = f"a {'whole number' if self.type is int else 'number'}"
        end = "" if self.high is None else f" to {self.high}"
        end = end if self.below is None else f" to below {self.below}"
        if self.above is not None:
            return f"{number} above {self.above}{end}"
        if self.low is not None:
            return f"{number} {'from' if end else 'of at least'} {self.low}{end}"
        return number

    def all_choices(self) -> tuple[str, ...]:
        """The choices of this package and those of installed plugins."""
        return (*self.choices, *(plugins(self.plugins) if self.plugins else ()))

    def _fits(self, value: Any) -> bool:
        if self.type not in (int, float):
            return isinstance(value, Mapping if self.type is dict else self.type)
        numbers = int if self.type is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, numbers):
            return False
        return (
            -math.inf < value < math.inf  # false of nan
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )
