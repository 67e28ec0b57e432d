"""The answer that a report begins with when it is given none."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_sweep.analysis.selection import Direction, select
from mnist_sweep.analysis.uncertainty import (
    UncertainSelection,
    Unknown,
    select_with_uncertainty,
)
from mnist_sweep.errors import MnistSweepError, SelectionError
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.reporting.conclusions.conclusions import conclusions
from mnist_sweep.reporting.conclusions.summary import Answer, Conclusion

MOST_RUNS = 200
"""Of more runs nothing is resampled unless asked for: it would take longer than the report."""

_UNKNOWN = f"it is computed for one directory of at most {MOST_RUNS} runs"
_CHOICES: tuple[tuple[tuple[str, ...], Direction], ...] = (
    ((), "best"), (("layers=2",), "worst"), ((), "worst"),
)  # fmt: skip


def usual_answer(sweeps: Sequence[Sweep]) -> Answer:
    """Conclusions of a study or a small sweep, the best configuration, and the worst.

    The worst is that of those with two layers, or else of all. Empty where there is nothing to
    select from; several directories get selections alone.
    """
    return Answer(conclusions_of(sweeps), _selections(sweeps))


def conclusions_of(sweeps: Sequence[Sweep]) -> tuple[Conclusion, ...]:
    """What can be concluded from one directory; nothing from several or from very many runs."""
    if not _resamples(sweeps):
        return ()
    try:
        return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory)))
    except MnistSweepError:  # predictions are gone or damaged: the tables stand all the same
        return ()


def _selections(sweeps: Sequence[Sweep]) -> tuple[UncertainSelection, ...]:
    found: list[UncertainSelection] = []
    for where, direction in _CHOICES:
        try:
            selection = _select(sweeps, where, direction)
        except SelectionError:
            continue
        if len(selection.selection.candidates) > 1:
            found.append(selection)
        if len(found) == 2:
            break
    return tuple(found)


def _select(
    sweeps: Sequence[Sweep], where: Sequence[str], direction: Direction
) -> UncertainSelection:
    if _resamples(sweeps):
        return select_with_uncertainty(sweeps[0], where, "f1_min", direction)
    found = select(all_runs(sweeps), where, "f1_min", direction)
    return UncertainSelection(found, unknown=Unknown.NOT_COMPUTED, detail=_UNKNOWN)


def _resamples(sweeps: Sequence[Sweep]) -> bool:
    return len(sweeps) == 1 and len(sweeps[0].frame) <= MOST_RUNS
