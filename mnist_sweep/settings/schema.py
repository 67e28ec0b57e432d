"""The schema: every setting, declared once with type, default, range, scope and meaning.

To add a setting, add a field here. The classes are also what Hydra composes (it reads types and
defaults); `SETTINGS` is the same as one tuple of `Setting`, which all else reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import MappingProxyType, NoneType
from typing import Any, TypeGuard, get_args, get_origin, get_type_hints

from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import resolve
from mnist_sweep.settings.setting import OnlyIf, Setting

Plain = dict[str, Any]
"""A mapping of plain values: None, bool, int, float, str, list and dict."""

# Keras's own names (keras.optimizers.get); a test compares this list with Keras.
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
DATASETS = ("auto", "csv", "digits", "idx", "mnist", "npz", "own")
DEFAULT_NAME = "${now:%Y-%m-%d_%H-%M-%S}"
DEFAULT_OBJECTIVE = "validation.accuracy"
MLP_TARGET = "mnist_sweep.training.model.mlp"

_MLP = OnlyIf("model._target_", (MLP_TARGET,), words="model=mlp")
_STOPS = OnlyIf("early_stopping.patience", above=0)
_FIT = OnlyIf("trainer.name", ("fit",))
_MAX_SEED = 2**32 - 1


def _result(default: Any, text: str, **rules: Any) -> Any:
    """A run's setting that affects its result, and so its run id. `rules`: see `Setting`."""
    return _declare(default, help=text, scope="run", affects_result=True, **rules)


def _run(default: Any, text: str, **rules: Any) -> Any:
    """A run's setting that does not affect its result."""
    return _declare(default, help=text, scope="run", affects_result=False, **rules)


def _sweep(default: Any, text: str, **rules: Any) -> Any:
    """A setting of the whole sweep; it cannot differ between points."""
    return _declare(default, help=text, scope="sweep", affects_result=False, **rules)


def _declare(default: Any, **metadata: Any) -> Any:
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _no_metric(value: str) -> str | None:
    try:
        resolve(value)
    except SelectionError as error:
        return f"must be a metric: {error}"
    return None


@dataclass
class DataSettings:
    """Which examples, and how they are split."""

    name: str = _run(
        "auto", "the data set or its format; auto: MNIST if found, else digits",
        choices=DATASETS, plugins="readers", aliases=("dataset",),
    )  # fmt: skip
    path: str | None = _run(None, "file or folder of data=csv, idx and npz")
    _target_: str | None = _run(None, "function that returns the arrays of data=own")
    sha256: str | None = _run(None, "refuse data whose content has another SHA-256")
    validation_fraction: float = _result(
        0.1, "share of the training examples set aside for validation", low=0, high=0.9,
        open_low=True,
    )  # fmt: skip
    test_fraction: float = _result(
        0.2, "share set aside for testing where the data have no test split", low=0, high=0.9,
        open_low=True,
    )  # fmt: skip
    split_seed: int = _result(0, "seed of the splits", low=0, high=_MAX_SEED)
    download_timeout_s: float = _run(60.0, "seconds a download may take; 0: no download", low=0)


@dataclass
class TrainerSettings:
    """How epochs are computed."""

    name: str = _result(
        "compiled", "one compiled program an epoch, or Keras's own fit",
        choices=("compiled", "fit"), plugins="trainers",
    )  # fmt: skip
    jit_compile: bool | None = _result(
        None, "Keras's jit_compile; null: as Keras decides", only_if=_FIT
    )
    steps_per_execution: int = _result(1, "Keras's steps_per_execution", low=1, only_if=_FIT)


@dataclass
class EarlyStopping:
    """When a run stops before its last epoch."""

    patience: int = _result(
        0, "epochs without a better monitor before a run stops; 0: never", low=0,
        aliases=("patience",),
    )  # fmt: skip
    monitor: str = _result(
        "val_loss", "what must improve", choices=("val_accuracy", "val_loss"), only_if=_STOPS
    )
    min_delta: float = _result(0.0, "smallest change that is better", low=0, only_if=_STOPS)


@dataclass
class StudySettings:
    """A sweep of several stages; see conf/experiment/study.yaml."""

    repeats: int = _sweep(
        1, "seeds of each configuration: seed, seed + 1, …", low=1, high=1000,
        aliases=("repeats", "n_seeds"),
    )  # fmt: skip
    level: float = _sweep(
        0.95, "confidence level of intervals and selections", low=0.5, high=1, open_low=True,
        open_high=True,
    )  # fmt: skip
    replicates: int = _sweep(2000, "bootstrap samples of the images", low=100, high=1_000_000)
    decide: bool = _sweep(False, "add seeds while a selection is undecided")
    min_repeats: int = _sweep(2, "with decide: seeds before the first decision", low=2, high=1000)
    max_repeats: int = _sweep(10, "with decide: most seeds of a configuration", low=2, high=1000)
    budget_s: float | None = _sweep(
        None, "with decide: seconds for the added seeds of a stage; null: no limit", low=0,
        open_low=True,
    )  # fmt: skip
    stages: list[Any] | None = _sweep(  # noqa: RUF009  (a dataclass field)
        None, "list of stages; null: not a study"
    )


@dataclass
class SearchSettings:
    """How hydra/sweeper=search chooses its points; see conf/experiment/search.yaml."""

    runs: int | None = _sweep(
        None, "runs of the space in total; null: a whole grid, else 20", low=1, high=100_000,
        aliases=("n_trials",),
    )  # fmt: skip
    by: str | None = _sweep(
        None, "metric of the validation split; null: the objective", check=_no_metric
    )
    direction: str = _sweep("best", "look for its best or worst", choices=("best", "worst"))
    sampler: str = _sweep("tpe", "how points are chosen", choices=("tpe", "random", "grid"))
    seed: int = _sweep(0, "seed of the sampler", low=0, high=_MAX_SEED)
    n_startup: int = _sweep(10, "random points before tpe learns from them", low=1, high=100_000)
    pruner: str = _sweep(
        "none", "stops poor runs early", choices=("none", "median", "halving", "hyperband")
    )
    min_epochs: int = _sweep(1, "no run is stopped before this epoch", low=1, high=100_000)
    min_runs: int = _sweep(
        5, "pruner=median: finished runs before any is stopped", low=1, high=100_000
    )
    reduction: int = _sweep(
        3, "pruner=halving, hyperband: one run in so many continues", low=2, high=100
    )


@dataclass
class Settings:
    """All settings of a run and of its sweep."""

    layers: int = _result(
        1, "hidden layers", low=1, high=16, only_if=_MLP,
        aliases=("depth", "n_layers", "num_layers", "hidden_layers"),
    )  # fmt: skip
    nodes: int = _result(
        100, "nodes of each hidden layer", low=1, high=65_536, only_if=_MLP,
        aliases=("units", "hidden", "width", "neurons", "hidden_units"),
    )  # fmt: skip
    dropout: float = _result(
        0.0, "dropout after each hidden layer", low=0, high=1, open_high=True, only_if=_MLP
    )
    activation: str = _result(
        "relu", "of the hidden layers", choices=ACTIVATIONS, only_if=_MLP, aliases=("act",)
    )
    model: dict[str, Any] = _result(  # noqa: RUF009  (a dataclass field)
        dict, "the network: a builder _target_ and its arguments"
    )

    seed: int = _result(
        0, "of the initial weights, dropout and the order of examples", low=0, high=_MAX_SEED,
        aliases=("random_state", "random_seed"),
    )  # fmt: skip
    epochs: int = _result(20, "passes over the training examples", low=1, high=100_000,
                          aliases=("n_epochs", "num_epochs"))  # fmt: skip
    batch_size: int = _result(32, "examples in a batch", low=1, aliases=("bs", "batch"))
    optimizer: str = _result("adam", "Keras's name of it", choices=OPTIMIZERS, aliases=("opt",))
    learning_rate: float = _result(
        0.001, "at the start of training", low=0, open_low=True, aliases=("lr", "alpha")
    )
    momentum: float = _result(
        0.0, "of the optimizer", low=0, high=1, open_high=True,
        only_if=OnlyIf("optimizer", MOMENTUM_OPTIMIZERS),
    )  # fmt: skip
    weight_decay: float | None = _result(None, "of the optimizer", low=0, aliases=("wd",))
    schedule: str = _result(
        "constant", "how the learning rate changes", choices=SCHEDULES, aliases=("lr_schedule",)
    )
    schedule_end: float = _result(
        0.01, "share of learning_rate reached at the last batch", low=0, high=1,
        only_if=OnlyIf("schedule", tuple(name for name in SCHEDULES if name != "constant")),
    )  # fmt: skip
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    threads: int = _result(1, "threads of one run", low=1, high=1024)
    save_model: bool = _run(True, "keep the trained network as model.keras")

    name: str = _sweep(DEFAULT_NAME, "the sweep's directory in outputs/")
    objective: str = _sweep(
        DEFAULT_OBJECTIVE, "the metric that best means: f1_min, test.accuracy, …",
        check=_no_metric, aliases=("metric",),
    )  # fmt: skip
    max_points: int = _sweep(10_000, "refuse a larger grid", low=1)
    n_jobs: int | None = _sweep(
        None, "worker processes; null: one per core", low=1, high=1024,
        aliases=("jobs", "workers", "n_workers"),
    )  # fmt: skip
    retries: int = _sweep(1, "of a run whose process died without an error", low=0, high=10)
    fail_fast: bool = _sweep(False, "stop the sweep at the first failed run")
    rerun_failed: bool = _sweep(True, "run failed runs again when a sweep is resumed")
    plan: bool = _sweep(False, "print what would run, and run nothing", aliases=("dry_run",))
    report: bool = _sweep(True, "write report.html and figures at the end")
    study: StudySettings = field(default_factory=StudySettings)
    search: SearchSettings = field(default_factory=SearchSettings)


def _read(schema: type, prefix: str = "") -> list[Setting]:
    """The declarations of a schema's fields, nested ones included."""
    found: list[Setting] = []
    hints, instance = get_type_hints(schema), schema()
    for one in fields(schema):
        key, hint = prefix + one.name, hints[one.name]
        if _is_schema(hint):
            found += _read(hint, f"{key}.")
            continue
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        plain = hint if get_origin(hint) in (dict, list) or not kinds else kinds[0]
        found.append(
            Setting(
                key=key,
                type=get_origin(plain) or plain,
                optional=NoneType in get_args(hint),
                default=getattr(instance, one.name),
                **one.metadata,
            )
        )
    return found


def _is_schema(hint: Any) -> TypeGuard[type]:
    return isinstance(hint, type) and is_dataclass(hint)


SETTINGS: Mapping[str, Setting] = MappingProxyType({one.key: one for one in _read(Settings)})
"""Every setting by its dotted key, in the order of the schema."""

NESTED: Mapping[str, type] = MappingProxyType(
    {name: hint for name, hint in get_type_hints(Settings).items() if _is_schema(hint)}
)
"""The settings that hold others: key -> schema."""


def _top_keys(scope: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(k.partition(".")[0] for k, one in SETTINGS.items() if one.scope == scope)
    )


RUN_KEYS, SWEEP_KEYS = _top_keys("run"), _top_keys("sweep")
"""Keys at the top that belong to a run, and to the sweep."""

MLP_KEYS = tuple(key for key, one in SETTINGS.items() if one.only_if is _MLP)
"""What the network of model=mlp is made of; its `model.…` refer to these keys at the top."""


def known_keys() -> list[str]:
    """Every key that can be set, dotted: `layers`, `data.path`, … (`model` takes any below it)."""
    keys: dict[str, None] = {}
    for key in SETTINGS:
        keys[key.partition(".")[0]] = keys[key] = None
    return list(keys)


def is_setting(key: str) -> bool:
    """Whether a dotted key, or a column of the runs table, is a setting; keys below model too."""
    top, _, rest = key.partition(".")
    return key in SETTINGS or bool(rest and top in SETTINGS and SETTINGS[top].type is dict)


def affects_result(key: str) -> bool:
    """Whether a setting with this dotted key may affect a result: part of the run id."""
    if key in SETTINGS:
        return SETTINGS[key].affects_result
    return is_setting(key) and SETTINGS[key.partition(".")[0]].affects_result


def used(settings: Mapping[str, Any]) -> Plain:
    """The settings that a run's result depends on, by dotted key, the seed included.

    Settings that others make meaningless (momentum of adam) are left out, as in the run id. The
    network of model=mlp appears as layers, nodes, …; another one as `model._target_` and its
    arguments.

    Args:
        settings: A run's settings, nested or as a flat row.
    """
    flat = dict(_flat(settings))
    below_model = not _MLP.holds(flat)
    return {
        key: value
        for key, value in flat.items()
        if affects_result(key)
        and key != "model"
        and (SETTINGS[key].applies(flat) if key in SETTINGS else below_model)
    }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


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
    return {key: settings[key] for key in RUN_KEYS}
