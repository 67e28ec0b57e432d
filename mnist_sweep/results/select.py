"""The worst or best configuration by a metric, among those where some conditions hold.

Runs that differ only in seed are repeats of one configuration, which counts with their mean. What
cannot be counted, because it failed, diverged or was never run, is named and never dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from mnist_sweep.errors import SelectionError
from mnist_sweep.results.fields import SPLITS, Flat, FlatValues, flat_missing
from mnist_sweep.results.metric import Metric, resolve
from mnist_sweep.results.runs import Records, Run, runs_of
from mnist_sweep.results.weakest import WeakClass, weakest_classes
from mnist_sweep.results.where import Condition, check_keys, matches, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.results.collect import Missing
    from mnist_sweep.results.record import Record

Direction = Literal["worst", "best"]
_TIE = 1e-12
"""Means of equal counts may differ by rounding; a real difference is one example or more."""


@dataclass(frozen=True)
class Candidate:
    """One configuration: its finished runs and their values of the metric, in order of seed."""

    configuration_id: str
    records: Sequence[Record] = field(repr=False)
    values: tuple[float, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """The same runs as flat values, their records read only when asked for."""
        return runs_of(self.records)

    @cached_property
    def value(self) -> float:
        """The mean over the configuration's runs."""
        return fmean(self.values)

    @property
    def settings(self) -> Flat:
        """Flat settings of the configuration, without the seed."""
        return {k: v for k, v in self.runs[0].settings.items() if k != "seed"}

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Seeds of the runs."""
        return tuple(run.seed for run in self.runs)

    @property
    def label(self) -> str:
        """The configuration's label: that of its runs without the seed."""
        parts = self.runs[0].label.split(",")
        return ",".join(part for part in parts if not part.startswith("seed="))


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
    candidates: tuple[Candidate, ...]
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
    classes = max((run.values["dataset.classes"] for run in runs), default=None)
    metric = resolve(by, split, classes)
    conditions = parse(where)
    check_keys(conditions, [run.values for run in runs])
    matching = [run for run in runs if matches(conditions, run.values)]
    candidates, uncounted = _candidates(matching, metric)
    uncounted += _matching_missing(missing, conditions)
    if not candidates:
        raise SelectionError(_nothing(where, metric, len(runs), uncounted))
    downward = metric.higher_is_better == (direction == "best")
    candidates.sort(key=lambda c: (-c.value if downward else c.value, c.label))
    chosen = candidates[0]
    weakest_split = metric.split if metric.split in SPLITS else split
    return Selection(
        metric=metric,
        direction=direction,
        where=tuple(where),
        candidates=tuple(candidates),
        ties=tuple(c for c in candidates[1:] if math.isclose(c.value, chosen.value, rel_tol=_TIE)),
        uncounted=tuple(uncounted),
        weakest=weakest_classes(chosen.records, weakest_split),
        weakest_split=weakest_split,
        notes=_notes(candidates, metric),
    )


def _candidates(matching: Sequence[Run], metric: Metric) -> tuple[list[Candidate], list[Uncounted]]:
    groups: dict[str, list[tuple[Run, float]]] = {}
    uncounted = []
    for run in matching:
        value = run.values.get(metric.column)
        if run.status == "finished" and value is not None:
            groups.setdefault(run.configuration_id, []).append((run, float(value)))
        else:
            uncounted.append(Uncounted(run.label, run.status, reason_of(run, metric)))
    candidates = []
    for configuration_id, runs in groups.items():
        runs.sort(key=lambda run: (run[0].seed or 0, run[0].run_id))
        found, values = zip(*runs, strict=True)
        candidates.append(Candidate(configuration_id, Records(found), values))
    return candidates, uncounted


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


def _notes(candidates: Sequence[Candidate], metric: Metric) -> tuple[str, ...]:
    notes = []
    if metric.split == "test":
        notes.append(
            "Selected on the test split: its test figures are then no unbiased estimate "
            "of what the chosen network does on new images."
        )
    rows = [run.values for candidate in candidates for run in candidate.runs]
    data = {row["dataset.sha256"]: row["dataset.name"] for row in rows}
    if len(data) > 1:
        named = ", ".join(f"{name} ({sha256[:8]})" for sha256, name in data.items())
        notes.append(f"The candidates saw different data, so their values do not compare: {named}.")
    if len(candidates) > 1 and all(len(candidate.values) == 1 for candidate in candidates):
        notes.append("One run each: another seed may change the order.")
    elif len({len(candidate.values) for candidate in candidates}) > 1:
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
