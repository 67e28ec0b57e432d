"""Conclusions in words, made from the numbers only: each with its number, split and sureness.

Which network is best, its hardest digits, which is worst and why, what a change did to it; beside
each what the published report claims. The same records give the same sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.statistics import difference, interval, resample_predictions
from mnist_sweep.analysis.study_effect import StudyEffect, study_effects
from mnist_sweep.analysis.uncertainty import (
    DEFAULT_LEVEL,
    DEFAULT_REPLICATES,
    UncertainSelection,
    select_again,
    select_with_uncertainty,
)
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.records.paths import run_directories
from mnist_sweep.records.predicted import Predicted, read_predicted
from mnist_sweep.reporting.conclusions import reported
from mnist_sweep.reporting.conclusions.digits import hardest_digits
from mnist_sweep.reporting.conclusions.effect import change_of, effect_conclusions, selected_name
from mnist_sweep.reporting.conclusions.selection import differing, name_of, sureness
from mnist_sweep.reporting.conclusions.summary import Conclusion
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.phrases import values as phrases
from mnist_sweep.reporting.phrases.names import data_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.statistics import Resampled
    from mnist_sweep.records.record import Record
    from mnist_sweep.records.study_file import Study
    from mnist_sweep.records.sweep import Sweep

_SHOWN_UNCOUNTED = 3


def conclusions(sweep: Sweep, study: Study | None = None, *, seed: int = 0) -> list[Conclusion]:
    """What can be concluded from a sweep, or from a study and its stages.

    Args:
        sweep: What was loaded from the directory; the runs' predictions are read from there.
        study: Its study (`results.study.load_study`), or None for an ordinary sweep.
        seed: Of the statistics' randomness.

    Returns:
        Sentences in order of the argument; none where nothing finished.
    """
    found: list[Conclusion] = []
    best = _best(sweep, study, seed)
    if best is not None:
        found += _about_best(sweep, best, seed)
    found += [_selected(selection) for selection in _worst(sweep, study, seed)]
    if study is not None:
        found += [
            Conclusion(visible(f"Stage {stage.name} came to no end: {stage.reason}"))
            for stage in study.stages
            if stage.status == "blocked"
        ]
        effects = study_effects(study, sweep, seed=seed)
        found += effect_conclusions(effects)
        if best is not None:
            found += [_against_best(sweep, best, one, seed) for one in effects if one.effects]
    return found


def _best(sweep: Sweep, study: Study | None, seed: int) -> UncertainSelection | None:
    """The best by accuracy, on the split that the study selects on: of a study's first grids."""
    split, run_ids, level, replicates = "validation", None, DEFAULT_LEVEL, DEFAULT_REPLICATES
    if study is not None:
        level, replicates = study.level, study.replicates
        run_ids = {one for stage in study.stages if not stage.of for one in stage.run_ids}
        splits = [stage.selection["split"] for stage in study.stages if stage.selection]
        split = "test" if splits and splits[0] == "test" else "validation"
    try:
        return select_with_uncertainty(
            sweep, (), "accuracy", "best", split=split, level=level, replicates=replicates,
            seed=seed, run_ids=run_ids,
        )  # fmt: skip
    except SelectionError:
        return None


def _worst(sweep: Sweep, study: Study | None, seed: int) -> list[UncertainSelection]:
    """What a study selected; else the worst of several two-layer networks, or else of all."""
    if study is not None:
        stored = [stage.selection for stage in study.stages if stage.selection]
        return [again for one in stored if (again := _again(sweep, one)) is not None]
    for where in (("layers=2",), ()):
        try:
            found = select_with_uncertainty(sweep, where, "f1_min", "worst", seed=seed)
        except SelectionError:
            continue
        if len(found.selection.candidates) > 1:
            return [found]
    return []


def _again(sweep: Sweep, value: dict[str, object]) -> UncertainSelection | None:
    try:
        return select_again(sweep, value)
    except SelectionError:
        return None


def _about_best(sweep: Sweep, best: UncertainSelection, seed: int) -> list[Conclusion]:
    selection, chosen = best.selection, best.chosen
    named = differing(selection)
    name, count = name_of(chosen, named), len(selection.candidates)
    first = (
        f"The best network is {name}: {_value(best)}, the highest {selection.metric} of {count} "
        "configurations"
        if count > 1
        else f"{name} is the only configuration with a result: {selection.metric} {_value(best)}"
    )
    data = data_name(chosen.records[0].data.name, chosen.records[0].data.notice)
    on_test = "; selected on the test split, so its test figures flatter it"
    suffix = on_test if best.split == "test" and count > 1 else ""
    mean = {
        metric: float(
            np.mean([getattr(r.metrics.test, metric) for r in chosen.records if r.metrics])
        )
        for metric in ("accuracy", "f1")
    }
    accuracy, f1 = phrases.share("accuracy", mean["accuracy"]), phrases.share("f1", mean["f1"])
    text = (
        f"{first}. On the test split of {data} its accuracy is {accuracy}, its macro F1 {f1}"
        f"{suffix}.{_uncounted(best)}"
    )
    said = reported.best(best)
    try:
        answers = _answers(sweep, chosen.records)
    except (DirectoryError, DataError) as error:
        return [Conclusion(visible(text), f"test accuracy {accuracy}", visible(str(error)), said)]
    found = interval(_accuracies(answers, best, seed), best.level)
    sure = f"test accuracy: {phrases.interval('accuracy', found)}"
    if count > 1:
        sure = f"best of all: {sureness(best, named)}; {sure}"
    return [
        Conclusion(visible(text), f"test accuracy {accuracy}", visible(sure), said),
        hardest_digits(
            name, chosen.records, answers,
            level=best.level, replicates=best.replicates, seed=seed,
        ),
    ]  # fmt: skip


def _selected(found: UncertainSelection) -> Conclusion:
    """What a selection chose and why."""
    selection, chosen = found.selection, found.chosen
    named = differing(selection)
    where = f" where {' and '.join(selection.where)}" if selection.where else ""
    count = len(selection.candidates)
    weak = selection.weakest[0] if selection.weakest else None
    why = ""
    if weak is not None:
        taken = f", most often taken for {weak.mistaken_for[0][0]}" if weak.mistaken_for else ""
        why = f"; its weakest digit there is {weak.label} (F1 {weak.f1:.4f}{taken})"
    on_test = " It was selected on the test split." if found.split == "test" else ""
    among = f"The {selection.direction} of {count} configurations{where}"
    if count == 1:
        among = f"The only configuration{where} with a result"
    text = (
        f"{among} is {name_of(chosen, named)}: {selection.metric} {_value(found)}{why}."
        f"{on_test}{_uncounted(found)}"
    )
    claims = (
        selection.direction == "worst"
        and selection.metric.name == "f1_min"
        and selection.where == ("layers=2",)
    )
    return Conclusion(
        visible(text),
        f"{selection.metric} {chosen.value:.4f}",
        visible(_how_sure(found, named)),
        reported.worst(found) if claims else "",
    )


def _how_sure(found: UncertainSelection, named: Sequence[str]) -> str:
    text = sureness(found, named)
    if not found.confidences:
        return text
    seeds = (
        "other images and other seeds"
        if found.covers == "images and seeds"
        else ("other images alone: one run each, so another seed may turn the order round")
    )
    return f"{text} ({100 * found.level:g} % level; covers {seeds})"


def _value(found: UncertainSelection) -> str:
    metric, count = found.selection.metric.name, len(found.chosen.values)
    return f"{phrases.share(metric, found.chosen.value)} ({phrases.runs(count)})"


def _uncounted(found: UncertainSelection) -> str:
    lost = found.selection.uncounted
    if not lost:
        return ""
    first = "; ".join(f"{run.label} ({run.status})" for run in lost[:_SHOWN_UNCOUNTED])
    more = f" and {len(lost) - _SHOWN_UNCOUNTED} more" if len(lost) > _SHOWN_UNCOUNTED else ""
    return f" Not counted, for want of a result: {first}{more}; with them it might be another."


def _answers(sweep: Sweep, records: Sequence[Record]) -> Predicted:
    places = run_directories(sweep.directory)
    return read_predicted([places.get(r.run_id, sweep.directory) for r in records], "test")


def _accuracies(answers: Predicted, best: UncertainSelection, seed: int) -> Resampled:
    """The runs' accuracies, resampled as the selection of the best was."""
    return resample_predictions(
        answers.predicted, answers.true, ["accuracy"], np.random.default_rng(seed),
        replicates=best.replicates, classes=best.chosen.records[0].data.classes,
    )["accuracy"]  # fmt: skip


def _against_best(
    sweep: Sweep, best: UncertainSelection, effect: StudyEffect, seed: int
) -> Conclusion:
    """How the changed network stands beside the best one."""
    records = (*best.chosen.records, *effect.changed)
    name = name_of(best.chosen, differing(best.selection))
    ours = f"{selected_name(effect)} with {change_of(effect)}"
    try:
        answers = _answers(sweep, records)
    except (DirectoryError, DataError) as error:
        text = f"How {ours} stands beside the best network, {name}, is not known: {error}"
        return Conclusion(visible(text))
    cut = len(best.chosen.records)
    table = _accuracies(answers, best, seed)
    sides = table.rows(range(cut)), table.rows(range(cut, len(records)))
    found = difference(*sides, level=best.level)
    verdict = "distinguishable from it"
    if found.p_value is None:
        verdict = "with one run each, not known to hold for other seeds"
    elif found.p_value > 1 - found.level:
        verdict = f"not {verdict}"
    text = (
        f"{ours} has a test accuracy of {phrases.share('accuracy', found.second)} beside "
        f"{phrases.share('accuracy', found.first)} of the best network, {name}: {verdict}."
    )
    said = reported.against_best() if "dropout" in effect.change else ""
    number = phrases.change("accuracy", found.estimate)
    return Conclusion(visible(text), number, visible(phrases.difference(found)), said)
