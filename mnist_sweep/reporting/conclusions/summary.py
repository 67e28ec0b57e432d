"""What a report and a sweep's end begin with: conclusions, and selections with uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from mnist_sweep.analysis.selection import Direction, select
from mnist_sweep.analysis.statistics import Interval
from mnist_sweep.analysis.uncertainty import UncertainSelection, Unknown, select_with_uncertainty
from mnist_sweep.errors import DataError, DirectoryError, MnistSweepError, SelectionError
from mnist_sweep.metrics import HELD_OUT, TEST, Metric
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import Sweep, all_runs, objective_of
from mnist_sweep.reporting.conclusions.conclusions import (
    TWO_LAYERS,
    conclusions,
    interval_of,
    is_built_in,
)
from mnist_sweep.reporting.phrases.conclusions import Conclusion

MAX_RUNS = 200
"""Of more runs nothing is resampled unless asked for: it would take longer than the report."""

_NOT_COMPUTED = f"it is computed for one directory of at most {MAX_RUNS} runs."


@dataclass(frozen=True)
class ReportSummary:
    """What a report begins with; either part may be empty."""

    conclusions: tuple[Conclusion, ...] = ()
    selections: tuple[UncertainSelection, ...] = ()


@dataclass(frozen=True)
class Standing:
    """A selected configuration with its value on the test split.

    Attributes:
        found: The selection.
        on_test: The metric that selected it, on the test split; None where it has no splits.
        value: Its mean there; None where it is not known.
        interval: Of that mean; None where predictions do not give it.
    """

    found: UncertainSelection
    on_test: Metric | None = None
    value: float | None = None
    interval: Interval | None = None


def default_summary(sweeps: Sequence[Sweep]) -> ReportSummary:
    """Conclusions of a study or a small sweep, and the selections that go without saying.

    Empty where there is nothing to select from; several directories get selections alone.
    """
    selections = default_selections(sweeps)
    return ReportSummary(conclusions_of(sweeps, selections), selections)


def conclusions_of(
    sweeps: Sequence[Sweep], known: Sequence[UncertainSelection] = ()
) -> tuple[Conclusion, ...]:
    """What can be concluded from one directory; nothing from several or from very many runs.

    Args:
        sweeps: The directories.
        known: Selections that were made before and are not made again.
    """
    if not _is_resampled(sweeps):
        return ()
    try:
        return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory), known=known))
    except MnistSweepError:  # predictions are gone or damaged: the tables stand all the same
        return ()


def default_selections(sweeps: Sequence[Sweep]) -> tuple[UncertainSelection, ...]:
    """The best configuration by the objective, and the worst of several two-layer networks."""
    best = selection_of(sweeps, (), objective_of(sweeps), "best")
    worst = selection_of(sweeps, TWO_LAYERS, "f1_min", "worst")
    found = [best, worst if worst and is_built_in(worst) else None]
    return tuple(one for one in found if one and len(one.selection.candidates) > 1)


def selection_of(
    sweeps: Sequence[Sweep], where: Sequence[str], by: str, direction: Direction
) -> UncertainSelection | None:
    """A selection, with its uncertainty where that takes no longer than the rest of a report.

    None where there is nothing to select from.
    """
    try:
        if _is_resampled(sweeps):
            return select_with_uncertainty(sweeps[0], where, by, direction)
        found = select(all_runs(sweeps), where, by, direction)
    except SelectionError:
        return None
    return UncertainSelection(found, unknown=Unknown.NOT_COMPUTED, detail=_NOT_COMPUTED)


def _is_resampled(sweeps: Sequence[Sweep]) -> bool:
    return len(sweeps) == 1 and len(sweeps[0].frame) <= MAX_RUNS


def standing_of(sweep: Sweep, found: UncertainSelection) -> Standing:
    """A selected configuration's value on the test split, with its interval where it has one."""
    metric = found.selection.metric
    if metric.split not in HELD_OUT:
        return Standing(found)
    on_test = replace(metric, split=TEST)
    runs = sweep.frame[sweep.frame["run_id"].isin(found.chosen.run_ids)]
    values = runs[on_test.column].dropna() if on_test.column in runs else ()
    value = fmean(values) if len(values) else None
    try:
        known = on_test.is_from_counts and value is not None
        interval = interval_of(sweep, found, on_test.name) if known else None
    except (DirectoryError, DataError):  # predictions are gone or damaged
        interval = None
    return Standing(found, on_test, value, interval)
