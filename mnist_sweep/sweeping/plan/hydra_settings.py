"""What of Hydra's own settings is refused by name, because nothing here would follow it.

docs/reference/hydra.md lists all of Hydra's settings, honoured and refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.errors import UsageError

JOB_EVENTS = ("on_job_start", "on_job_end", "on_run_start", "on_run_end")
_STOCK = "choose hydra/launcher=basic, which runs each job as Hydra does"
_KEY = re.compile(r"\$\{([\w.]+)\}")
_SECRET = re.compile(r"\boc\.env\b")
FROM_ENVIRONMENT = (
    "takes its value from an environment variable, and would be in records, names and tables. "
    "A setting is never secret; let your own code read the variable"
)
_NOT_SECRET = ("data.path",)
"""Names a place: what the environment says of it may be recorded."""


def check_honoured(hydra: DictConfig, *, stock: bool) -> None:
    """Refuse settings of Hydra's that would have no effect.

    Raises:
        UsageError: Names each.
    """
    raw: Any = OmegaConf.to_container(hydra, resolve=False)
    job, found = raw["job"], []
    if raw["sweep"]["subdir"] != "runs/${hydra.job.num}":
        found.append(
            f"hydra.sweep.subdir={raw['sweep']['subdir']}: a run's directory is always "
            "runs/LABEL-RUNID; choose the sweep's by hydra.sweep.dir"
        )
    if raw["mode"] is not None and str(hydra.mode.name) != "MULTIRUN":
        found.append("hydra.mode=RUN: not supported; leave out -m for a single run")
    kept = job["config"]["override_dirname"]
    if kept != {"kv_sep": "=", "item_sep": ",", "exclude_keys": []}:
        found.append("hydra.job.config.override_dirname: a run's directory is runs/LABEL-RUNID")
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
        kind = get_class(callback["_target_"])
        events = [
            event for event in JOB_EVENTS
            if getattr(kind, event, None) not in (None, getattr(Callback, event))
        ]  # fmt: skip
        if events:
            found.append(f"hydra.callbacks.{name}: {' and '.join(events)} not called; {_STOCK}")
    return found


def check_place(master: DictConfig, varying: Collection[str]) -> None:
    """Refuse a sweep's directory that refers to what differs between its points.

    Raises:
        UsageError: It does.
    """
    raw: Any = OmegaConf.to_container(master, resolve=False)
    text = f"{raw['hydra']['sweep']['dir']} {raw['hydra']['run']['dir']} {raw['name']}"
    swept = sorted({*_KEY.findall(text)} & {*varying})
    if swept:
        raise UsageError(
            f"{', '.join(swept)}: differs between points, and the name of the sweep's directory "
            "refers to it. All runs of a sweep are in one directory, each in one of its own."
        )


def check_secrets(config: DictConfig) -> None:
    """Refuse settings that come from the environment: they would be recorded, and so be no secret.

    Args:
        config: A sweep's own, or a point's.

    Raises:
        UsageError: Names the first.
    """
    raw: Any = OmegaConf.to_container(config, resolve=False)
    sweeper = raw.pop("hydra", {}).get("sweeper", {})
    swept = [*_leaves(sweeper.get("params") or {}), ("points", sweeper.get("points"))]
    for key, value in [*_leaves(raw), *swept]:
        if is_secret(key, value):
            raise UsageError(f"{key}: {FROM_ENVIRONMENT}")


def is_secret(key: str, value: object) -> bool:
    """Whether a value is taken from the environment where it would be recorded."""
    return key not in _NOT_SECRET and bool(_SECRET.search(str(value)))


def _leaves(value: Any, prefix: str = "") -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}{key}.")
    else:
        yield prefix.rstrip("."), value
