"""What of Hydra's own settings is refused by name, because nothing here would follow it.

docs/reference/hydra.md lists all of Hydra's settings, honoured and refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PureWindowsPath
from typing import Any

from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from mnist_sweep.errors import UsageError
from mnist_sweep.settings import SWEEP_KEYS

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
    swept = [*_leaves(sweeper.get("params") or {}), ("points", sweeper.get("points"))]
    leaves = {**dict(_leaves(raw)), **dict(_leaves(hydra, "hydra."))}
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


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{prefix}{key}.")
    else:
        yield prefix.rstrip("."), value
