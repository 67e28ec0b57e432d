"""Which run a point is: the canonical form of its settings, the run id, the label.

The run id is a hash over everything that decides a run's result and nothing else, so two points
that train the same network on the same data in the same way share one id.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from mnist_sweep.settings.all_settings import MLP_KEYS, SETTINGS, TASK_KEYS, is_task, task_name
from mnist_sweep.settings.schema import MLP_TARGET, Plain
from mnist_sweep.settings.setting import shown

CANONICAL_VERSION = 1
_VERSION_1_KEYS = frozenset({
    "seed", "epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay",
    "schedule", "schedule_end", "threads", "early_stopping.patience", "early_stopping.monitor",
    "early_stopping.min_delta", "trainer.name", "trainer.jit_compile",
    "trainer.steps_per_execution",
})  # fmt: skip
"""The settings of version 1. A later one is written only where it differs from its default, so that
adding a setting changes no known run id; there is no need to add it here."""


def canonical(
    settings: Mapping[str, Any], data: Mapping[str, Any], code: str | None = None
) -> Plain:
    """Everything that decides a run's result, in one form however it was written.

    Args:
        settings: A point's settings, plain and resolved.
        data: What decides the examples (`DatasetInfo.deciding`); empty for a task that uses none.
        code: Hash of the source of the user's own code; None where there is none.
    """
    form: Plain = {"version": CANONICAL_VERSION}
    form |= {} if code is None else {"code": code}
    form |= {"data": dict(data)} if data or not is_task(settings) else {}
    if is_task(settings):
        return form | {key: settings[key] for key in TASK_KEYS}
    form["model"] = dict(settings["model"])
    for key, one in SETTINGS.items():
        group, _, name = key.rpartition(".")
        part = form.get(group, {}) if group else form
        # The settings of model=mlp count through `model`, which refers to them: for a model that
        # does not use `nodes` a change of `nodes` changes nothing.
        if not one.affects_result or key in (*MLP_KEYS, "task") or name in part:
            continue
        applies, value = one.applies(settings), one.value(settings)
        if key == "trainer.steps_per_execution":
            value = value or 1  # the default gives the bits of 1, which was the default before
        if applies and (key in _VERSION_1_KEYS or value != one.default):
            part[name] = value
            if group:
                form[group] = part
        elif not group and key in _VERSION_1_KEYS:
            part[name] = None
    if not form["early_stopping"]["patience"]:
        form["early_stopping"] = None
    return form


def run_id(canonical_form: Mapping[str, Any]) -> str:
    """12 hex digits of the SHA-256 of the canonical form's JSON."""
    form = _one_form(canonical_form)
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def configuration_id(canonical_form: Mapping[str, Any]) -> str:
    """As `run_id` without the seed: runs that share it are repeats of one configuration."""
    return run_id({key: value for key, value in canonical_form.items() if key != "seed"})


def _one_form(value: Any) -> Any:
    # Equal values as equal JSON: 1.0 and 1, 0.0 and -0.0 mean the same.
    if isinstance(value, Mapping):
        return {key: _one_form(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_one_form(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


LABEL_KEYS = ("layers", "nodes")
MAX_LABEL = 100


def label(settings: Mapping[str, Any]) -> str:
    """A readable name made of settings alone: layers=2,nodes=300,dropout=0.2,seed=0.

    It always has the seed, and layers and nodes or the arguments of a network of the user's own;
    other settings where they differ from the default. A setting that does not affect the result is
    left out, so that one run has one directory however it was written.
    """
    task = is_task(settings)
    target = "" if task else str(settings["model"].get("_target_"))
    pairs = []
    if task:
        pairs.append(("task", task_name(settings)))
    elif target != MLP_TARGET:
        pairs.append(("model", target.rpartition(".")[2]))
    for key, value in settings["task" if task else "model"].items():
        always = task or key in LABEL_KEYS or key not in MLP_KEYS
        if key != "_target_" and (always or value != SETTINGS[key].default):
            pairs.append((key, value))
    for one in sorted(SETTINGS.values(), key=lambda one: "." in one.key):
        group, _, name = one.key.rpartition(".")
        elsewhere = task or group == "data" or one.key in (*MLP_KEYS, "model", "task", "seed")
        if elsewhere or not one.affects_result or not one.applies(settings):
            continue
        if one.value(settings) != one.default:
            pairs.append((group if name == "name" else name, one.value(settings)))
    parts = [f"{key}={shown(value)}" for key, value in pairs]
    # A run of another program may have none: None, not `shown` as null.
    parts.append(f"seed={settings['seed']}")
    text = re.sub(r"[^A-Za-z0-9._=,+-]", "_", ",".join(parts))
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "~"
