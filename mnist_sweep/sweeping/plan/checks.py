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
from mnist_sweep.sweeping.plan.hydra_settings import FROM_ENVIRONMENT, is_secret
from mnist_sweep.sweeping.plan.overrides import (
    GROUPS,
    chooses_group,
    group_exists,
    interval_ends,
    is_interval,
    key_of,
    range_size,
    values,
    written,
)

LONG_RANGE = 1000
"""Of a longer range only both ends are checked; whether it is too long is for `max_points`."""


def check(overrides: Iterable[Override], *, intervals: bool = False) -> None:
    """Refuse unknown keys, empty sweeps and values out of range, all of them at once.

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
                "(range(1,5)); draw from it with hydra/sweeper=search search.sampler=random "
                "search.runs=20"
            )
            found.append(Problem(key_of(override), written(override), text))
    raise_for(found)


def raise_for(found: Sequence[Problem | str], where: str = "Nothing was run") -> None:
    """Raise one SettingsError that lists all problems, if there are any."""
    unique = list(dict.fromkeys(str(problem) for problem in found))
    if unique:
        lines = "\n".join(f"  {line}" for line in unique)
        count = "a setting is" if len(unique) == 1 else f"{len(unique)} settings are"
        raise SettingsError(f"{where}: {count} wrong.\n{lines}", unique)


def _problems(override: Override) -> list[Problem]:  # noqa: PLR0911 (one line per kind of key)
    key = key_of(override)
    top, _, rest = key.partition(".")
    if top == "hydra" or key.startswith("hydra/"):
        return _hydra_problems(override, key)
    if is_secret(key, written(override)):
        return [Problem(key, written(override), FROM_ENVIRONMENT)]
    if chooses_group(override):
        if key not in GROUPS and not group_exists(override):
            text = f"no such config group; {suggestion(key, list(GROUPS))}"
            return [Problem(key, written(override), text)]
        return _group_problems(override, key)
    if top in ("model", "task") and rest:
        return _sweep_problems(override, key)
    if key not in known_keys():
        text = f"no such setting; {suggestion(key, [*known_keys(), 'experiment'])}"
        return [Problem(key, written(override), text)]
    if override.is_delete():
        return [Problem(f"~{key}", "", "a setting cannot be removed; give it another value")]
    if key in ("model", "task"):
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
    value, group = override.value(), key.startswith("hydra/")
    if key in ("hydra.launcher", "hydra.sweeper"):
        name = key.replace(".", "/")
        text = f"choose it by {name}=NAME; its own settings are {key}.KEY=VALUE"
        return [Problem(key, value, text)]
    if group and value is None:
        return [Problem(key, None, "there must be one; name it, or leave this out")]
    if key == "hydra/sweeper" and value not in ("grid", "search"):
        return [Problem(key, value, "expected grid or search; other sweepers are not supported")]
    return _sweep_problems(override, key)


def _group_problems(override: Override, key: str) -> list[Problem]:
    if key == "experiment":
        return _sweep_problems(override, key)
    if key not in GROUPS:
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
        return [Problem(key, written(override), text)]
    if not any(True for _ in override.sweep_iterator()):
        is_range = isinstance(sweep, RangeSweep)
        hint = "; a range ends before its stop: range(1,3) is 1,2" if is_range else ""
        return [Problem(key, written(override), f"gives no value at all{hint}")]
    return []


def _interval_problems(override: Override, key: str) -> list[Problem]:
    low, high = interval_ends(override)
    if low > high:
        text = "an interval starts at its lower end: interval(0,0.5)"
        return [Problem(key, written(override), text)]
    if "log" in cast("Any", override.value()).tags and low <= 0:
        text = "a logarithmic interval starts above 0"
        return [Problem(key, written(override), text)]
    return []


def _values_to_check(override: Override) -> list[Any]:
    if is_interval(override):
        return list(interval_ends(override))
    ends = _ends_of_long_range(override.value()) if override.is_sweep_override() else []
    return ends or values(override)


def _ends_of_long_range(sweep: Any) -> list[Any]:
    if not isinstance(sweep, RangeSweep) or range_size(sweep) <= LONG_RANGE:
        return []
    start, step = cast("Any", sweep.start), cast("Any", sweep.step)
    return [start, start + (range_size(sweep) - 1) * step]
