"""Overrides checked one by one, before Hydra composes anything.

Hydra stops at the first bad override and knows no ranges; here every bad key and every bad value of
a whole grid is found at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from hydra.core.override_parser.types import Override, RangeSweep

from mnist_sweep.errors import SettingsError
from mnist_sweep.settings import (
    NESTED,
    Problem,
    known_keys,
    nested_problems,
    suggestion,
    value_problem,
)
from mnist_sweep.sweeping.plan import overrides
from mnist_sweep.sweeping.plan.hydra_settings import FROM_ENVIRONMENT, is_secret

LONG_RANGE = 1000
"""Of a longer range only both ends are checked; whether it is too long is for `max_points`."""


def check(given: Iterable[Override], *, intervals: bool = False) -> None:
    """Refuse unknown keys, empty sweeps and values out of range, all of them at once."""
    raise_for([problem for one in given for problem in _problems(one, intervals=intervals)])


def raise_for(found: Sequence[Problem | str], where: str = "Nothing was run") -> None:
    """Raise one SettingsError that lists all problems, if there are any."""
    unique = list(dict.fromkeys(map(str, found)))
    if unique:
        lines = "\n".join(f"  {line}" for line in unique)
        count = "a setting is" if len(unique) == 1 else f"{len(unique)} settings are"
        raise SettingsError(f"{where}: {count} wrong.\n{lines}", unique)


def _problems(override: Override, *, intervals: bool) -> list[Problem]:
    key = override.key_or_group
    if override.is_interval_sweep() and not intervals:
        text = (
            "an interval has no end of values: a grid takes a list (1,2) or a range "
            "(range(1,5)); draw from it with hydra/sweeper=search search.sampler=random "
            "search.runs=20"
        )
    else:
        text = _problem_of_key(override, key) or _problem_of_sweep(override)
    if text:
        return [
            Problem(f"~{key}" if override.is_delete() else key, overrides.written(override), text)
        ]
    if key not in known_keys() or key in ("model", "task") or overrides.chooses_group(override):
        return []
    found: list[Problem] = []
    for value in _values_to_check(override):
        if key in NESTED and isinstance(value, Mapping):
            found += nested_problems(key, value)
        elif key in NESTED:
            below = " or ".join(f"{one}=…" for one in known_keys() if one.startswith(f"{key}."))
            found.append(Problem(key, value, f"has settings of its own: set {below}"))
        # What refers to another setting is known, and checked, when the point is composed.
        elif not (isinstance(value, str) and "${" in value):
            found += filter(None, [value_problem(key, value)])
    return found


def _problem_of_key(override: Override, key: str) -> str:  # noqa: PLR0911 (a kind of key each)
    top, _, rest = key.partition(".")
    if is_secret(key, overrides.written(override)):
        return FROM_ENVIRONMENT
    if top == "hydra" or key.startswith("hydra/"):
        return _problem_of_hydra(key, override.value())
    if overrides.chooses_group(override):
        if key not in overrides.GROUPS and not overrides.group_exists(override):
            return f"no such config group; {suggestion(key, list(overrides.GROUPS))}"
        if key not in overrides.GROUPS or key == "experiment" or _problem_of_sweep(override):
            return ""
        is_null = override.is_delete() or None in _values_to_check(override)
        return f"there must be one; choose another with {key}=…" if is_null else ""
    if key not in known_keys() and not (top in ("model", "task") and rest):
        return f"no such setting; {suggestion(key, [*known_keys(), 'experiment'])}"
    if override.is_delete() and not rest:
        return "a setting cannot be removed; give it another value"
    return ""


def _problem_of_hydra(key: str, value: Any) -> str:
    if key in ("hydra.launcher", "hydra.sweeper"):
        return f"choose it by {key.replace('.', '/')}=NAME; its own settings are {key}.KEY=VALUE"
    if key.startswith("hydra/") and value is None:
        return "there must be one; name it, or leave this out"
    if key == "hydra/sweeper" and value not in ("grid", "search"):
        return "expected grid or search; other sweepers are not supported"
    if key == "hydra.verbose" and not isinstance(value, bool | str | list):
        return "must be true, false, or the names of loggers, as in [tensorflow,keras]"
    return ""


def _problem_of_sweep(override: Override) -> str:
    sweep: Any = override.value()
    if override.is_interval_sweep():
        low, high = overrides.interval_ends(override)
        if low > high:
            return "an interval starts at its lower end: interval(0,0.5)"
        return "a logarithmic interval starts above 0" if "log" in sweep.tags and low <= 0 else ""
    is_range = isinstance(sweep, RangeSweep)
    if is_range and sweep.step == 0:
        return "a range whose step is 0 never ends; give it another step"
    if overrides.size(override):
        return ""
    hint = "; a range ends before its stop: range(1,3) is 1,2" if is_range else ""
    return f"gives no value at all{hint}"


def _values_to_check(override: Override) -> list[Any]:
    """The values; the ends of an interval and of a long range."""
    sweep: Any = override.value()
    if override.is_interval_sweep():
        return list(overrides.interval_ends(override))
    if isinstance(sweep, RangeSweep) and overrides.size(override) > LONG_RANGE:
        start, step = cast("Any", sweep.start), cast("Any", sweep.step)
        return [start, start + (overrides.size(override) - 1) * step]
    return overrides.values(override)
