# ruff: noqa: RUF009  (`_result` and the like return fields of dataclasses)
"""The schema: every setting, declared once with type, default, range, scope and meaning.

To add a setting, add a field here. Hydra composes these classes; `SETTINGS` holds the same as one
mapping, which everything else reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mnist_sweep.settings.setting import OnlyIf

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
OUTPUTS = ("probabilities", "logits")
FORMATS = ("csv", "emnist", "folders", "idx", "npz")
DATASETS = tuple(sorted(("auto", "digits", "mnist", "own", *FORMATS)))
DEFAULT_NAME = "${now:%Y-%m-%d_%H-%M-%S}"
DEFAULT_OBJECTIVE = "validation.accuracy"
DEFAULT_LEVEL = 0.95
"""Confidence level of everything that shows an interval or a claim, unless another is given."""
DEFAULT_REPLICATES = 2000
"""Bootstrap samples of the images, everywhere: the same interval has the same ends."""
DEFAULT_MARGIN = 0.002
"""0.2 points of accuracy."""
MLP_TARGET = "mnist_sweep.training.model.mlp"

MLP = OnlyIf("model._target_", (MLP_TARGET,), words="model=mlp")
"""The condition of what only the built-in dense network has."""
_STOPS = OnlyIf("early_stopping.patience", above=0, words="early_stopping.patience above 0")
_FIT = OnlyIf("trainer.name", ("fit",))
_MAX_SEED = 2**32 - 1


def _declare(default: Any, text: str, **rules: Any) -> Any:
    metadata = {"help": text, **rules}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


# A run's setting, in or without effect on its result, and one of the whole sweep. Called with the
# default, the meaning and further attributes of `Setting`.
_result = partial(_declare, scope="run", affects_result=True)
_run = partial(_declare, scope="run", affects_result=False)
_sweep = partial(_declare, scope="sweep", affects_result=False)


@dataclass
class DataSettings:
    """Which examples, and how they are split."""

    name: str = _run(
        "auto",
        "dataset or file format; auto: MNIST if found, otherwise digits",
        choices=DATASETS,
        plugins="readers",
    )
    path: str | None = _run(None, "file or folder for data=csv, emnist, folders, idx and npz")
    _target_: str | None = _run(None, "function that returns the arrays, for data=own")
    classes: list[Any] | None = _run(
        None, "names of the classes, by label; null: those that the data state"
    )
    sha256: str | None = _run(None, "expected SHA-256 of the data; other data are refused")
    validation_fraction: float = _result(
        0.1, "share of the training examples used for validation; 0: none", low=0, high=0.9
    )
    test_fraction: float = _result(
        0.2, "share used for testing if the data have no test split", above=0, high=0.9
    )
    split_seed: int = _result(0, "seed of the splits", low=0, high=_MAX_SEED)
    download_timeout_s: float = _run(
        60.0, "time limit of a download in seconds; 0: no download", low=0
    )


@dataclass
class TrainerSettings:
    """How epochs are computed."""

    name: str = _result(
        "compiled",
        "one compiled program per epoch, or Keras's fit",
        choices=("compiled", "fit"),
        plugins="trainers",
    )
    jit_compile: bool | None = _result(
        None, "Keras's jit_compile; null: Keras decides", only_if=_FIT
    )
    steps_per_execution: int | None = _result(
        None, "Keras's steps_per_execution; null: 32", low=1, only_if=_FIT
    )


@dataclass
class EarlyStopping:
    """When a run stops before its last epoch."""

    patience: int = _result(
        0, "epochs without improvement before a run stops; 0: never stop", low=0
    )
    monitor: str = _result(
        "val_loss", "metric that must improve", choices=("val_accuracy", "val_loss"), only_if=_STOPS
    )
    min_delta: float = _result(
        0.0, "smallest change that counts as an improvement", low=0, only_if=_STOPS
    )


@dataclass
class StudySettings:
    """A sweep of several stages; see conf/experiment/study.yaml."""

    repeats: int = _sweep(
        3, "number of seeds of each configuration: seed, seed + 1, …", low=1, high=1000
    )
    level: float = _sweep(
        DEFAULT_LEVEL, "confidence level of intervals and selections", above=0.5, below=1
    )
    replicates: int = _sweep(
        DEFAULT_REPLICATES, "bootstrap samples of the examples", low=100, high=1_000_000
    )
    decide: bool = _sweep(False, "add seeds while a selection is undecided")
    min_repeats: int = _sweep(2, "with decide: seeds before the first decision", low=2, high=1000)
    max_repeats: int = _sweep(10, "with decide: maximum seeds of a configuration", low=2, high=1000)
    budget_s: float | None = _sweep(
        None, "with decide: time limit in seconds for a stage's added seeds; null: none", above=0
    )
    stages: list[Any] | None = _sweep(None, "list of stages; null: not a study")


@dataclass
class SearchSettings:
    """A search (hydra/sweeper=search); see conf/experiment/search.yaml."""

    runs: int | None = _sweep(
        None,
        "total runs in the search space; null: all points of a grid, else 20",
        low=1,
        high=100_000,
    )
    by: str | None = _sweep(
        None, "metric of the validation split; null: the objective", metric=True
    )
    direction: str = _sweep("best", "which value to search for", choices=("best", "worst"))
    sampler: str = _sweep("tpe", "how points are chosen", choices=("tpe", "random", "grid"))
    seed: int = _sweep(0, "seed of the sampler", low=0, high=_MAX_SEED)
    n_startup: int = _sweep(10, "number of random points before tpe starts", low=1, high=100_000)
    pruner: str = _sweep(
        "none",
        "method that stops poor runs early",
        choices=("none", "median", "halving", "hyperband"),
    )
    min_epochs: int = _sweep(1, "no run is stopped before this epoch", low=1, high=100_000)
    min_runs: int = _sweep(
        5, "pruner=median: finished runs needed before any run is stopped", low=1, high=100_000
    )
    reduction: int = _sweep(
        3, "pruner=halving, hyperband: one of this many runs continues", low=2, high=100
    )


@dataclass
class Settings:
    """All settings of a run and of its sweep."""

    layers: int = _result(1, "hidden layers", low=1, high=16, only_if=MLP)
    nodes: int = _result(100, "nodes of each hidden layer", low=1, high=65_536, only_if=MLP)
    dropout: float = _result(0.0, "dropout after each hidden layer", low=0, below=1, only_if=MLP)
    activation: str = _result(
        "relu", "activation function of the hidden layers", choices=ACTIVATIONS, only_if=MLP
    )
    model: dict[str, Any] = _result(dict, "the network: a function _target_ and its arguments")
    task: dict[str, Any] = _result(
        dict, "your own function instead of training: its _target_ and settings"
    )

    outputs: str = _result(
        "probabilities", "what the network returns for an image", choices=OUTPUTS
    )
    seed: int = _result(
        0, "seed of the initial weights, dropout and the order of examples", low=0, high=_MAX_SEED
    )
    epochs: int = _result(20, "passes over the training examples", low=1, high=100_000)
    batch_size: int = _result(32, "examples per batch", low=1)
    optimizer: str = _result("adam", "Keras's name of the optimizer", choices=OPTIMIZERS)
    learning_rate: float = _result(0.001, "learning rate at the start of training", above=0)
    momentum: float = _result(
        0.0,
        "momentum of the optimizer",
        low=0,
        below=1,
        only_if=OnlyIf("optimizer", MOMENTUM_OPTIMIZERS),
    )
    weight_decay: float | None = _result(None, "weight decay of the optimizer", low=0)
    schedule: str = _result("constant", "how the learning rate changes", choices=SCHEDULES)
    schedule_end: float = _result(
        0.01,
        "learning rate at the last batch, as a share of learning_rate",
        low=0,
        high=1,
        only_if=OnlyIf("schedule", tuple(name for name in SCHEDULES if name != "constant")),
    )
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    threads: int = _result(1, "threads per run", low=1, high=1024)
    save_model: bool = _run(True, "save the trained network as model.keras")

    name: str = _sweep(DEFAULT_NAME, "the sweep's directory in outputs/")
    objective: str = _sweep(
        DEFAULT_OBJECTIVE, "the metric that defines best: f1_min, test.accuracy, …", metric=True
    )
    margin: float = _sweep(
        DEFAULT_MARGIN,
        "largest difference that counts as none; 0.002 is 0.2 points of accuracy",
        above=0,
        high=1,
    )
    points: list[Any] | None = _sweep(None, "list of grids, each a set of settings; null: one grid")
    exclude: list[Any] | None = _sweep(None, "conditions for points to leave out")
    max_points: int = _sweep(10_000, "a grid with more points is refused", low=1)
    n_jobs: int | None = _sweep(
        None, "number of worker processes; null: one per core or GPU", low=1, high=1024
    )
    gpus: int | None = _sweep(
        None,
        "number of GPUs to train on; null: all of this machine; 0: train on its CPU",
        low=0,
        high=1024,
    )
    runs_per_gpu: int = _sweep(
        1, "number of runs that share a GPU, if n_jobs is null", low=1, high=64
    )
    retries: int = _sweep(1, "how often a run is repeated if its process dies", low=0, high=10)
    timeout_s: float | None = _sweep(
        None, "time limit of a run in seconds; then it is stopped as failed; null: none", above=0
    )
    budget_s: float | None = _sweep(
        None, "time limit of the sweep in seconds; later runs are not started; null: none", above=0
    )
    fail_fast: bool = _sweep(False, "stop the sweep at the first failed run")
    rerun_failed: bool = _sweep(True, "run failed runs again when a sweep is resumed")
    wait: bool = _sweep(True, "false, with Slurm: submit the runs and exit; see `status`")
    plan: bool = _sweep(False, "print what would run, without running it")
    report: bool = _sweep(True, "write report.html and figures at the end")
    study: StudySettings = field(default_factory=StudySettings)
    search: SearchSettings = field(default_factory=SearchSettings)
