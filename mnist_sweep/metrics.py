"""Every metric, declared once: its title, format, direction, splits, and how it is computed.

To add one, add an entry to `_BUILT_IN`, or an entry point in the group `mnist_sweep.metrics` of
another package. Counts are arrays whose last axis is the class: `support` (examples truly of the
class), `predicted` (examples predicted to be of it) and `hits` (both).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import SelectionError
from mnist_sweep.plugins import plugins

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# `(support, predicted, hits)`, each (..., classes), to one value per leading index.
FromCounts = Callable[[Any, Any, Any], Any]

# Labels are uint8.
MAX_CLASSES = 256
TRAIN, VALIDATION, TEST = "train", "validation", "test"
# The splits whose predictions are stored.
HELD_OUT = (VALIDATION, TEST)


class Format(StrEnum):
    """How the values of a column are written."""

    SETTING = "setting"  # as on the command line: 300, 0.2, null, adam
    SECONDS = "seconds"  # three digits: 0.83, 14.2, 142, 1,420
    LOSS = "loss"  # three digits, small ones in scientific form: 0.0123, 9.78e-04
    PERCENT = "percent"  # a share of one: 97.43, so that one of 10,000 images is 0.01
    SHARE = "share"  # a share of one with four digits: 0.9743
    NUMBER = "number"  # four significant digits: 0.9743, 12.35, 1.2e-05
    COUNT = "count"  # a whole number with separators: 123,456

    @property
    def is_share(self) -> bool:
        """Whether its values lie between 0 and 1."""
        return self in (Format.PERCENT, Format.SHARE)


@dataclass(frozen=True)
class MetricDefinition:
    """What a metric is; the directions, formats and formulas of all packages."""

    name: str
    title: str
    format: Format
    higher_is_better: bool
    splits: tuple[str, ...] = ()
    """Empty for values of a whole run: times, parameters."""
    from_counts: FromCounts | None = None
    class_values: FromCounts | None = None
    """Counts to a value per class, (..., classes), where single classes have it too (`f1.8`)."""


@dataclass(frozen=True)
class Metric:
    """A metric on a split (None for a whole run), of one class or of all together."""

    definition: MetricDefinition
    split: str | None = None
    class_index: int | None = None

    @property
    def name(self) -> str:
        """As users write it, without the split: f1_min, f1.8, time.train_s."""
        own = self.definition.name
        return own if self.class_index is None else f"{own}.{self.class_index}"

    @property
    def column(self) -> str:
        """Its column in the runs table: validation.f1_min, test.f1.8, time.train_s."""
        return f"{self.split}.{self.name}" if self.split else self.name

    @property
    def higher_is_better(self) -> bool:
        """The direction of "best"."""
        return self.definition.higher_is_better

    @property
    def format(self) -> Format:
        """How values are written."""
        return self.definition.format

    @property
    def is_from_counts(self) -> bool:
        """Whether it follows from counts of classes, and so from a held-out split's predictions."""
        known = self.definition.from_counts or self.definition.class_values
        return self.split in HELD_OUT and known is not None

    def compute(self, support: Floats, predicted: Floats, hits: Floats) -> Floats:
        """The metric, (...), from counts of classes, (..., classes) or broadcastable."""
        import numpy as np

        of_class = self.class_index is not None
        formula = self.definition.class_values if of_class else self.definition.from_counts
        if formula is None:
            raise SelectionError(f"{self} cannot be computed from predictions.")
        values = formula(np.broadcast_to(support, hits.shape), predicted, hits)
        return np.asarray(values[..., self.class_index] if of_class else values)

    def __str__(self) -> str:
        return f"{self.split} {self.name}" if self.split else self.name


def confusion_matrix(
    true: NDArray[Any], predicted: NDArray[Any], classes: int
) -> NDArray[np.int64]:
    """Number of examples by true class (rows) and predicted class, (classes, classes) int64.

    `predicted` is (n,), or (n_runs, n) to count all runs together.
    """
    import numpy as np

    cells = true.astype(np.int64) * classes + predicted
    return np.bincount(cells.ravel(), minlength=classes**2).reshape(classes, classes)


def counts_of(confusion: Any) -> tuple[Floats, Floats, Floats]:
    """Support, predicted and hits of each class, (classes,), from a (classes, classes) matrix."""
    import numpy as np

    matrix = np.asarray(confusion, dtype=np.float64)
    return matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()


def _ratio(top: Floats, bottom: Floats) -> Floats:
    import numpy as np

    # scikit-learn's `zero_division=0`
    return np.divide(top, bottom, out=np.zeros(np.shape(bottom)), where=bottom > 0)


def _accuracy(support: Floats, _predicted: Floats, hits: Floats) -> Floats:
    result: Floats = hits.sum(axis=-1) / support.sum(axis=-1)
    return result


def _precision(_support: Floats, predicted: Floats, hits: Floats) -> Floats:
    return _ratio(hits, predicted)


def _recall(support: Floats, _predicted: Floats, hits: Floats) -> Floats:
    return _ratio(hits, support)


def _f1(support: Floats, predicted: Floats, hits: Floats) -> Floats:
    return _ratio(2 * hits, support + predicted)


def _mean_of(class_values: FromCounts) -> FromCounts:
    """The macro average over the classes with examples."""

    def mean(support: Floats, predicted: Floats, hits: Floats) -> Floats:
        # As scikit-learn's `average="macro"` with `labels=unique(y_true)`: of a class without
        # examples there is nothing to measure.
        counts = support > 0
        values = class_values(support, predicted, hits) * counts
        return _ratio(values.sum(axis=-1), counts.sum(axis=-1))

    return mean


def _lowest_of(class_values: FromCounts) -> FromCounts:
    """The lowest value of a class with examples; 0 if no class has any."""

    def lowest(support: Floats, predicted: Floats, hits: Floats) -> Floats:
        import numpy as np

        counts = support > 0
        # Values are shares, so 1 is never below one that counts.
        values = np.where(counts, class_values(support, predicted, hits), 1.0)
        return np.asarray(values.min(axis=-1) * counts.any(axis=-1))

    return lowest


def _time(name: str, title: str) -> MetricDefinition:
    return MetricDefinition(name, title, Format.SECONDS, higher_is_better=False)


_EVERY_SPLIT = (TRAIN, *HELD_OUT)
_SPLITS = tuple(f"{split}." for split in _EVERY_SPLIT)
_BUILT_IN = (
    MetricDefinition("f1_min", "Lowest F1", Format.SHARE, True, HELD_OUT, _lowest_of(_f1)),
    MetricDefinition("f1", "F1", Format.SHARE, True, HELD_OUT, _mean_of(_f1), _f1),
    MetricDefinition("accuracy", "Accuracy", Format.PERCENT, True, _EVERY_SPLIT, _accuracy),
    MetricDefinition(
        "precision", "Precision", Format.SHARE, True, HELD_OUT, _mean_of(_precision), _precision
    ),
    MetricDefinition("recall", "Recall", Format.SHARE, True, HELD_OUT, _mean_of(_recall), _recall),
    MetricDefinition("loss", "Loss", Format.LOSS, False, _EVERY_SPLIT),
    _time("time.compile_s", "Compile time"),
    _time("time.train_s", "Training time"),
    _time("time.evaluate_s", "Evaluation time"),
    _time("time.total_s", "Total time"),
    _time("time.epoch_s", "Time per epoch"),
    MetricDefinition("environment.peak_memory_mb", "Peak memory", Format.SECONDS, False),
    MetricDefinition("parameters", "Parameters", Format.COUNT, False),
    MetricDefinition("epochs_trained", "Epochs", Format.COUNT, False),
)


@cache
def definitions() -> dict[str, MetricDefinition]:
    """All metrics by name, in the order in which they are listed."""
    return {one.name: one for one in _BUILT_IN} | plugins("metrics")


def of_split(split: str) -> list[MetricDefinition]:
    """The metrics that are measured on a split."""
    return [one for one in definitions().values() if split in one.splits]


# Words in names of metrics of which less is better, where nothing says which are.
_LOWER = {
    "loss", "losses", "logloss", "err", "error", "errors", "perplexity", "mse", "rmse", "nrmse",
    "mae", "mape", "nll", "seconds", "time", "runtime", "latency",
}  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_DIRECTIONS = {"lowest": False, "highest": True}


def named_metric(name: str, split: str, measured: Collection[str] = ()) -> Metric:
    """The metric of a name that is not in the registry; its direction is guessed from the name."""
    split, name = _split_and_name(name, split, measured)
    words = {word.lower() for word in _WORD.findall(name)}
    higher = not (words & _LOWER or name.endswith("_s"))
    return Metric(MetricDefinition(name, name, Format.NUMBER, higher, (split,)), split)


def declared(name: str) -> str:
    """A metric's name that stands by itself: with its direction where the registry lacks it."""
    try:
        resolve(name)
    except SelectionError:
        higher = named_metric(name, VALIDATION).higher_is_better
        return f"{'highest' if higher else 'lowest'}:{name}"
    return name


def resolve(
    name: str, split: str = VALIDATION, classes: int | None = None, measured: Collection[str] = ()
) -> Metric:
    """The metric that `name` means: f1_min, test.accuracy, f1.8, time.train_s, train.loss.

    A task's metric that is not in the registry is known where it was `measured` (columns of the
    runs table), and wherever its name says the direction: `lowest:rmse`, `highest:test.reward`.
    `split` counts for a name without one, if it was measured there or nowhere; `classes` is their
    number, to check the class of `f1.8`.

    Raises:
        SelectionError: There is no such metric or split; the text suggests one.
    """
    if split not in HELD_OUT:
        raise SelectionError(f"No split {split!r}: expected one of: {', '.join(HELD_OUT)}.")
    word, _, rest = name.partition(":")
    direction = _DIRECTIONS.get(word) if rest else None
    short = name if direction is None else rest
    registered = _registered(short, split, classes, measured)
    found = registered or named_metric(short, split, measured)
    if direction is not None:
        return replace(found, definition=replace(found.definition, higher_is_better=direction))
    if registered or found.column in measured:
        return found
    known = definitions().values()
    names = [one.name for one in known if set(HELD_OUT) <= {*one.splits}]
    names += [f"{own}.{one.name}" for own in _EVERY_SPLIT for one in of_split(own)]
    names += [one.name for one in known if not one.splits]
    names += [one.partition(".")[2] for one in measured if is_metric(one)]
    raise SelectionError(f"No metric {name!r}; {closest(name, dict.fromkeys(names))}")


def _registered(
    name: str, split: str, classes: int | None, measured: Collection[str]
) -> Metric | None:
    known = definitions()
    if name in known and not known[name].splits:
        return Metric(known[name])
    own_split, short = _split_and_name(name, split, measured)
    base, _, class_text = short.partition(".")
    found = known.get(short) or known.get(base)
    if found is None or own_split not in found.splits:
        return None
    if found.name == short:
        return Metric(found, own_split)
    if found.class_values is None or not class_text.isdecimal():
        return None
    if (place := int(class_text)) >= (classes or MAX_CLASSES):
        last = (classes or MAX_CLASSES) - 1
        raise SelectionError(f"No metric {name!r}: the classes are 0 to {last}, got {class_text}.")
    return Metric(found, own_split, place)


def _split_and_name(name: str, split: str, measured: Collection[str]) -> tuple[str, str]:
    """A name's split and the rest; without one the first on which it was measured, else `split`."""
    first, dot, rest = name.partition(".")
    if dot and first in _EVERY_SPLIT:
        return first, rest
    splits = (split, TEST, VALIDATION, TRAIN)
    return next((one for one in splits if f"{one}.{name}" in measured), split), name


def is_metric(column: str) -> bool:
    """Whether a column of the runs table is of a metric of a split."""
    return column.startswith(_SPLITS)


def overall(columns: Iterable[str], objective: str = "") -> list[Metric]:
    """The metrics among some columns, not of single classes; `objective` declares directions."""
    found = [resolve(name, measured=[name]) for name in columns if is_metric(name)]
    word, _, rest = objective.partition(":")
    own = resolve(objective) if word in _DIRECTIONS and rest else None
    return [
        replace(one, definition=own.definition) if own and one.name == own.name else one
        for one in found
        if one.class_index is None
    ]


_LONG = (*(f"{split}." for split in HELD_OUT), "environment.")


def closest(name: str, among: Collection[str]) -> str:
    """'did you mean f1_min?', or what is known, for a name that is not among `among`."""
    close = difflib.get_close_matches(name, sorted(among), n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    first = [name for name in definitions() if not name.startswith(("time.", "environment."))]
    others = [key for key in among if key not in first and not key.startswith(_LONG)]
    return (
        f"known: {', '.join([*first, *others])}. f1.8 is the F1 of class 8; test. or validation. "
        "before a name chooses the split."
    )
