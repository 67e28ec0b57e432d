"""What a sweep answers unasked: its best configuration, its worst two-layer network.

With how these do on the test split, and which classes are hardest for the best one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

import numpy as np

from mnist_sweep.analysis.configurations import seed_variances
from mnist_sweep.analysis.selection import Direction, Selection, Unknown, select
from mnist_sweep.analysis.statistics import (
    Interval,
    Resampled,
    corrected,
    difference,
    interval,
    resample_predictions,
)
from mnist_sweep.analysis.uncertainty import select_again, select_with_uncertainty
from mnist_sweep.analysis.varying import TARGET
from mnist_sweep.analysis.weakest import WeakClass, weakest_classes
from mnist_sweep.errors import DataError, DirectoryError, SelectionError
from mnist_sweep.metrics import HELD_OUT, TEST, VALIDATION, Metric, resolve
from mnist_sweep.records.predictions import Predicted, read_predicted
from mnist_sweep.records.study_file import Study
from mnist_sweep.records.sweep import Sweep, all_runs, objective_of
from mnist_sweep.settings import MLP_TARGET

# The report's question: which two-layer network is worst, by f1_min?
TWO_LAYERS = ("layers=2",)
# Of more runs nothing is resampled unless asked for: it would take longer than the report.
MAX_RUNS = 200


@dataclass(frozen=True)
class Standing:
    """A selected configuration with its value on the test split."""

    found: Selection
    on_test: Metric | None = None  # what selected it, on the test split; None if it has no splits
    value: float | None = None  # its mean there
    interval: Interval | None = None  # of that mean, where predictions give it


@dataclass(frozen=True)
class HardestClasses:
    """The classes that a configuration recognises worst on the test split."""

    weak: tuple[WeakClass, ...]
    intervals: tuple[Interval, ...]  # of their F1
    alike: tuple[int, ...]  # classes that are not distinguishable from the first of them
    support: tuple[int, ...]  # how many images each class has


def best_of(sweep: Sweep, study: Study | None = None) -> Selection | None:
    """The best by the objective; of a study's first grids, on the split that it selects on."""
    if study is None:
        return selection_of([sweep], (), sweep.objective, "best")
    by = sweep.objective
    selections = [stage.selection for stage in study.stages if stage.selection]
    objective = resolve(by)
    # The published report selects on the test split: a study that does so compares there too.
    if selections and selections[0]["split"] == TEST and objective.split == VALIDATION:
        by = f"{TEST}.{objective.name}"
    try:
        return select_with_uncertainty(
            sweep, (), by, "best", level=study.level, replicates=study.replicates,
            questions=max((one.get("questions", 1) for one in selections), default=1),
            run_ids={one for stage in study.stages if not stage.of for one in stage.run_ids},
        )  # fmt: skip
    except SelectionError:
        return None


def selected_by(study: Study, sweep: Sweep) -> list[Selection]:
    """What the stages of a study selected, but for those whose runs are gone."""
    found = []
    for stage in study.stages:
        try:
            found += [select_again(sweep, stage.selection)] if stage.selection else []
        except SelectionError:
            continue
    return found


def worst_two_layers(sweeps: Sequence[Sweep]) -> Selection | None:
    """The worst of several built-in networks of two layers."""
    found = selection_of(sweeps, TWO_LAYERS, "f1_min", "worst")
    candidates = found.candidates if found else ()
    are_built_in = {one.settings.get(TARGET) for one in candidates} == {MLP_TARGET}
    return found if len(candidates) > 1 and are_built_in else None


def default_selections(sweeps: Sequence[Sweep]) -> tuple[Selection, ...]:
    """The best of several configurations by the objective, and the worst two-layer network."""
    best = selection_of(sweeps, (), objective_of(sweeps), "best")
    several = best if best and len(best.candidates) > 1 else None
    return tuple(filter(None, (several, worst_two_layers(sweeps))))


def selection_of(
    sweeps: Sequence[Sweep], where: Sequence[str], by: str, direction: Direction
) -> Selection | None:
    """A selection, with its uncertainty where that takes no longer than the rest of a report."""
    try:
        if is_resampled(sweeps):
            return select_with_uncertainty(sweeps[0], where, by, direction)
        found = select(all_runs(sweeps), where, by, direction)
    except SelectionError:  # there is nothing to select from
        return None
    why = f"it is computed for one directory of at most {MAX_RUNS} runs."
    return replace(found, unknown=Unknown.NOT_COMPUTED, detail=why)


def is_resampled(sweeps: Sequence[Sweep]) -> bool:
    """Whether statistics of these directories are computed unasked."""
    return len(sweeps) == 1 and len(sweeps[0].frame) <= MAX_RUNS


def standing_of(sweep: Sweep, found: Selection) -> Standing:
    """A selected configuration's value on the test split, with its interval where it has one."""
    metric = found.metric
    if metric.split not in HELD_OUT:
        return Standing(found)
    on_test = replace(metric, split=TEST)
    runs = sweep.frame[sweep.frame["run_id"].isin(found.chosen.run_ids)]
    values = runs[on_test.column].dropna() if on_test.column in runs else ()
    if not len(values):
        return Standing(found, on_test)
    span = None
    if on_test.is_from_counts:
        with suppress(DirectoryError, DataError):  # predictions are gone or damaged
            span = interval_on_test(sweep, found, on_test.name)
    return Standing(found, on_test, fmean(values), span)


def interval_on_test(sweep: Sweep, found: Selection, metric: str) -> Interval:
    """The interval of a metric of the selected configuration on the test split.

    Raises:
        DirectoryError: Predictions are missing or damaged.
        DataError: They do not belong together.
    """
    sha256, own = found.chosen.records[0].data.sha256, {*found.chosen.run_ids}
    others = seed_variances(sweep.frame, f"{TEST}.{metric}", sha256, own)
    table = _resampled(sweep, found, [metric])[0][metric]
    return interval(table, found.level, others=others)


def hardest_classes(sweep: Sweep, best: Selection) -> HardestClasses | None:
    """The hardest classes of a selected configuration, if any; raises as `interval_on_test`."""
    weak = weakest_classes(best.chosen.records, TEST)
    if not weak:
        return None
    classes = best.chosen.records[0].data.classes
    tables, predicted = _resampled(sweep, best, [f"f1.{label}" for label in range(classes)])
    hardest = weak[0].label
    # The hardest was chosen by looking: p-values are corrected over all pairs, not its own alone.
    pairs = list(combinations(range(classes), 2))
    tested = corrected(
        [difference(tables[f"f1.{a}"], tables[f"f1.{b}"], paired_seeds=True) for a, b in pairs]
    )
    alike = (
        a if b == hardest else b
        for (a, b), one in zip(pairs, tested, strict=True)
        if hardest in (a, b) and (one.p_holm is None or one.p_holm > 1 - best.level)
    )
    intervals = (interval(tables[f"f1.{one.label}"], best.level) for one in weak)
    support = np.bincount(predicted.true, minlength=classes).tolist()
    return HardestClasses(weak, tuple(intervals), tuple(alike), tuple(support))


def _resampled(
    sweep: Sweep, found: Selection, metrics: Sequence[str]
) -> tuple[dict[str, Resampled], Predicted]:
    """Metrics of the configuration's runs on the test split, resampled as its selection was."""
    directories = [sweep.run_paths(one).directory for one in found.chosen.run_ids]
    predicted = read_predicted(directories, TEST)
    tables = resample_predictions(
        predicted.predicted, predicted.true, metrics, np.random.default_rng(found.seed),
        replicates=found.replicates, classes=found.chosen.records[0].data.classes,
    )  # fmt: skip
    return tables, predicted
