"""What is wrong with settings: everything at once, each with what would be right."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mnist_sweep.settings.schema import (
    MLP_KEYS,
    MLP_TARGET,
    MOMENTUM_OPTIMIZERS,
    NESTED,
    Settings,
    known_keys,
)


def suggestion(key: str, among: list[str] | None = None) -> str:
    """'did you mean layers?' for a key that nearly is one, else what there is at the top."""
    among = known_keys() if among is None else among
    close = difflib.get_close_matches(key, among, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(name for name in among if '.' not in name)}"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one setting: `key` is dotted, `allowed` says what would be right."""

    key: str
    value: Any
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)}: {self.allowed}"


def problems(settings: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with one point's settings (plain values); empty if it can run.

    Args:
        settings: All keys of `Settings` as plain nested values, interpolations resolved.
    """
    found = _problems_of(Settings, settings, prefix="")
    for key, schema in NESTED.items():
        nested = settings.get(key)
        if isinstance(nested, Mapping):
            found += _problems_of(schema, nested, prefix=f"{key}.")
        else:
            found.append(Problem(key, nested, f"must be a mapping of {_names(schema)}"))
    if not found:
        found = _relations(settings)
    return found


def _problems_of(schema: type, values: Mapping[str, Any], prefix: str) -> list[Problem]:
    known = {f.name: f for f in fields(schema)}
    found = [
        Problem(prefix + key, values[key], f"no such setting; {suggestion(prefix + key)}")
        for key in values
        if key not in known
    ]
    for name, f in known.items():
        if prefix + name in NESTED or name not in values:
            continue
        allowed = _violation(f.metadata, values[name], str(f.type))
        if allowed:
            found.append(Problem(prefix + name, values[name], allowed))
    return found


def value_problem(key: str, value: Any) -> Problem | None:
    """What is wrong with one value of one dotted key of the schema, by itself."""
    top, _, inner = key.partition(".")
    schema = NESTED[top] if inner else Settings
    rule = next(f for f in fields(schema) if f.name == (inner or top))
    if not inner and top in NESTED:
        return None
    if str(rule.type).startswith("str") and isinstance(value, (int, float)):
        # name=2024 is read as a number and becomes text in the schema's field.
        value = str(value)
    allowed = _violation(rule.metadata, value, str(rule.type))
    return Problem(key, value, allowed) if allowed else None


def is_whole(key: str) -> bool:
    """Whether a dotted key of the schema takes whole numbers; False where it knows no such key."""
    top, _, inner = key.partition(".")
    known = {f.name: str(f.type) for f in fields(NESTED.get(top, Settings) if inner else Settings)}
    return known.get(inner or top, "").startswith("int")


def nested_problems(key: str, values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with some of the values below one key of `NESTED`, each by itself."""
    return _problems_of(NESTED[key], values, prefix=f"{key}.")


def _violation(rule: Mapping[str, Any], value: Any, type_name: str) -> str | None:
    optional = "None" in type_name
    if value is None:
        return None if optional else "must not be null"
    if "choices" in rule:
        if value in rule["choices"]:
            return None
        close = difflib.get_close_matches(str(value), rule["choices"], n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return f"must be one of {', '.join(rule['choices'])}{hint}"
    if "low" in rule:
        return _out_of_range(rule, value, type_name)
    for name, kind in (("bool", bool), ("str", str), ("dict", Mapping)):
        if type_name.startswith(name) and not isinstance(value, kind):
            return f"must be of type {name}"
    return None


def _out_of_range(rule: Mapping[str, Any], value: Any, type_name: str) -> str | None:
    whole = type_name.startswith("int")
    wanted = f"must be a {'whole number' if whole else 'number'}{_range_text(rule)}"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        return wanted
    low, high = rule["low"], rule["high"]
    bad = (
        not math.isfinite(value)
        or (low is not None and (value < low or (rule["open_low"] and value == low)))
        or (high is not None and (value > high or (rule["open_high"] and value == high)))
    )
    return wanted if bad else None


def _range_text(rule: Mapping[str, Any]) -> str:
    low, high = rule["low"], rule["high"]
    from_text = f"above {low}" if rule["open_low"] else f"from {low}"
    if low is None and high is None:
        return ""
    if high is None:
        return f" {from_text}" + ("" if rule["open_low"] else " up")
    return f" {from_text} {'to below' if rule['open_high'] else 'to'} {high}"


def _names(schema: type) -> str:
    return ", ".join(f.name for f in fields(schema))


def _relations(settings: Mapping[str, Any]) -> list[Problem]:
    """Settings that are fine alone and not together."""
    found = []
    if settings["momentum"] and settings["optimizer"] not in MOMENTUM_OPTIMIZERS:
        text = f"only {' and '.join(MOMENTUM_OPTIMIZERS)} take it, not {settings['optimizer']}"
        found.append(Problem("momentum", settings["momentum"], text))
    if settings["schedule"] == "exponential" and settings["schedule_end"] == 0:
        found.append(Problem("schedule_end", 0, "must be above 0 for schedule=exponential"))
    found += _model_problems(settings)
    data = settings["data"]
    if data["name"] in ("csv", "idx", "npz") and not data["path"]:
        found.append(Problem("data.path", None, f"data={data['name']} needs data.path=…"))
    found += _sweep_name_problems(settings.get("name"))
    return found


def _model_problems(settings: Mapping[str, Any]) -> list[Problem]:
    model = settings["model"]
    target = model.get("_target_")
    if not isinstance(target, str) or "." not in target:
        text = "must name a function that builds a Keras model, as package.module.function"
        return [Problem("model._target_", target, text)]
    if target != MLP_TARGET:
        return []
    # Tables, labels and selections read the keys at the top: both must say the same.
    found = [
        Problem(f"model.{key}", model.get(key), f"model=mlp takes it from {key}: set {key}=…")
        for key in MLP_KEYS
        if key not in model or model[key] != settings[key]
    ]
    known = ", ".join(MLP_KEYS)
    return found + [
        Problem(f"model.{key}", model[key], f"model=mlp has no such setting; it has {known}")
        for key in model
        if key not in ("_target_", *MLP_KEYS)
    ]


def _sweep_name_problems(name: Any) -> list[Problem]:
    ok = (
        isinstance(name, str)
        and re.fullmatch(r"[^/\\\x00-\x1f:*?\"<>|]{1,100}", name)
        and not name.startswith(".")
        and name == name.strip()
    )
    text = "must be the name of one directory in outputs/: no slash, not hidden, 100 characters"
    return [] if ok else [Problem("name", name, text)]


def shown(value: Any) -> str:
    """A value as a message or a label tells it: short, None as null."""
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
