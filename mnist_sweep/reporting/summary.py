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
from mnist_sweep.analysis.selection import Selection
from mnist_sweep.analysis.study_effect import study_effects
from mnist_sweep.analysis.varying import TARGET
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.study_file import Study, load_study
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.phrases import conclusions as phrases
from mnist_sweep.reporting.phrases.effects import against_best, effect_conclusions
from mnist_sweep.reporting.phrases.selection import chosen_name
from mnist_sweep.settings import MLP_TARGET

# What the published report claims ("Classification using Neural Networks with Keras on MNIST Digit
# Recognizer Dataset"), to stand beside what was measured here. Its figures are of single runs, so
# nothing is concluded from comparing them. First layers, nodes and dropout of its networks.
NETWORKS = {(1, 100, 0.0), (1, 300, 0.0), (2, 100, 0.0), (2, 300, 0.0), (2, 300, 0.2)}

_CHANGED = (
    "for 2 layers x 300 nodes, dropout=0.2; one run of each, against the run it was chosen by."
)
CLAIMS = {
    "best": "1 layer x 300 nodes, test accuracy 97.9 %, F1 0.98; one run of each network.",
    "hardest digits": (
        "3, 5, 8 for 1 layer x 300 nodes, most often misread 3 as 5 and 8; 5 as 3; 8 as 3."
    ),
    "worst": (
        "2 layers x 300 nodes, by the lowest F1 of a digit on the test split (0.96, digits 8 and "
        "9); one run of each network."
    ),
    # What dropout changed, of the test split.
    "accuracy": f"+0.4 points (97.3 to 97.7 %) {_CHANGED}",
    "f1_min": f"+0.01 (0.96 to 0.97) {_CHANGED}",
    "against best": "97.7 % against 97.9 % (-0.2 points); one run of each.",
}


@dataclass(frozen=True)
class ReportSummary:
    """Either part may be empty."""

    conclusions: tuple[phrases.Conclusion, ...] = ()
    selections: tuple[Selection, ...] = ()


def default_summary(sweeps: Sequence[Sweep]) -> ReportSummary:
    """Conclusions of a study or a small sweep, and the selections that go without saying."""
    selections = default_selections(sweeps)
    return ReportSummary(conclusions_of(sweeps, selections), selections)


def conclusions_of(
    sweeps: Sequence[Sweep], known: Sequence[Selection] = ()
) -> tuple[phrases.Conclusion, ...]:
    """`conclusions` of one directory; nothing of several, of very many runs or a damaged study."""
    with suppress(MnistSweepError):  # without predictions the tables stand all the same
        if is_resampled(sweeps):
            return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory), known))
    return ()


def conclusions(
    sweep: Sweep, study: Study | None = None, known: Sequence[Selection] = ()
) -> list[phrases.Conclusion]:
    """What can be concluded from a sweep, or from a study and its stages."""
    claims = CLAIMS if is_reference(sweep, study) else {}
    if study is None:
        best = next((one for one in known if one.direction == "best"), None)
        worst = [one for one in known if one is not best]
        if not known and (found := worst_two_layers([sweep])):
            worst = [found]
        best = best or best_of(sweep)
    else:
        best, worst = best_of(sweep, study), selected_by(study, sweep)
    made = [*phrases.about_best(sweep, best, claims)] if best else []
    for one in worst:
        chosen = (one.direction, one.where, one.metric.name)
        is_question = chosen == ("worst", TWO_LAYERS, "f1_min")
        made.append(phrases.selected(one, claims.get("worst", "") if is_question else ""))
    if study is None:
        return made
    made += [phrases.blocked(stage) for stage in study.stages if stage.status == "blocked"]
    effects = study_effects(study, sweep, best)
    made += [one for effect in effects for one in effect_conclusions(effect, claims)]
    if best is not None:
        name = chosen_name(best)
        made += [against_best(one, name, claims) for one in effects if one.overall]
    return made


def is_reference(sweep: Sweep, study: Study | None) -> bool:
    """Whether a sweep asks what the published report asks, on MNIST."""
    finished = sweep.frame[sweep.frame["status"] == RunStatus.FINISHED]
    if finished.empty or set(finished["dataset.name"]) != {"mnist"}:
        return False
    keys = ["model.layers", "model.nodes", "model.dropout"]
    if not {*keys} <= {*finished} or set(finished[TARGET]) != {MLP_TARGET}:
        return False
    swept = {tuple(row) for row in finished[keys].itertuples(index=False)}
    if study is None:
        return swept == NETWORKS
    # Those without dropout: which network gets it depends on the selection.
    return {network for network in NETWORKS if not network[-1]} <= swept
