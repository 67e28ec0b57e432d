"""What can be set: the schema, its ranges, the canonical form and the run id.

A `Settings` describes one run and the sweep it belongs to. Fields marked `scope="sweep"` steer the
sweep alone (where it goes, how many workers); all others may vary from point to point. Ranges stand
beside the fields and are checked by `problems`, which lists everything that is wrong at once.

The run id is a hash over all that decides a run's result and nothing else, so two points that
train the same network on the same data the same way share one id, however they were written.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Plain = dict[str, Any]
"""A mapping of plain values: None, bool, int, float, str, list and dict."""

# Keras's own names (keras.optimizers.get); a test holds this list against Keras.
OPTIMIZERS = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl",
    "lion", "nadam", "rmsprop", "sgd",
)  # fmt: skip
MOMENTUM_OPTIMIZERS = ("rmsprop", "sgd")
# Keras's own names (keras.activations.get) of those that act on each unit by itself.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear",
    "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
)  # fmt: skip
SCHEDULES = ("constant", "cosine", "exponential", "linear")
TRAINERS = ("compiled", "fit")
DATASETS = ("auto", "csv", "digits", "idx", "mnist", "npz")
MONITORS = ("val_accuracy", "val_loss")
DEFAULT_NAME = "${now:%Y-%m-%d_%H-%M-%S}"
MLP_TARGET = "mnist_sweep.training.model.mlp"
MLP_KEYS = ("layers", "nodes", "dropout", "activation")
"""What the network of `model=mlp` is made of; its `model.…` refer to these keys at the top."""
CANONICAL_VERSION = 1


def _number(
    default: float | None,
    *,
    low: float | None = None,
    high: float | None = None,
    open_low: bool = False,
    open_high: bool = False,
    scope: str = "run",
) -> Any:
    """A numeric field with its range; `open_low`/`open_high` leave out the bound itself."""
    metadata = {
        "low": low, "high": high, "open_low": open_low, "open_high": open_high, "scope": scope,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


def _choice(default: str, *choices: str) -> Any:
    return field(default=default, metadata={"choices": choices, "scope": "run"})


def _sweep(default: Any) -> Any:
    return field(default=default, metadata={"scope": "sweep"})


@dataclass
class DataSettings:
    """Which digits, and how they are split.

    `path` names the files of `idx`, `npz` and `csv`; `sha256`, if given, is what their content must
    hash to. `test_fraction` is used only where the data brings no test split of its own.
    """

    name: str = _choice("auto", *DATASETS)
    path: str | None = None
    sha256: str | None = None
    validation_fraction: float = _number(0.1, low=0, high=0.9, open_low=True)
    test_fraction: float = _number(0.2, low=0, high=0.9, open_low=True)
    split_seed: int = _number(0, low=0, high=2**32 - 1)
    download_timeout_s: float = _number(60.0, low=0)


@dataclass
class TrainerSettings:
    """How epochs are computed. `jit_compile` and `steps_per_execution` are Keras's, for `fit`."""

    name: str = _choice("compiled", *TRAINERS)
    jit_compile: bool | None = None
    steps_per_execution: int = _number(1, low=1)


@dataclass
class EarlyStopping:
    """Stop after `patience` epochs without a better `monitor`; 0 never stops early."""

    patience: int = _number(0, low=0)
    monitor: str = _choice("val_loss", *MONITORS)
    min_delta: float = _number(0.0, low=0)


@dataclass
class StudySettings:
    """How a study is made of stages, and how sure it must be.

    `stages` is a list of mappings (see `mnist_sweep.sweeping.stages`); null or empty is no study.
    `repeats` is the number of seeds every configuration gets. With `decide`, configurations that
    still contend for a selection get further ones, from `min_repeats` to at most `max_repeats`, and
    for at most `budget_s` seconds of a stage's further rounds (null: no limit).
    """

    repeats: int = _number(1, low=1, high=1000)
    level: float = _number(0.95, low=0.5, high=1, open_low=True, open_high=True)
    replicates: int = _number(2000, low=100, high=1_000_000)
    decide: bool = False
    min_repeats: int = _number(2, low=2, high=1000)
    max_repeats: int = _number(10, low=2, high=1000)
    budget_s: float | None = _number(None, low=0, open_low=True)
    stages: list[Any] | None = None


@dataclass
class Settings:
    """All settings of a run and of its sweep, with defaults and ranges."""

    layers: int = _number(1, low=1, high=16)
    nodes: int = _number(100, low=1, high=65_536)
    dropout: float = _number(0.0, low=0, high=1, open_high=True)
    activation: str = _choice("relu", *ACTIVATIONS)
    model: dict[str, Any] = field(default_factory=dict)

    seed: int = _number(0, low=0, high=2**32 - 1)
    epochs: int = _number(20, low=1, high=100_000)
    batch_size: int = _number(32, low=1)
    optimizer: str = _choice("adam", *OPTIMIZERS)
    learning_rate: float = _number(0.001, low=0, open_low=True)
    momentum: float = _number(0.0, low=0, high=1, open_high=True)
    weight_decay: float | None = _number(None, low=0)
    schedule: str = _choice("constant", *SCHEDULES)
    schedule_end: float = _number(0.01, low=0, high=1)
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    threads: int = _number(1, low=1, high=1024)
    save_model: bool = True

    name: str = _sweep(DEFAULT_NAME)
    max_points: int = _number(10_000, low=1, scope="sweep")
    n_jobs: int | None = _number(None, low=1, high=1024, scope="sweep")
    retries: int = _number(1, low=0, high=10, scope="sweep")
    fail_fast: bool = _sweep(False)
    rerun_failed: bool = _sweep(True)
    plan: bool = _sweep(False)
    report: bool = _sweep(True)
    study: StudySettings = field(default_factory=StudySettings, metadata={"scope": "sweep"})


NESTED = {
    "early_stopping": EarlyStopping, "trainer": TrainerSettings, "data": DataSettings,
    "study": StudySettings,
}  # fmt: skip
SWEEP_KEYS = tuple(f.name for f in fields(Settings) if f.metadata.get("scope") == "sweep")
RUN_KEYS = tuple(f.name for f in fields(Settings) if f.metadata.get("scope") != "sweep")


def known_keys() -> list[str]:
    """Every key that can be set, dotted: `layers`, `data.path`, … (`model` takes any below it)."""
    keys: list[str] = []
    for top in fields(Settings):
        keys.append(top.name)
        if top.name in NESTED:
            keys += [f"{top.name}.{f.name}" for f in fields(NESTED[top.name])]
    return keys


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
        return f"{self.key}={_show(self.value)}: {self.allowed}"


def _show(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


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


def defaults() -> Plain:
    """All of a run's settings at their defaults, as plain values, `model` left out."""
    return {key: value for key, value in _plain(Settings()).items() if key != "model"}


def _plain(instance: Any) -> Plain:
    result: Plain = {}
    for f in fields(instance):
        value = getattr(instance, f.name)
        result[f.name] = _plain(value) if f.name in NESTED else value
    return result


def run_settings(settings: Mapping[str, Any]) -> Plain:
    """The part of `settings` that belongs to a run: what a record's `config` holds."""
    return {key: settings[key] for key in RUN_KEYS}


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
            parts.append(f"{key}={_show(value)}")
    for key, value in _used(settings):
        if value != usual[key]:
            parts.append(f"{key}={_show(value)}")
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
    return [f"{key}={_show(value)}" for key, value in values.items() if value != usual[key]]
