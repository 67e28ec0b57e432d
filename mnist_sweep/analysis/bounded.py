"""What can be said of a selection among very many configurations without their predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics.screening import certainly_different, class_error, share_error
from mnist_sweep.records.view import View

if TYPE_CHECKING:
    from mnist_sweep.analysis.selection import Selection
    from mnist_sweep.analysis.statistics.patterns import Floats
    from mnist_sweep.records.runs import Runs

FEW_SEEDS = 5
"""With no more runs than this of each, their spread is so uncertain that the bound tells little."""
_SAME_IMAGES = ("dataset.sha256", "data.split_seed", "data.validation_fraction")


def what_is_known(selection: Selection, level: float) -> str:
    """How many candidates may be as bad (or good) as the chosen one, by a bound; a sentence."""
    counts, runs = selection.candidates.counts, selection.candidates.runs
    if not _saw_the_same(runs, str(selection.metric.split)):
        return "They saw different images, so nothing else is known of it."
    owner, repeats = np.repeat(np.arange(len(counts)), counts), np.array(counts, dtype=np.float64)
    errors = np.bincount(owner, _image_errors(selection, runs)) / repeats
    means, values = np.array(selection.candidates.means), np.array(selection.candidates.values)
    squares = np.bincount(owner, (values - means[owner]) ** 2)
    is_lowest = selection.metric.name == "f1_min"
    different = certainly_different(
        means,
        errors,
        0,
        level=level,
        repeats=repeats,
        spreads=squares / np.maximum(repeats - 1, 1),
        lowest_of=int(runs[0].values["dataset.classes"]) * max(counts) if is_lowest else 1,
    )
    apart = int(different.sum())
    left = len(counts) - 1 - apart
    adjective = "bad" if selection.direction == "worst" else "good"
    seeds = " and seeds" if max(counts) > 1 else ""
    few = (
        f" With at most {max(counts)} runs each it can hardly tell any apart, so that says nothing "
        "of how alike they are."
        if 1 < max(counts) <= FEW_SEEDS and not apart
        else ""
    )
    return (
        f"By a bound from the records alone, {apart:,} of the others differ from it (level "
        f"{level:g}, other images{seeds}, corrected for having chosen); the remaining {left:,} may "
        f"be as {adjective}.{few}"
    )


def _saw_the_same(runs: Runs, split: str) -> bool:
    view = View(runs.rows)
    names = (*_SAME_IMAGES, f"dataset.n_{split}")
    return all(view.constant(name) or len(set(map(repr, view.values(name)))) == 1 for name in names)


def _image_errors(selection: Selection, runs: Runs) -> Floats:
    """About each run's standard error over other images, or more, (n_runs,)."""
    split, (base, _, label) = selection.metric.split, selection.metric.name.partition(".")
    view = View(runs.rows)

    def column(name: str) -> Floats:
        return view.floats(f"{split}.{name}")

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
