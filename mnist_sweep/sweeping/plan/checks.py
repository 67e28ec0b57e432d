"""What is refused before Hydra composes anything: overrides, and settings of Hydra's own.

Hydra stops at the first bad override and knows no ranges; here every bad key and every bad value of
a whole grid is found at once. Of Hydra's own settings those are refused by name that nothing here
would follow; docs/reference/hydra.md lists all, honoured and refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PureWindowsPath
from typing import Any, cast

from hydra.core.override_parser.types import Override, RangeSweep
from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.settings import (
    NESTED,
    SWEEP_KEYS,
    Problem,
    known_keys,
    nested_problems,
    suggestion,
    value_problem,
)
from mnist_sweep.settings.all_settings import flat
from mnist_sweep.sweeping.plan import overrides

LONG_RANGE = 1000
"""Of a longer range only both ends are checked; whether it is too long is for `max_points`."""
JOB_EVENTS = ("on_job_start", "on_job_end", "on_run_start", "on_run_end")
_STOCK = "choose hydra/launcher=basic, which runs each job as Hydra does"
_KEY = re.compile(r"\$\{([\w.]+)\}")
_SECRET = re.compile(r"\boc\.env\b")
FROM_ENVIRONMENT = (
    "takes its value from an environment variable, which records, names and tables would show; let "
    "your own code read a secret, and let the shell insert what is none ($HOME, not ${oc.env:HOME})"
)
_RECORDED = re.compile(
    r"(?!hydra\.|data\.path$).*"  # data.path names a place that is only read
    r"|hydra\.(run|sweep|output_subdir|job\.(name|id|config)|(job|hydra)_logging"
    r"|launcher\.(name|submitit_folder))(\..*)?"
)
"""Settings that are in records, or in the names of directories and files."""


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
    text = _problem_of_key(override, key) or _problem_of_sweep(override)
    if override.is_interval_sweep() and not intervals:
        text = (
            "an interval has no end of values: a grid takes a list (1,2) or a range "
            "(range(1,5)); draw from it with hydra/sweeper=search search.sampler=random "
            "search.runs=20"
        )
    if text:
        name = f"~{key}" if override.is_delete() else key
        return [Problem(name, overrides.written(override), text)]
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
    return [one.value() for one in overrides.axis_of(override)]


def check_honoured(hydra: DictConfig, *, stock: bool) -> None:
    """Refuse settings of Hydra's that would have no effect; `stock`: with a launcher of Hydra's."""
    raw: Any = OmegaConf.to_container(hydra, resolve=False)
    found = []
    if raw["sweep"]["subdir"] != "runs/${hydra.job.num}":
        found.append(
            f"hydra.sweep.subdir={raw['sweep']['subdir']}: a run's directory is always "
            "runs/LABEL-RUNID; choose the sweep's by hydra.sweep.dir"
        )
    if raw["mode"] is not None and str(hydra.mode.name) != "MULTIRUN":
        found.append("hydra.mode=RUN: not supported; leave out -m for a single run")
    kept = raw["job"]["config"]["override_dirname"]
    if kept != {"kv_sep": "=", "item_sep": ",", "exclude_keys": []}:
        found.append("hydra.job.config.override_dirname: a run's directory is runs/LABEL-RUNID")
    place = PureWindowsPath(hydra.output_subdir or "")  # also knows the separator of the others
    if place.anchor or ".." in place.parts:
        found.append(
            f"hydra.output_subdir={hydra.output_subdir}: must be a directory within each run's"
        )
    if not stock:
        found += _without_hydras_jobs(raw)
    if found:
        raise UsageError("\n  ".join(["Nothing was run: Hydra's settings without effect.", *found]))


def _without_hydras_jobs(raw: dict[str, Any]) -> list[str]:
    """Those that only Hydra's own launchers follow."""
    found = []
    chosen = raw["runtime"]["choices"].get("hydra/job_logging")
    if chosen != "run":
        found.append(f"hydra/job_logging={chosen}: a run's log is its job.log; {_STOCK}")
    found += [
        f"hydra.job.{key}: set the variables before the command, or {_STOCK}"
        for key in ("env_set", "env_copy")
        if raw["job"][key]
    ]
    for name, callback in raw["callbacks"].items():
        if not callback or "_target_" not in callback:  # null switches one off
            continue
        # An event that the class only inherits from Hydra's does nothing, and misses nothing.
        kind = get_class(callback["_target_"])
        own = {event: getattr(kind, event, None) for event in JOB_EVENTS}
        events = [event for event in own if own[event] not in (None, getattr(Callback, event))]
        if events:
            found.append(f"hydra.callbacks.{name}: {' and '.join(events)} not called; {_STOCK}")
    return found


def check_varying(master: DictConfig, varying: Collection[str], what: str = "sweep") -> None:
    """Refuse different values, in the points of one sweep, of what belongs to the whole of it."""
    whole = [key for key in dict.fromkeys(varying) if key.partition(".")[0] in SWEEP_KEYS]
    if whole:
        raise UsageError(f"{', '.join(whole)}: one value for the whole {what}, not several.")
    raw: Any = OmegaConf.to_container(master, resolve=False)
    text = f"{raw['hydra']['sweep']['dir']} {raw['hydra']['run']['dir']} {raw['name']}"
    if named := sorted({*_KEY.findall(text)} & {*varying}):
        raise UsageError(
            f"{', '.join(named)}: differs between points, and the name of the sweep's directory "
            "refers to it. All runs of a sweep are in one directory, each in one of its own."
        )


def check_secrets(config: DictConfig) -> None:
    """Refuse settings, of a sweep or a point, that come from the environment.

    They would be recorded, and so be no secret.
    """
    raw: Any = OmegaConf.to_container(config, resolve=False)
    hydra = raw.pop("hydra", {})
    # The sweeper's own node is composed into no record; what it sweeps over is.
    sweeper = hydra.pop("sweeper", {})
    swept = [*flat(sweeper.get("params") or {}), ("points", sweeper.get("points"))]
    leaves = dict([*flat(raw), *flat(hydra, "hydra.")])
    for key, value in [*swept, *leaves.items()]:
        if is_secret(key, _with_referred(str(value), leaves)):
            raise UsageError(f"{key}: {FROM_ENVIRONMENT}")


def is_secret(key: str, value: object) -> bool:
    """Whether a value is taken from the environment where it would be recorded."""
    return bool(_RECORDED.fullmatch(key) and _SECRET.search(str(value)))


def _with_referred(text: str, leaves: Mapping[str, Any]) -> str:
    """A value and what it refers to: settings of Hydra's that are not recorded by themselves."""
    texts = [text]
    for one in texts:  # which grows by what each refers to
        referred = _KEY.findall(one.replace("${hydra:", "${hydra."))
        new = [
            str(value)
            for key, value in leaves.items()
            if any(key == name or key.startswith(f"{name}.") for name in referred)
        ]
        texts += [value for value in dict.fromkeys(new) if value not in texts]
    return " ".join(texts)
