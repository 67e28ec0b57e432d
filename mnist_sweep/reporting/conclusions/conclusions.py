"""What can be concluded from a sweep, in order of the argument.

Which network is best, its hardest classes, which is worst, what a study's changes did. The same
records give the same conclusions; the words are made in `reporting.phrases`.
"""

from __future__ import annotations

from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import seed_variances
from mnist_sweep.analysis.statistics import corrected, difference, interval, resample_predictions
from mnist_sweep.analysis.study_effect import METRICS, StudyEffect, study_effects
from mnist_sweep.analysis.uncertainty import (
    DEFAULT_LEVEL,
    DEFAULT_REPLICATES,
    UncertainSelection,
    select_again,
    select_with_uncertainty,
)
from mnist_sweep.analysis.varying import TARGET
from mnist_sweep.analysis.weakest import weakest_classes
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.metrics import TEST, VALIDATION, resolve
from mnist_sweep.records.predictions import Predicted, read_predicted
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.phrases import conclusions as phrases
from mnist_sweep.reporting.phrases import effects as effect_phrases
from mnist_sweep.reporting.phrases import reported
from mnist_sweep.reporting.phrases.conclusions import Conclusion
from mnist_sweep.reporting.phrases.selection import differing, name_of
from mnist_sweep.settings import MLP_TARGET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.statistics import Interval, Resampled, SeedVariances
    from mnist_sweep.records.record import Record
    from mnist_sweep.records.study_file import Study
    from mnist_sweep.records.sweep import Sweep

TWO_LAYERS = ("layers=2",)
"""The report's question: which two-layer network is worst, by f1_min?"""


def conclusions(
    sweep: Sweep,
    study: Study | None = None,
    *,
    seed: int = 0,
    known: Sequence[UncertainSelection] = (),
) -> list[Conclusion]:
    """What can be concluded from a sweep, or from a study and its stages.

    Args:
        sweep: What was loaded from the directory; the runs' predictions are read from there.
        study: Its study (`records.study_file.load_study`), or None for an ordinary sweep.
        seed: Of the statistics' randomness.
        known: Of an ordinary sweep, the best and the worst if they were selected before.

    Returns:
        Conclusions in order of the argument; none where nothing finished.
    """
    found: list[Conclusion] = []
    published = is_reference(sweep, study)
    known = known if study is None else ()
    best = next((one for one in known if one.selection.direction == "best"), None)
    best = best or best_of(sweep, study, seed)
    if best is not None:
        found += _about_best(sweep, best, seed, published=published)
    worst = [one for one in known if one is not best] if known else _worst(sweep, study)
    for one in worst:
        chosen = (one.selection.direction, one.selection.where, one.selection.metric.name)
        is_question = chosen == ("worst", TWO_LAYERS, "f1_min")
        found.append(phrases.selected(one, reported.worst() if published and is_question else ""))
    if study is None:
        return found
    found += [phrases.blocked(stage) for stage in study.stages if stage.status == "blocked"]
    effects = study_effects(
        study, sweep, seed=seed, best=best.chosen.records if best else (),
        questions=best.questions if best else 1,
    )  # fmt: skip
    found += _effects(effects, published=published)
    if best is not None:
        name = name_of(best.chosen, differing(best.selection))
        found += [_against_best(one, name, published=published) for one in effects if one.overall]
    return found


def is_reference(sweep: Sweep, study: Study | None) -> bool:
    """Whether a sweep asks what the published report asks, on MNIST.

    A sweep has exactly its five networks; a study at least its grid of those without dropout, since
    the network that dropout is added to depends on the selection.
    """
    finished = sweep.frame[sweep.frame["status"] == RunStatus.FINISHED]
    if finished.empty or set(finished["dataset.name"]) != {"mnist"}:
        return False
    keys = ["model.layers", "model.nodes", "model.dropout"]
    if not {*keys} <= {*finished} or set(finished[TARGET]) != {MLP_TARGET}:
        return False
    swept = {tuple(row) for row in finished[keys].itertuples(index=False)}
    published = reported.networks()
    if study is None:
        return swept == published
    return {network for network in published if not network[-1]} <= swept


def is_built_in(found: UncertainSelection) -> bool:
    """Whether all candidates are of the built-in network, which has layers."""
    return {one.settings.get(TARGET) for one in found.selection.candidates} == {MLP_TARGET}


def interval_of(sweep: Sweep, found: UncertainSelection, metric: str) -> Interval:
    """The interval of a metric of the selected configuration on the test split.

    Raises:
        DirectoryError: Predictions are missing or damaged.
        DataError: They do not belong together.
    """
    predicted = _predicted(sweep, found.chosen.records)
    table = _resampled(predicted, found, [metric], found.seed)[metric]
    return interval(table, found.level, others=_others(sweep, found.chosen.records, metric))


def best_of(sweep: Sweep, study: Study | None, seed: int = 0) -> UncertainSelection | None:
    """The best by the objective; of a study's first grids, on the split that it selects on.

    None where there is nothing to select from.
    """
    by, run_ids = sweep.objective, None
    level, replicates, questions = DEFAULT_LEVEL, DEFAULT_REPLICATES, 1
    if study is not None:
        level, replicates = study.level, study.replicates
        selections = [stage.selection for stage in study.stages if stage.selection]
        questions = max((one.get("questions", 1) for one in selections), default=1)
        run_ids = {one for stage in study.stages if not stage.of for one in stage.run_ids}
        splits = [one["split"] for one in selections]
        objective = resolve(by)
        if objective.split == VALIDATION and splits and splits[0] == TEST:
            by = f"{TEST}.{objective.name}"
    try:
        return select_with_uncertainty(
            sweep, (), by, "best", level=level, replicates=replicates, seed=seed,
            questions=questions, run_ids=run_ids,
        )  # fmt: skip
    except SelectionError:
        return None


def _worst(sweep: Sweep, study: Study | None) -> list[UncertainSelection]:
    """What a study selected; else the worst of several two-layer networks."""
    if study is None:
        try:
            worst = select_with_uncertainty(sweep, TWO_LAYERS, "f1_min", "worst")
        except SelectionError:
            return []
        return [worst] if len(worst.selection.candidates) > 1 and is_built_in(worst) else []
    found = []
    for stage in study.stages:
        try:
            found += [select_again(sweep, stage.selection)] if stage.selection else []
        except SelectionError:
            continue  # its runs are gone
    return found


def _about_best(
    sweep: Sweep, best: UncertainSelection, seed: int, *, published: bool
) -> list[Conclusion]:
    records = best.chosen.records
    metrics = [record.metrics.test for record in records if record.metrics]
    if not all({"accuracy", "f1"} <= {*one.values} for one in metrics):
        return []  # of a task that returned others: the selection says which is best
    test = {name: fmean(getattr(one, name) for one in metrics) for name in ("accuracy", "f1")}
    claim = reported.best() if published else ""
    try:
        predicted = _predicted(sweep, records)
    except (DirectoryError, DataError) as error:
        return [phrases.best(best, test, str(error), claim)]
    accuracy = interval(
        _resampled(predicted, best, ["accuracy"], seed)["accuracy"],
        best.level,
        others=_others(sweep, records, "accuracy"),
    )
    hardest = reported.hardest_digits() if published else ""
    return [
        phrases.best(best, test, accuracy, claim),
        _hardest_classes(best, predicted, seed, hardest),
    ]


def _hardest_classes(
    best: UncertainSelection, predicted: Predicted, seed: int, claim: str
) -> Conclusion:
    """Which classes are hardest for the best configuration on the test split."""
    records = best.chosen.records
    weak = weakest_classes(records, TEST)
    data = records[0].data
    names = [f"f1.{label}" for label in range(data.classes)]
    tables = _resampled(predicted, best, names, seed)
    support = np.bincount(predicted.true, minlength=data.classes).tolist()
    return phrases.hardest_classes(
        name_of(best.chosen, differing(best.selection)),
        data.name,
        [(one, interval(tables[f"f1.{one.label}"], best.level)) for one in weak],
        not_distinguishable(tables, weak[0].label, best.level),
        support,
        runs=len(records),
        classes=data.classes,
        reported=claim,
    )


def not_distinguishable(tables: dict[str, Resampled], hardest: int, level: float) -> list[int]:
    """Classes whose F1 is not distinguishable from the hardest one's.

    It was chosen by looking, so p-values are corrected over all pairs, not over its own alone.

    Args:
        tables: `f1.K` -> the metric resampled, for each class.
        hardest: The class of lowest F1.
        level: Confidence level.
    """
    labels = range(len(tables))
    pairs = list(combinations(labels, 2))
    found = corrected(
        [difference(tables[f"f1.{a}"], tables[f"f1.{b}"], paired_seeds=True) for a, b in pairs]
    )
    adjusted = {pair: one.p_holm for pair, one in zip(pairs, found, strict=True)}
    others = [k for k in labels if k != hardest]
    p_values = [adjusted[min(k, hardest), max(k, hardest)] for k in others]
    return [k for k, p in zip(others, p_values, strict=True) if p is None or p > 1 - level]


def _effects(effects: Sequence[StudyEffect], *, published: bool) -> list[Conclusion]:
    """What every change did."""
    found = []
    for one in effects:
        if not one.overall:
            found.append(effect_phrases.unknown_effect(one))
            continue
        name = effect_phrases.unchanged_name(one)
        is_claimed = published and "dropout" in one.change and one.split == TEST
        for metric in METRICS:
            claim = reported.change(metric) if is_claimed else ""
            found.append(effect_phrases.overall_effect(one, metric, name, claim))
        found.append(effect_phrases.retraining(one))
        found.append(effect_phrases.class_effects(one, name))
    return found


def _against_best(effect: StudyEffect, name: str, *, published: bool) -> Conclusion:
    """How the changed network compares with the best one, of that name."""
    changed = f"{effect_phrases.unchanged_name(effect)} with {effect_phrases.change_of(effect)}"
    claim = reported.against_best() if published and "dropout" in effect.change else ""
    return effect_phrases.against_best(changed, name, effect.against_best or "", claim)


def _resampled(
    predicted: Predicted, best: UncertainSelection, metrics: Sequence[str], seed: int
) -> dict[str, Resampled]:
    """Metrics of the runs, resampled as the selection of the best was."""
    return resample_predictions(
        predicted.predicted, predicted.true, metrics, np.random.default_rng(seed),
        replicates=best.replicates, classes=best.chosen.records[0].data.classes,
    )  # fmt: skip


def _others(sweep: Sweep, records: Sequence[Record], metric: str) -> SeedVariances:
    """By how much a metric of the sweep's other configurations varies over seeds."""
    own = {record.run_id for record in records}
    return seed_variances(sweep.frame, f"{TEST}.{metric}", records[0].data.sha256, own)


def _predicted(sweep: Sweep, records: Sequence[Record]) -> Predicted:
    return read_predicted([sweep.run_paths(one.run_id).directory for one in records], TEST)
