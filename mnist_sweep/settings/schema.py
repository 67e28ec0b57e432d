"""The schema: every setting with its type, default and range.

A `Settings` describes one run and the sweep it belongs to. Fields marked `scope="sweep"` steer the
sweep alone (where it goes, how many workers); all others may vary from point to point. Ranges stand
beside the fields; `checks` reads them.
"""

from __future__ import annotations

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
SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("none", "median", "halving", "hyperband")
MONITORS = ("val_accuracy", "val_loss")
DEFAULT_NAME = "${now:%Y-%m-%d_%H-%M-%S}"
MLP_TARGET = "mnist_sweep.training.model.mlp"
MLP_KEYS = ("layers", "nodes", "dropout", "activation")
"""What the network of `model=mlp` is made of; its `model.…` refer to these keys at the top."""


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

    `stages` is a list of mappings (see `sweeping.study.stages`); null or empty is no study.
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
class SearchSettings:
    """How `hydra/sweeper=search` chooses its points, and when it stops poor runs early.

    `runs` is how many runs of the searched space the directory holds in the end (null: all points
    of a grid, else 20). `by` is a metric of the validation split; `direction` whether its best or
    its worst is looked for. `sampler` chooses the points from `seed`; `tpe` takes `n_startup` of
    them at random before it learns from them. `pruner` stops runs from their validation figures:
    none after fewer than `min_epochs` epochs; `median` not before `min_runs` runs ran to their end;
    of the runs that reach a rung `halving` and `hyperband` let one in `reduction` go on.
    """

    runs: int | None = _number(None, low=1, high=100_000)
    by: str = "accuracy"
    direction: str = _choice("best", "best", "worst")
    sampler: str = _choice("tpe", *SAMPLERS)
    seed: int = _number(0, low=0, high=2**32 - 1)
    n_startup: int = _number(10, low=1, high=100_000)
    pruner: str = _choice("none", *PRUNERS)
    min_epochs: int = _number(1, low=1, high=100_000)
    min_runs: int = _number(5, low=1, high=100_000)
    reduction: int = _number(3, low=2, high=100)


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
    search: SearchSettings = field(default_factory=SearchSettings, metadata={"scope": "sweep"})


NESTED = {
    "early_stopping": EarlyStopping, "trainer": TrainerSettings, "data": DataSettings,
    "study": StudySettings, "search": SearchSettings,
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
