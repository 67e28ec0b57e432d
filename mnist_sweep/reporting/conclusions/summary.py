"""What a report and a sweep's end begin with: conclusions, and selections with uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.conclusions.conclusions import conclusions
from mnist_sweep.reporting.conclusions.selections import default_selections, is_resampled
from mnist_sweep.reporting.phrases.conclusions import Conclusion


@dataclass(frozen=True)
class ReportSummary:
    """What a report begins with; either part may be empty."""

    conclusions: tuple[Conclusion, ...] = ()
    selections: tuple[UncertainSelection, ...] = ()


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
    if not is_resampled(sweeps):
        return ()
    try:
        return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory), known))
    except MnistSweepError:  # predictions are gone or damaged: the tables stand all the same
        return ()
