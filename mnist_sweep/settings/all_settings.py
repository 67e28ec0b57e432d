"""Every setting by its dotted key, and what is derived from the schema about all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType, NoneType
from typing import Any, TypeGuard, get_args, get_origin, get_type_hints

from mnist_sweep.settings.schema import MLP, Plain, Settings
from mnist_sweep.settings.setting import Setting, value_at


def _read(schema: type, prefix: str = "") -> Iterator[Setting]:
    hints, instance = get_type_hints(schema), schema()
    for one in fields(schema):
        key, hint = prefix + one.name, hints[one.name]
        if _is_schema(hint):
            yield from _read(hint, f"{key}.")
            continue
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        plain = hint if get_origin(hint) in (dict, list) or not kinds else kinds[0]
        yield Setting(
            key=key,
            type=get_origin(plain) or plain,
            optional=NoneType in get_args(hint),
            default=getattr(instance, one.name),
            **one.metadata,
        )


def _is_schema(hint: Any) -> TypeGuard[type]:
    return isinstance(hint, type) and is_dataclass(hint)


def _top_keys(scope: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.top for one in SETTINGS.values() if one.scope == scope))


SETTINGS: Mapping[str, Setting] = MappingProxyType({one.key: one for one in _read(Settings)})
"""Every setting by its dotted key, in the order of the schema."""

NESTED: Mapping[str, type] = MappingProxyType(
    {name: hint for name, hint in get_type_hints(Settings).items() if _is_schema(hint)}
)
"""The settings that hold others: key -> schema."""

RUN_KEYS, SWEEP_KEYS = _top_keys("run"), _top_keys("sweep")
"""Keys at the top that belong to a run, and to the sweep."""

MLP_KEYS = tuple(key for key, one in SETTINGS.items() if one.only_if is MLP)
"""What the network of model=mlp is made of; its `model.…` refer to these keys at the top."""

TASK_KEYS = ("task", "seed", "threads")
"""Keys at the top that a run of a task of the user's own has; all others are Keras's."""


def is_task(settings: Mapping[str, Any]) -> bool:
    """Whether a run's settings (nested, or a flat row) call a task, and train no Keras network."""
    return bool(value_at(settings, "task._target_"))


def task_name(settings: Mapping[str, Any]) -> str:
    """What a task is called: my_module.train, the last two words of its `_target_`."""
    return ".".join(str(value_at(settings, "task._target_")).split(".")[-2:])


def epochs_of(settings: Mapping[str, Any]) -> int | None:
    """The most epochs of a run; None of a task that has no setting `epochs`."""
    epochs = value_at(settings, "task.epochs" if is_task(settings) else "epochs")
    return epochs if isinstance(epochs, int) else None


def known_keys() -> list[str]:
    """Every key that can be set, dotted: `layers`, `data.path`, … (`model` takes any below it)."""
    return list(dict.fromkeys(key for one in SETTINGS.values() for key in (one.top, one.key)))


def is_setting(key: str) -> bool:
    """Whether a dotted key, or a column of the runs table, is a setting; keys below model too."""
    top, _, rest = key.partition(".")
    return key in SETTINGS or bool(rest and top in SETTINGS and SETTINGS[top].type is dict)


def affects_result(key: str) -> bool:
    """Whether a setting with this dotted key may affect a result: part of the run id."""
    return is_setting(key) and (SETTINGS.get(key) or SETTINGS[key.partition(".")[0]]).affects_result


def used(settings: Mapping[str, Any]) -> Plain:
    """The settings that a run's result depends on, by dotted key, the seed included.

    Settings that others make meaningless (momentum of adam) are left out, as in the run id. The
    network of model=mlp appears as layers, nodes, …; another one as `model._target_` and its
    arguments. `settings` are nested or a flat row.
    """
    row = {key: value for key, value in flat(settings) if key not in ("model", "task")}
    if is_task(row):
        return {key: value for key, value in row.items() if key.partition(".")[0] in TASK_KEYS}
    below_model = not MLP.holds(row)
    return {
        key: value
        for key, value in row.items()
        if affects_result(key)
        and not key.startswith("task.")
        and (SETTINGS[key].applies(row) if key in SETTINGS else below_model)
    }


def unused(settings: Mapping[str, Any]) -> Plain:
    """Settings with a value of their own that others leave without effect: momentum of adam."""
    # Not those of the network of model=mlp: other networks may refer to them.
    return {
        key: one.value(settings)
        for key, one in SETTINGS.items()
        if one.only_if is not MLP
        and not one.applies(settings)
        and one.value(settings) != one.default
    }


def effective(settings: Mapping[str, Any]) -> Plain:
    """The same settings with those that are `unused` at their defaults."""
    found = dict(settings)
    for key in unused(settings):
        top, _, rest = key.partition(".")
        default = SETTINGS[key].default
        found[top] = {**found[top], rest: default} if rest else default
    return found


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is no mapping, by its dotted key."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value  # in YAML a key may be a number


def defaults() -> Plain:
    """All of a run's settings at their defaults, as plain values, `model` left out."""
    values: Plain = {}
    for key, one in SETTINGS.items():
        top, dot, rest = key.partition(".")
        if dot:
            values.setdefault(top, {})[rest] = one.default
        elif one.type is not dict:
            values[key] = one.default
    return values


def run_settings(settings: Mapping[str, Any]) -> Plain:
    """The part of `settings` that belongs to a run: what a record's `config` holds."""
    keys = [key for key in RUN_KEYS if key != "task"]
    if is_task(settings):
        # A task's record has data only where they were asked for: most tasks use none.
        asked = ("data",) if settings["data"] != defaults()["data"] else ()
        keys = [*TASK_KEYS, *asked]
    return {key: settings[key] for key in keys}
