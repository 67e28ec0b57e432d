"""The worst or best configuration by a metric, among those where some conditions hold.

Runs that differ only in seed are repeats of one configuration, which counts with their mean. What
cannot be counted, because it failed, diverged or was never run, is named and never dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

from mnist_sweep.analysis.candidates import Candidate, Candidates, Group
from mnist_sweep.analysis.weakest import WeakClass, weakest_classes
from mnist_sweep.analysis.where import Condition, check_keys, matches, parse
from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.records.fields import SPLITS, FlatValues, flat_missing
from mnist_sweep.records.runs import Run, Runs, runs_of
from mnist_sweep.records.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.records.collect import Missing
    from mnist_sweep.records.record import Record

Direction = Literal["worst", "best"]
_TIE = 1e-12
"""Means of equal counts may differ by rounding; a real difference is one example or more."""


@dataclass(frozen=True)
class Uncounted:
    """A run that could have been a candidate and has no value: its status and the reason."""

    label: str
    status: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """What was chosen, from what, and what could not be counted.

    Attributes:
        metric: The metric and its split.
        direction: worst or best.
        where: The conditions, as they were written.
        candidates: All configurations, the chosen one first, then in order.
        ties: Other configurations whose value equals the chosen one's.
        uncounted: Runs that failed, diverged or were not run.
        weakest: The chosen configuration's weakest classes on `weakest_split`.
        notes: What a reader of the selection must know.
    """

    metric: Metric
    direction: Direction
    where: tuple[str, ...]
    candidates: Candidates
    ties: tuple[Candidate, ...]
    uncounted: tuple[Uncounted, ...]
    weakest: tuple[WeakClass, ...]
    weakest_split: str
    notes: tuple[str, ...]

    @property
    def chosen(self) -> Candidate:
        """The selected configuration."""
        return self.candidates[0]


def select(
    records: Sequence[Record],
    where: Sequence[str] = (),
    by: str = "f1_min",
    direction: Direction = "worst",
    *,
    split: str = "validation",
    missing: Sequence[Missing] = (),
) -> Selection:
    """Select a configuration.

    Args:
        records: All records, finished or not.
        where: Conditions such as `layers=2`; all must hold.
        by: The metric's name, see `metric.resolve`.
        direction: Which end of the order.
        split: The split of a metric that names none.
        missing: Planned points without a record, to be named if they match.

    Raises:
        SelectionError: Unknown metric or setting, or nothing with a value matches.
    """
    runs = runs_of(records)
    classes = max(View(runs.rows).values("dataset.classes"), default=None)
    metric = resolve(by, split, classes)
    conditions = parse(where)
    found, uncounted = _candidates(_matching(runs, conditions), metric)
    uncounted += _matching_missing(missing, conditions)
    if not found:
        raise SelectionError(_nothing(where, metric, len(runs), uncounted))
    candidates = found.ordered(downward=metric.higher_is_better == (direction == "best"))
    chosen = candidates[0]
    others = zip(range(1, len(candidates)), candidates.means[1:], strict=True)
    ties = takewhile(lambda one: math.isclose(one[1], chosen.value, rel_tol=_TIE), others)
    weakest_split = metric.split if metric.split in SPLITS else split
    return Selection(
        metric=metric,
        direction=direction,
        where=tuple(where),
        candidates=candidates,
        ties=tuple(candidates[place] for place, _ in ties),
        uncounted=tuple(uncounted),
        weakest=weakest_classes(chosen.records, weakest_split),
        weakest_split=weakest_split,
        notes=_notes(candidates, metric),
    )


def _matching(runs: Runs, conditions: Sequence[Condition]) -> Runs:
    if not conditions:
        return runs
    rows = runs.rows
    check_keys(conditions, set(View(rows).names()))
    return runs.pick([place for place, row in enumerate(rows) if matches(conditions, row)])


def _candidates(runs: Runs, metric: Metric) -> tuple[Candidates, list[Uncounted]]:
    view = View(runs.rows)
    values = view.values(metric.column)
    groups: dict[str, list[int]] = {}
    uncounted = []
    decisive = zip(view.values("configuration_id"), view.values("status"), values, strict=True)
    for place, (configuration_id, status, value) in enumerate(decisive):
        if status == "finished" and value is not None:
            groups.setdefault(configuration_id, []).append(place)
        else:
            run = runs[place]
            uncounted.append(Uncounted(run.label, run.status, reason_of(run, metric)))
    candidates = []
    for configuration_id, places in groups.items():
        if len(places) > 1:
            places.sort(key=lambda place: (runs[place].seed or 0, runs[place].run_id))
        own = tuple([float(values[place]) for place in places])
        candidates.append(Group(configuration_id, places, own))
    return Candidates(runs, candidates), uncounted


def reason_of(run: Run, metric: Metric | None = None) -> str:
    """Why a run has no value, in a few words."""
    if run.status == "pruned":
        return _how_far(run.values)
    if run.error is not None:
        return ": ".join(run.error)
    return f"has no finite {metric}" if metric else "no reason recorded"


def _how_far(values: FlatValues) -> str:
    """'after epoch 3 of 20, validation accuracy 91.2 %', of a pruned run."""
    epochs, accuracy = values.get("epochs"), values.get("history.val_accuracy")
    of_all = f" of {epochs}" if epochs else ""
    reached = f", validation accuracy {accuracy:.1%}" if accuracy else ""
    return f"after epoch {values['epochs_trained']}{of_all}{reached}".replace("%", " %")


def _matching_missing(
    missing: Sequence[Missing], conditions: Sequence[Condition]
) -> list[Uncounted]:
    return [
        Uncounted(point.label, "missing", point.reason)
        for point in missing
        if matches(conditions, flat_missing(point))
    ]


def _notes(candidates: Candidates, metric: Metric) -> tuple[str, ...]:
    notes = []
    if metric.split == "test":
        notes.append(
            "Selected on the test split: its test figures are then no unbiased estimate "
            "of what the chosen network does on new images."
        )
    view = View(candidates.runs.rows)
    data = dict(zip(view.values("dataset.sha256"), view.values("dataset.name"), strict=True))
    if len(data) > 1:
        named = ", ".join(f"{name} ({sha256[:8]})" for sha256, name in data.items())
        notes.append(f"The candidates saw different data, so their values do not compare: {named}.")
    counts = set(candidates.counts)
    if len(candidates) > 1 and counts == {1}:
        notes.append("One run each: another seed may change the order.")
    elif len(counts) > 1:
        notes.append("The candidates have unequal numbers of runs.")
    return tuple(notes)


def _nothing(
    where: Sequence[str], metric: Metric, total: int, uncounted: Sequence[Uncounted]
) -> str:
    conditions = f" where {' and '.join(where)}" if where else ""
    if not uncounted:
        return (
            f"Expected records{conditions}, but none of {total} matches. "
            "Widen --where, or see what there is with the table command."
        )
    first = uncounted[0]
    return (
        f"Expected a finished run{conditions} with a value of {metric}, but all that match "
        f"({len(uncounted)}) have none; the first, {first.label}, is {first.status}: "
        f"{first.reason}. Run them again, or widen --where."
    )
