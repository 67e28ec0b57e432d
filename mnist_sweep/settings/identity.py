"""Which run a point is: the canonical form of its settings, the run id, the label.

The run id is a hash over all that decides a run's result and nothing else, so two points that
train the same network on the same data the same way share one id, however they were written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from mnist_sweep.settings.schema import (
    MLP_KEYS,
    MLP_TARGET,
    MOMENTUM_OPTIMIZERS,
    NESTED,
    RUN_KEYS,
    Plain,
    defaults,
)
from mnist_sweep.settings.validation import shown

CANONICAL_VERSION = 1


def canonical(settings: Mapping[str, Any], data: Mapping[str, Any]) -> Plain:
    """All that decides a run's result, in one form however it was written.

    A network's own settings (`layers`, …) count through `model`, which refers to them, so a model
    that has no use for `nodes` does not become another run when `nodes` changes.

    Args:
        settings: A point's settings, plain and resolved.
        data: What decides the examples: `sha256`, `validation_fraction`, `split_seed` and
            `test_fraction` (None where the data brings its own test split).
    """
    stopping = dict(settings["early_stopping"])
    momentum = settings["momentum"] if settings["optimizer"] in MOMENTUM_OPTIMIZERS else None
    trainer = dict(settings["trainer"])
    if trainer["name"] != "fit":
        trainer = {"name": trainer["name"]}
    plain_keys = (
        "seed", "epochs", "batch_size", "optimizer", "learning_rate", "weight_decay",
        "schedule", "threads",
    )  # fmt: skip
    return {
        "version": CANONICAL_VERSION,
        "model": dict(settings["model"]),
        "trainer": trainer,
        "momentum": momentum,
        "schedule_end": settings["schedule_end"] if settings["schedule"] != "constant" else None,
        "early_stopping": stopping if stopping["patience"] else None,
        "data": dict(data),
        **{key: settings[key] for key in plain_keys},
    }


def run_id(canonical_form: Mapping[str, Any]) -> str:
    """12 hex digits of the SHA-256 of the canonical form's JSON."""
    return _digest(canonical_form)


def configuration_id(canonical_form: Mapping[str, Any]) -> str:
    """As `run_id` without the seed: runs that share it are repeats of one configuration."""
    return _digest({key: value for key, value in canonical_form.items() if key != "seed"})


def _digest(value: Mapping[str, Any]) -> str:
    text = json.dumps(_one_form(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _one_form(value: Any) -> Any:
    """Equal values as equal JSON: 1.0 and 1, 0.0 and -0.0 decide the same."""
    if isinstance(value, Mapping):
        return {key: _one_form(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_one_form(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


LABEL_KEYS = ("layers", "nodes")
LABEL_LENGTH = 100


def label(settings: Mapping[str, Any]) -> str:
    """A readable name made of settings alone: layers=2,nodes=300,dropout=0.2,seed=0.

    Layers, nodes and seed always stand there, and what a network of the user's own is made of;
    others where they differ from the default. A setting that has no say in the result is left out,
    as in `canonical`, so that one run has one directory however it was asked for.
    """
    usual, model = defaults(), settings["model"]
    parts = []
    target = str(model.get("_target_"))
    if target != MLP_TARGET:
        parts.append(f"model={target.rpartition('.')[2]}")
    for key, value in model.items():
        always = key in LABEL_KEYS or key not in MLP_KEYS
        if key != "_target_" and (always or value != usual[key]):
            parts.append(f"{key}={shown(value)}")
    for key, value in _used(settings):
        if value != usual[key]:
            parts.append(f"{key}={shown(value)}")
    stopping, trainer = settings["early_stopping"], settings["trainer"]
    if stopping["patience"]:
        parts += _unusual(stopping, usual["early_stopping"])
    if trainer["name"] != usual["trainer"]["name"]:
        parts.append(f"trainer={trainer['name']}")
    if trainer["name"] == "fit":
        parts += _unusual({**trainer, "name": usual["trainer"]["name"]}, usual["trainer"])
    parts.append(f"seed={settings['seed']}")
    text = re.sub(r"[^A-Za-z0-9._=,+-]", "_", ",".join(parts))
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "~"


def _used(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Settings at the top that a label may tell, in the schema's order, the network's left out."""
    untold = {*MLP_KEYS, *NESTED, "model", "seed", "save_model"}
    if settings["schedule"] == "constant":
        untold.add("schedule_end")
    return [(key, settings[key]) for key in RUN_KEYS if key not in untold]


def _unusual(values: Mapping[str, Any], usual: Mapping[str, Any]) -> list[str]:
    return [f"{key}={shown(value)}" for key, value in values.items() if value != usual[key]]
