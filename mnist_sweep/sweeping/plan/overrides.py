"""Overrides of a command line, parsed and checked one by one before Hydra composes anything.

Hydra stops at the first bad override and knows no ranges; here every bad key and every bad value of
a whole grid is found at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep
from hydra.errors import OverrideParseException

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import (
    NESTED,
    Problem,
    is_whole,
    known_keys,
    nested_problems,
    suggestion,
    value_problem,
)

GROUPS = ("data", "model", "trainer", "experiment")
_WHOLE_ENDS = re.compile(
    r"^(?!.*\bfloat\().*\binterval\("
    r"\s*(?:start\s*=\s*)?[+-]?[\d_]+\s*,\s*(?:end\s*=\s*)?[+-]?[\d_]+\s*\)"
)
"""An interval whose ends are written as whole numbers; Hydra reads both as fractions."""
LONG_RANGE = 1000
"""Of a longer range only both ends are checked; whether it is too long is for `max_points`."""


def parse(arguments: Iterable[str]) -> list[Override]:
    """Hydra's own reading of overrides.

    Raises:
        UsageError: One is not an override; the text says which and what was expected.
    """
    return [_parsed(text) for text in arguments]


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Override:
    # Milliseconds each; before Hydra composes and in the sweeper the same texts are asked for.
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except OverrideParseException as error:
        reason = ". ".join(line.strip() for line in str(error).splitlines()[:2])
        raise UsageError(
            f"Cannot read {error.override!r}: {reason}. Expected key=value, as in layers=1,2; "
            "`python -m mnist_sweep --help` lists the keys, `mnist-sweep table --help` and the "
            "like explain the subcommands."
        ) from error
    return override


def check(overrides: Iterable[Override], *, intervals: bool = False) -> None:
    """Refuse unknown keys, empty sweeps and values out of range, all of them at once.

    Args:
        overrides: As Hydra reads them.
        intervals: Whether intervals may stand among them; a search takes them, a grid does not.

    Raises:
        SettingsError: Lists every problem with key, value and what is allowed.
    """
    found: list[Problem] = []
    for override in overrides:
        if intervals or not is_interval(override):
            found += _problems(override)
        else:
            text = (
                "an interval has no end of values: a grid takes a list (1,2) or a range "
                "(range(1,5)), a search takes intervals (hydra/sweeper=search)"
            )
            found.append(Problem(key_of(override), _written(override), text))
    raise_for(found)


def raise_for(found: Sequence[Problem | str], where: str = "Nothing was run") -> None:
    """Raise one SettingsError that lists all problems, if there are any."""
    unique = list(dict.fromkeys(str(problem) for problem in found))
    if unique:
        lines = "\n".join(f"  {line}" for line in unique)
        count = "a setting is" if len(unique) == 1 else f"{len(unique)} settings are"
        raise SettingsError(f"{where}: {count} wrong.\n{lines}")


def values(override: Override) -> list[Any]:
    """The plain values an override gives its key: one, or those of its sweep."""
    if override.is_sweep_override():
        return [plain_value(value) for value in override.sweep_iterator()]
    return [plain_value(override.value())]


def is_interval(override: Override) -> bool:
    """Whether an override is swept over all numbers between two."""
    return isinstance(override.value(), IntervalSweep)


def interval_ends(override: Override) -> tuple[float, float]:
    """Both ends of an interval; whole numbers where its key takes no others.

    Of a setting that the schema does not know, as of a network of the user's own, the writing
    tells: `interval(8,64)` holds whole numbers, `interval(8.0,64)` all between.
    """
    sweep, key = override.value(), key_of(override)
    ends = cast("Any", sweep).start, cast("Any", sweep).end
    whole = is_whole(key) if key in known_keys() else _WHOLE_ENDS.search(_written(override))
    if whole and all(float(end).is_integer() for end in ends):
        return int(ends[0]), int(ends[1])
    return ends


def _values_to_check(override: Override) -> list[Any]:
    if is_interval(override):
        return list(interval_ends(override))
    ends = _ends_of_long_range(override.value()) if override.is_sweep_override() else []
    return ends or values(override)


def range_size(sweep: RangeSweep) -> int:
    """How many values a range has, to within one where its step is a fraction."""
    start, stop, step = (float(cast("Any", x)) for x in (sweep.start, sweep.stop, sweep.step))
    return max(0, math.ceil((stop - start) / step))


def _ends_of_long_range(sweep: Any) -> list[Any]:
    if not isinstance(sweep, RangeSweep) or range_size(sweep) <= LONG_RANGE:
        return []
    start, step = cast("Any", sweep.start), cast("Any", sweep.step)
    return [start, start + (range_size(sweep) - 1) * step]


def key_of(override: Override) -> str:
    """The dotted key, without +, ++, ~ and package."""
    return str(override.key_or_group)


def plain_value(value: Any) -> Any:
    """A parsed value without Hydra's wrapping of quoted text."""
    return value.text if isinstance(value, QuotedString) else value


def _problems(override: Override) -> list[Problem]:  # noqa: PLR0911 (one line per kind of key)
    key = key_of(override)
    top, _, rest = key.partition(".")
    if top == "hydra" or key.startswith("hydra/"):
        return _hydra_problems(override, key)
    if "/" in key or (key in GROUPS and not isinstance(override.value(), dict)):
        if key not in GROUPS:
            text = f"no such config group; {suggestion(key, list(GROUPS))}"
            return [Problem(key, _written(override), text)]
        return _group_problems(override, key)
    if top == "model" and rest:
        return _sweep_problems(override, key)
    if key not in known_keys():
        text = f"no such setting; {suggestion(key, [*known_keys(), 'experiment'])}"
        return [Problem(key, _written(override), text)]
    if override.is_delete():
        return [Problem(f"~{key}", "", "a setting cannot be taken away; give it another value")]
    if key == "model":
        return []
    if key in NESTED:
        return _sweep_problems(override, key) or _mapping_problems(override, key)
    return _sweep_problems(override, key) or [
        problem
        for value in _values_to_check(override)
        if not (isinstance(value, str) and "${" in value)
        for problem in [value_problem(key, value)]
        if problem
    ]


def _hydra_problems(override: Override, key: str) -> list[Problem]:
    if key == "hydra.mode" and override.value() != "MULTIRUN":
        text = "one run is a sweep of one point here; leave -m away for it"
        return [Problem(key, override.value(), text)]
    if key == "hydra.sweep.subdir":
        text = "a run's directory is always runs/LABEL-RUNID; choose the sweep's by hydra.sweep.dir"
        return [Problem(key, override.value(), text)]
    return _sweep_problems(override, key)


def _group_problems(override: Override, key: str) -> list[Problem]:
    if key == "experiment":
        return _sweep_problems(override, key)
    if override.is_delete():
        return [Problem(f"~{key}", "", f"there must be one; choose another with {key}=…")]
    found = _sweep_problems(override, key)
    if not found and any(value is None for value in _values_to_check(override)):
        return [Problem(key, None, f"there must be one; choose another with {key}=…")]
    return found


def _mapping_problems(override: Override, key: str) -> list[Problem]:
    """Problems of `early_stopping={patience: 3}` and its like."""
    found = []
    for value in _values_to_check(override):
        if isinstance(value, Mapping):
            found += nested_problems(key, value)
        else:
            text = f"has settings of its own: set {' or '.join(_below(key))}"
            found.append(Problem(key, value, text))
    return found


def _below(key: str) -> list[str]:
    return [f"{known}=…" for known in known_keys() if known.startswith(f"{key}.")]


def _sweep_problems(override: Override, key: str) -> list[Problem]:
    if not override.is_sweep_override():
        return []
    if is_interval(override):
        return _interval_problems(override, key)
    sweep = override.value()
    if isinstance(sweep, RangeSweep) and sweep.step == 0:
        text = "a range whose step is 0 never ends; give it another step"
        return [Problem(key, _written(override), text)]
    if next(iter(override.sweep_iterator()), _NOTHING) is _NOTHING:
        text = "gives no value at all; a range ends before its stop: range(1,3) is 1,2"
        return [Problem(key, _written(override), text)]
    return []


def _interval_problems(override: Override, key: str) -> list[Problem]:
    low, high = interval_ends(override)
    if low > high:
        text = "an interval starts at its lower end: interval(0,0.5)"
        return [Problem(key, _written(override), text)]
    if "log" in cast("Any", override.value()).tags and low <= 0:
        text = "a logarithmic interval starts above 0"
        return [Problem(key, _written(override), text)]
    return []


_NOTHING = object()


def _written(override: Override) -> str:
    """The value as it stands on the command line."""
    return str(override.input_line).partition("=")[2]
