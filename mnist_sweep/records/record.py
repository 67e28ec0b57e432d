"""A run's record: what it was, what came out, how long it took, or why it failed.

The models below are the one definition of `record.json`. Types are strict (a string is not a
number), numbers are finite and of at most 64 bits, there are no other fields, and a record of a
newer schema version is refused by name. Fields that a record may lack have a default; all others
are required. Schema 2 added `task`, `code`, `objective` and metrics of any name, later `artefacts`
and `sha256`; schema 1 is still read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from mnist_sweep.metrics import Format, definitions
from mnist_sweep.records.status import RunStatus
from mnist_sweep.safe_files import plain, refuse_newer
from mnist_sweep.settings import SETTINGS

SCHEMA_VERSION = 2
# The context in which settings are not checked: those of a record that was checked and sealed.
SEALED = {"sealed": True}

Plain = dict[str, Any]
Share = Annotated[float, Field(ge=0, le=1)]  # a share of one: accuracy, precision, recall, F1
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_HELD_OUT = ("loss", "accuracy", "precision", "recall", "f1", "f1_min")
# What schema 1 demands of a finished run. Part of the file format, not a list of all metrics: one
# that was added to the registry later is absent from older records.
_REQUIRED = {"train": ("loss", "accuracy"), "validation": _HELD_OUT, "test": _HELD_OUT}


class _Strict(BaseModel):
    # Built when first used: a table that comes from the cache needs no record.
    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, frozen=True, defer_build=True
    )


class Code(_Strict):
    """The source of the user's own code: a hash of all of it, and one per file."""

    sha256: Sha256
    files: dict[str, Sha256] = {}


class DataRecord(_Strict):
    """Which examples: `shape` is one image's, `scale` the raw value that maps to 1.0."""

    name: str
    source: str
    sha256: str
    shape: list[Count]
    classes: Annotated[int, Field(ge=1)]
    scale: float | None = None
    n_train: Count
    n_validation: Count
    n_test: Count
    notice: str | None = None
    class_names: list[str] = Field(default_factory=list)  # of a literal a copy would be made


# Stands for null in the record of a task that used no prepared data and predicted nothing.
NO_DATA = DataRecord.model_construct(
    name="", source="", sha256="", shape=[], classes=0, n_train=0, n_validation=0, n_test=0
)


class History(_Strict):
    """One value per epoch; null where the value was not finite. A task may add others."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[float | None]]

    loss: list[float | None] = []
    accuracy: list[float | None] = []
    val_loss: list[float | None] = []
    val_accuracy: list[float | None] = []


class ClassMetrics(_Strict):
    """One class's precision, recall and F1; `support` is the number of its examples."""

    label: Count
    precision: Share
    recall: Share
    f1: Share
    support: Count


class SplitMetrics(_Strict):
    """The final weights on one split.

    In JSON each metric is a field of its own, by its name in `mnist_sweep.metrics`; a task may add
    others that are finite numbers. They are attributes too: `record.metrics.test.accuracy`. `loss`
    is null where it was not finite. `confusion[true][predicted]` counts examples, shape (classes,
    classes).
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    per_class: list[ClassMetrics] = Field(default_factory=list)
    confusion: list[list[Count]] = Field(default_factory=list)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    @property
    def values(self) -> Mapping[str, float | None]:
        """Metric name -> value."""
        return self.__pydantic_extra__

    @model_validator(mode="after")
    def _holds_together(self) -> SplitMetrics:
        classes = len(self.per_class)
        if len(self.confusion) != classes or {*map(len, self.confusion)} - {classes}:
            raise ValueError(f"confusion must be {classes} x {classes}, one row per class")
        if [entry.label for entry in self.per_class] != list(range(classes)):
            raise ValueError(f"per_class must be of the classes 0 to {classes - 1}, each once")
        known = definitions()
        for name, value in self.values.items():
            if value is not None and 0 <= value <= 1:
                continue
            kind = known[name].format if name in known else None
            if value is None:
                if kind is not Format.LOSS:
                    raise ValueError(f"{name} must be a number, got null")
            elif kind and kind.is_share:
                raise ValueError(f"{name} must be between 0 and 1, got {value:g}")
        return self

    # Metrics come first in JSON, and a task's record has no empty tables of classes.
    @model_serializer(mode="wrap")
    def _metrics_first(self, dump: Callable[[Any], Plain]) -> Plain:
        fields = {key: value for key, value in dump(self).items() if key not in self.values}
        return {**self.values, **{key: value for key, value in fields.items() if value}}


_NO_METRICS = SplitMetrics.model_construct()


class Metrics(_Strict):
    """Metrics of the three splits; a task of the user's own may leave some out."""

    train: SplitMetrics = _NO_METRICS
    validation: SplitMetrics = _NO_METRICS
    test: SplitMetrics = _NO_METRICS


class Times(_Strict):
    """Wall-clock seconds of a run's parts; null for a part that a failed run did not reach."""

    compile_s: Seconds | None = None
    train_s: Seconds | None = None
    evaluate_s: Seconds | None = None
    total_s: Seconds | None = None
    epoch_s: list[Seconds] = []


class TrainingForm(_Strict):
    """How the epochs were computed: one XLA program, one TensorFlow graph, or Keras's `fit`."""

    form: Literal["xla", "graph", "fit"]
    reason: str


class Environment(_Strict):
    """Where and with what a run was carried out.

    `started_at` is ISO 8601 in UTC; `peak_memory_mb` is the most memory its process held, shared
    pages included.
    """

    python: str | None = None
    tensorflow: str | None = None
    keras: str | None = None
    numpy: str | None = None
    hydra: str | None = None
    mnist_sweep: str | None = None
    git_sha: str | None = None
    git_dirty: bool | None = None
    cpu: str | None = None
    threads: int | None = None
    workers: int | None = None
    device: str | None = None
    peak_memory_mb: float | None = None
    started_at: str | None = None

    @field_validator("started_at")
    @classmethod
    def _is_a_time(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


class Failure(_Strict):
    """Why a run has no metrics: the exception's type and message, and its traceback if any."""

    type: str
    message: str
    traceback: str | None = None


class Record(_Strict):
    """One run's record, as `record.json` holds it."""

    schema_version: Count
    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    configuration_id: Name
    label: Name
    status: Annotated[RunStatus, Field(strict=False)]
    # The function that was called; None for the training of a Keras network.
    task: str | None = None
    # The metric by which its sweep means "best", such as `validation.accuracy`.
    objective: str | None = None
    code: Code | None = None  # the user's own source that decides the result, or None
    config: Plain  # all settings of the run, nested
    # Null in JSON becomes NO_DATA, so that no reader has to ask.
    data: Annotated[DataRecord, BeforeValidator(lambda value: NO_DATA if value is None else value)]
    parameters: Count | None = None
    history: History = History.model_construct()
    metrics: Metrics | None = None
    training: TrainingForm | None = None
    time: Times | None = None
    environment: Environment = Environment.model_construct()
    error: Failure | None = None
    # Files of the run beside the record: name -> SHA-256.
    artefacts: dict[str, Sha256] = Field(default_factory=dict)
    # Of the record's own text, see `records.store`; None in older records.
    sha256: Sha256 | None = None

    @field_validator("config")
    @classmethod
    def _is_plain(cls, value: Plain, info: ValidationInfo) -> Plain:
        if info.context is not SEALED:
            _check_settings(value)
        return value

    @field_serializer("data")
    def _data_or_null(self, value: DataRecord) -> Plain | None:
        return value.model_dump() if value.sha256 else None

    @model_validator(mode="after")
    def _holds_together(self) -> Record:
        refuse_newer({"schema_version": self.schema_version}, SCHEMA_VERSION)
        if not self.data.sha256 and self.task is None:
            raise ValueError("there are no data")
        if self.status in (RunStatus.MISSING, RunStatus.UNREADABLE):
            raise ValueError(f"status is {self.status}, which no record has")
        if self.status != RunStatus.FINISHED and self.error is None:
            raise ValueError(f"status is {self.status} but there is no error")
        if self.status == RunStatus.FINISHED:
            if self.metrics is None:
                raise ValueError("status is finished but there are no metrics")
            if self.task is None:
                self._check_required(self.metrics)
        return self

    def _check_required(self, metrics: Metrics) -> None:
        for split, names in _REQUIRED.items():
            found: SplitMetrics = getattr(metrics, split)
            absent = [name for name in names if name not in found.values]
            absent += ["per_class"] * (split != "train" and not found.per_class)
            # Without validation examples there is nothing to measure there.
            if absent and (self.data.n_validation or split != "validation"):
                raise ValueError(f"metrics.{split} is without {', '.join(absent)}")

    @property
    def seed(self) -> int | None:
        """The run's seed, or None where its settings hold none."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None


def _check_settings(value: Any, key: str = "") -> None:
    """Refuse a setting of another type than the schema's, and a number that JSON cannot carry."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_settings(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for inner in value:
            _check_settings(inner)
    elif value is not None:
        kind = SETTINGS[key].type if key in SETTINGS else type(value)
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{key} must be {kind.__name__}, got {type(value).__name__}")
        limit = math.inf if isinstance(value, float) else 2**63
        if isinstance(value, (int, float)) and not -limit < value < limit:
            raise ValueError(f"{key} must be a number of at most 64 bits")


def build(values: Mapping[str, Any]) -> Record:
    """A checked record of `values`, made plain first (see `plain`).

    Raises:
        pydantic.ValidationError: A field is missing or of the wrong type; a programming error.
    """
    return Record.model_validate(plain(values))
