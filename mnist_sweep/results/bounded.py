"""What can be said of a selection among very many configurations without their predictions."""

from __future__ import annotations

from statistics import variance
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.results.columns import View
from mnist_sweep.results.statistics.screening import (
    certainly_different,
    class_error,
    share_error,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.results.runs import Run
    from mnist_sweep.results.select import Selection
    from mnist_sweep.results.statistics.patterns import Floats

_SAME_IMAGES = ("dataset.sha256", "data.split_seed", "data.validation_fraction")


def what_is_known(selection: Selection, level: float) -> str:
    """How many candidates may be as bad (or good) as the chosen one, by a bound; a sentence."""
    counts = [len(candidate.values) for candidate in selection.candidates]
    runs = [run for candidate in selection.candidates for run in candidate.runs]
    if not _saw_the_same(runs, str(selection.metric.split)):
        return "They saw different images, so nothing else is known of it."
    owner = np.repeat(np.arange(len(counts)), counts)
    errors = np.bincount(owner, _image_errors(selection, runs)) / np.array(counts)
    different = certainly_different(
        np.array([candidate.value for candidate in selection.candidates]),
        errors,
        0,
        level=level,
        repeats=np.array(counts, dtype=np.float64),
        spreads=np.array(
            [variance(c.values) if len(c.values) > 1 else 0.0 for c in selection.candidates]
        ),
    )
    apart = int(different.sum())
    left = len(counts) - 1 - apart
    adjective = "bad" if selection.direction == "worst" else "good"
    seeds = " and seeds" if max(counts) > 1 else ""
    return (
        f"By a bound from the records alone, {apart:,} of the others differ from it (level "
        f"{level:g}, other images{seeds}, corrected for having chosen); the remaining {left:,} may "
        f"be as {adjective}."
    )


def _saw_the_same(runs: Sequence[Run], split: str) -> bool:
    view = View([run.values for run in runs])
    names = (*_SAME_IMAGES, f"dataset.n_{split}")
    return all(len(set(map(repr, view.values(name)))) == 1 for name in names)


def _image_errors(selection: Selection, runs: Sequence[Run]) -> Floats:
    """At most each run's standard error over other images, (n_runs,)."""
    split, (base, _, label) = selection.metric.split, selection.metric.name.partition(".")
    view = View([run.values for run in runs])

    def column(name: str) -> Floats:
        return np.array(view.values(f"{split}.{name}"), dtype=np.float64)

    if base == "accuracy":
        return share_error(column("accuracy"), float(runs[0].values[f"dataset.n_{split}"]))
    metrics = getattr(selection.chosen.records[0].metrics, str(split))
    support = {entry.label: float(entry.support) for entry in metrics.per_class}
    kind = base.removesuffix("_min")
    errors = [
        class_error(kind, column(f"precision.{k}"), column(f"recall.{k}"), support[k])
        for k in ([int(label)] if label else support)
    ]
    together = np.max if base == "f1_min" else np.mean
    return np.asarray(together(errors, axis=0))
