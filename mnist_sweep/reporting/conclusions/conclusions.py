"""What can be concluded from a sweep, in order of the argument.

Which network is best, its hardest classes, which is worst, what a study's changes did. The same
records give the same conclusions; the words are made in `reporting.phrases`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np

from mnist_sweep.analysis.statistics import Resampled, corrected, difference, interval
from mnist_sweep.analysis.study_effect import METRICS, StudyEffect, study_effects
from mnist_sweep.analysis.uncertainty import UncertainSelection, select_again
from mnist_sweep.analysis.varying import TARGET
from mnist_sweep.analysis.weakest import weakest_classes
from mnist_sweep.errors import DataError, DirectoryError, MnistSweepError, SelectionError
from mnist_sweep.metrics import TEST
from mnist_sweep.records.predictions import Predicted
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.study_file import Study, load_study
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.conclusions.selections import (
    TWO_LAYERS,
    best_of,
    default_selections,
    interval_of,
    is_resampled,
    predictions_of,
    resampled,
    worst_two_layers,
)
from mnist_sweep.reporting.phrases import conclusions as phrases
from mnist_sweep.reporting.phrases import effects as effect_phrases
from mnist_sweep.reporting.phrases import reported
from mnist_sweep.reporting.phrases.conclusions import Conclusion
from mnist_sweep.reporting.phrases.selection import chosen_name
from mnist_sweep.settings import MLP_TARGET


@dataclass(frozen=True)
class ReportSummary:
    """What a report and a sweep's end begin with; either part may be empty."""

    conclusions: tuple[Conclusion, ...] = ()
    selections: tuple[UncertainSelection, ...] = ()


def default_summary(sweeps: Sequence[Sweep]) -> ReportSummary:
    """Conclusions of a study or a small sweep, and the selections that go without saying."""
    selections = default_selections(sweeps)
    return ReportSummary(conclusions_of(sweeps, selections), selections)


def conclusions_of(
    sweeps: Sequence[Sweep], known: Sequence[UncertainSelection] = ()
) -> tuple[Conclusion, ...]:
    """`conclusions` of one directory; nothing of several, of very many runs or of damaged ones."""
    try:
        if is_resampled(sweeps):
            return tuple(conclusions(sweeps[0], load_study(sweeps[0].directory), known))
    except MnistSweepError:
        pass  # predictions are gone or damaged: the tables stand all the same
    return ()


def conclusions(
    sweep: Sweep, study: Study | None = None, known: Sequence[UncertainSelection] = ()
) -> list[Conclusion]:
    """What can be concluded from a sweep, or from a study and its stages."""
    claims = reported.CLAIMS if is_reference(sweep, study) else {}
    if study is None:
        best = next((one for one in known if one.selection.direction == "best"), None)
        worst = [one for one in known if one is not best]
        if not known and (found := worst_two_layers([sweep])):
            worst = [found]
        best = best or best_of(sweep)
    else:
        best, worst = best_of(sweep, study), _selected(sweep, study)
    made = _about_best(sweep, best, claims) if best else []
    for one in worst:
        chosen = (one.selection.direction, one.selection.where, one.selection.metric.name)
        is_question = chosen == ("worst", TWO_LAYERS, "f1_min")
        made.append(phrases.selected(one, claims.get("worst", "") if is_question else ""))
    if study is None:
        return made
    made += [phrases.blocked(stage) for stage in study.stages if stage.status == "blocked"]
    effects = study_effects(study, sweep, best)
    made += [one for effect in effects for one in _effect(effect, claims)]
    if best is not None:
        name = chosen_name(best.selection)
        for effect in effects:
            if effect.overall:
                claim = claims.get("against best", "") if "dropout" in effect.change else ""
                made.append(effect_phrases.against_best(effect, name, claim))
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
        return swept == reported.NETWORKS
    # Those without dropout: which network gets it depends on the selection.
    return {network for network in reported.NETWORKS if not network[-1]} <= swept


def _selected(sweep: Sweep, study: Study) -> list[UncertainSelection]:
    """What the stages of a study selected."""
    found = []
    for stage in study.stages:
        try:
            found += [select_again(sweep, stage.selection)] if stage.selection else []
        except SelectionError:
            continue  # its runs are gone
    return found


def _about_best(
    sweep: Sweep, best: UncertainSelection, claims: Mapping[str, str]
) -> list[Conclusion]:
    metrics = [record.metrics.test for record in best.chosen.records if record.metrics]
    if not all({"accuracy", "f1"} <= {*one.values} for one in metrics):
        return []  # of a task that returned others: the selection says which is best
    test = {name: fmean(getattr(one, name) for one in metrics) for name in ("accuracy", "f1")}
    claim = claims.get("best", "")
    try:
        predicted = predictions_of(sweep, best)
    except (DirectoryError, DataError) as error:
        return [phrases.best(best, test, str(error), claim)]
    accuracy = interval_of(sweep, best, predicted, "accuracy")
    hardest = _hardest_classes(best, predicted, claims.get("hardest digits", ""))
    return [phrases.best(best, test, accuracy, claim), *hardest]


def _hardest_classes(
    best: UncertainSelection, predicted: Predicted, claim: str
) -> Iterator[Conclusion]:
    """Which classes are hardest for the best configuration on the test split, if any is."""
    weak = weakest_classes(best.chosen.records, TEST)
    if not weak:
        return
    classes = best.chosen.records[0].data.classes
    tables = resampled(predicted, best, [f"f1.{label}" for label in range(classes)])
    yield phrases.hardest_classes(
        best,
        [(one, interval(tables[f"f1.{one.label}"], best.level)) for one in weak],
        not_distinguishable(tables, weak[0].label, best.level),
        np.bincount(predicted.true, minlength=classes).tolist(),
        claim,
    )


def not_distinguishable(tables: dict[str, Resampled], hardest: int, level: float) -> list[int]:
    """Classes whose F1 is not distinguishable from the hardest one's."""
    # The hardest was chosen by looking: p-values are corrected over all pairs, not its own alone.
    pairs = list(combinations(range(len(tables)), 2))
    found = corrected(
        [difference(tables[f"f1.{a}"], tables[f"f1.{b}"], paired_seeds=True) for a, b in pairs]
    )
    return [
        a if b == hardest else b
        for (a, b), one in zip(pairs, found, strict=True)
        if hardest in (a, b) and (one.p_holm is None or one.p_holm > 1 - level)
    ]


def _effect(effect: StudyEffect, claims: Mapping[str, str]) -> Iterator[Conclusion]:
    """What one change did."""
    if not effect.overall:
        yield effect_phrases.unknown_effect(effect)
        return
    name = effect_phrases.unchanged_name(effect)
    is_claimed = "dropout" in effect.change and effect.split == TEST
    for metric in METRICS:
        claim = claims.get(metric, "") if is_claimed else ""
        yield effect_phrases.overall_effect(effect, metric, name, claim)
    yield effect_phrases.retraining(effect)
    yield effect_phrases.class_effects(effect, name)
