"""What a report and a sweep's end begin with: selections, and conclusions in order of the argument.

Which network is best, its hardest classes, which is worst, what a study's changes did.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mnist_sweep.analysis.answers import (
    TWO_LAYERS,
    best_of,
    default_selections,
    is_resampled,
    selected_by,
    worst_two_layers,
)
from mnist_sweep.analysis.study_effect import study_effects
from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.study_file import Study, load_study
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.phrases import conclusions as phrases
from mnist_sweep.reporting.phrases.effects import against_best, effect_conclusions
from mnist_sweep.reporting.phrases.reported import CLAIMS, is_reference
from mnist_sweep.reporting.phrases.selection import chosen_name


@dataclass(frozen=True)
class ReportSummary:
    """Either part may be empty."""

    conclusions: tuple[phrases.Conclusion, ...] = ()
    selections: tuple[UncertainSelection, ...] = ()


def default_summary(sweeps: Sequence[Sweep]) -> ReportSummary:
    """Conclusions of a study or a small sweep, and the selections that go without saying."""
    selections = default_selections(sweeps)
    return ReportSummary(conclusions_of(sweeps, selections), selections)


def conclusions_of(
    sweeps: Sequence[Sweep], known: Sequence[UncertainSelection] = ()
) -> tuple[phrases.Conclusion, ...]:
    """`conclusions` of one directory; nothing of several, of very many runs or of damaged ones."""
    with suppress(MnistSweepError):  # without predictions the tables stand all the same
        if is_resampled(sweeps):
            return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory), known))
    return ()


def conclusions(
    sweep: Sweep, study: Study | None = None, known: Sequence[UncertainSelection] = ()
) -> list[phrases.Conclusion]:
    """What can be concluded from a sweep, or from a study and its stages."""
    claims = CLAIMS if is_reference(sweep, study) else {}
    if study is None:
        best = next((one for one in known if one.selection.direction == "best"), None)
        worst = [one for one in known if one is not best]
        if not known and (found := worst_two_layers([sweep])):
            worst = [found]
        best = best or best_of(sweep)
    else:
        best, worst = best_of(sweep, study), selected_by(study, sweep)
    made = [*phrases.about_best(sweep, best, claims)] if best else []
    for one in worst:
        chosen = (one.selection.direction, one.selection.where, one.selection.metric.name)
        is_question = chosen == ("worst", TWO_LAYERS, "f1_min")
        made.append(phrases.selected(one, claims.get("worst", "") if is_question else ""))
    if study is None:
        return made
    made += [phrases.blocked(stage) for stage in study.stages if stage.status == "blocked"]
    effects = study_effects(study, sweep, best)
    made += [one for effect in effects for one in effect_conclusions(effect, claims)]
    if best is not None:
        name = chosen_name(best.selection)
        made += [against_best(one, name, claims) for one in effects if one.overall]
    return made
