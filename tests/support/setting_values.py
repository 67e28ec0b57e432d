"""Allowed values of each setting of the schema, so that tests cover a new one without a list."""

from __future__ import annotations

from typing import Any

from mnist_sweep.settings import NESTED, SETTINGS, Setting

_SOME = (
    None, True, False, 1, 2, 3, 0.25, 0.75, "f1", "loss", "a b/c", "'x'", [{"name": "a"}],
    {"_target_": "mine.net"}, {"_target_": "mine.net", "filters": 8},
)  # fmt: skip


def other_values(one: Setting, n: int = 2) -> list[Any]:
    """At most `n` allowed values of a setting, two at least; the default comes last."""
    near = [one.low + 1, one.low + 2, one.low + 3] if one.low is not None else []
    found: list[Any] = []
    for value in (*one.choices, *near, *_SOME):
        if _fits(one, value) and value not in (one.default, *found):
            found.append(value)
    return [*found, one.default][:n]


def _fits(one: Setting, value: Any) -> bool:
    mistaken = isinstance(value, bool) and one.type is not bool
    return not mistaken and one.violation(value) is None


def override_texts(key: str) -> list[str]:
    """Two values of a key as the command line spells them; of a nested key, mappings."""
    if key == "model":
        return ["cnn", "mlp"]
    if key in NESTED:
        first = next(one for name, one in SETTINGS.items() if name.startswith(f"{key}."))
        if first.key == f"{key}.name":  # a config group
            return [str(value) for value in other_values(first)]
        return [f"{{{first.key.partition('.')[2]}: {_text(v)}}}" for v in other_values(first)]
    return [_text(value) for value in other_values(SETTINGS[key])]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[{name: a}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_text(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    return "null" if value is None else str(value).lower()
