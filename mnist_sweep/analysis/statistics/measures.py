"""Metrics as functions of counts: how often each class is true, predicted, and both.

Definitions are scikit-learn's with `zero_division=0` and `labels=range(classes)`: precision, recall
and F1 are averaged over all classes, and a class that is never predicted or never true counts as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.errors import SelectionError

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics.patterns import Floats

METRICS = ("accuracy", "precision", "recall", "f1", "f1_min")
"""Metrics of all classes together; `f1_min` is the lowest single class's F1."""

CLASS_METRICS = ("precision", "recall", "f1")
"""Metrics that also exist for one class, written `f1.8`."""


def checked_metric(name: str, classes: int = 10) -> str:
    """The metric's name, if there is such a metric.

    Raises:
        SelectionError: There is none; the text lists those there are.
    """
    base, dot, label = name.partition(".")
    known_class = base in CLASS_METRICS and label.isdecimal() and int(label) < classes
    if name in METRICS or (dot and known_class):
        return name
    raise SelectionError(
        f"There is no metric {name!r}. Choose from {', '.join(METRICS)}, or one class's metric "
        f"as in f1.8 ({', '.join(CLASS_METRICS)}; classes 0 to {classes - 1})."
    )


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """Quotients, with scikit-learn's 0 where the denominator is 0."""
    return np.divide(top, bottom, out=np.zeros_like(bottom), where=bottom > 0)


def metric_from_counts(name: str, support: Floats, predicted: Floats, hits: Floats) -> Floats:
    """A metric from counts per class.

    Args:
        name: A metric `checked_metric` accepts.
        support: Images truly of each class, (..., classes), broadcastable with the others.
        predicted: Images predicted to be of each class, (..., classes).
        hits: Images both truly and predictedly of each class, (..., classes).

    Returns:
        The metric, (...), between 0 and 1.
    """
    base, _, label = name.partition(".")
    if base == "accuracy":
        return np.asarray(hits.sum(axis=-1) / support.sum(axis=-1))
    support = np.broadcast_to(support, hits.shape)
    if label:
        chosen = slice(int(label), int(label) + 1)
        support, predicted, hits = support[..., chosen], predicted[..., chosen], hits[..., chosen]
    if base == "precision":
        values = _ratio(hits, predicted)
    elif base == "recall":
        values = _ratio(hits, support)
    else:
        values = _ratio(2 * hits, support + predicted)
    return np.asarray(values.min(axis=-1) if base == "f1_min" else values.mean(axis=-1))


def needs_predicted(name: str) -> bool:
    """Whether the metric looks at how often a class is predicted, not only at its hits."""
    return name.partition(".")[0] not in ("accuracy", "recall")
