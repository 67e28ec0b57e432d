"""What the changes of a study's later stages did: on fresh seeds, and the same images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.analysis.configurations import seed_variances
from mnist_sweep.analysis.plain_rows import plain_rows
from mnist_sweep.analysis.selection import Uncounted, reason_of
from mnist_sweep.analysis.statistics import (
    Difference,
    corrected,
    difference,
    resample_predictions,
)
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import all_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mnist_sweep.analysis.statistics import Resampled
    from mnist_sweep.records.record import Record
    from mnist_sweep.records.study_file import Stage, Study
    from mnist_sweep.records.sweep import Sweep

    Row = Mapping[str, Any]

METRICS = ("accuracy", "f1_min")
"""Effects are measured on these, and on every class's F1."""


class UnknownEffect(StrEnum):
    """Why an effect is not known."""

    NO_PAIR = "there is no seed on which both the changed and the unchanged network finished"
    SELECTED_GONE = "the runs that the selection was made by are gone"
    UNREADABLE = "predictions cannot be read or compared"


@dataclass(frozen=True)
class StudyEffect:
    """What one change did to the configuration that a stage selected.

    Attributes:
        stage: The stage that made the change.
        of: The stage whose selection it started from.
        change: The settings that were changed.
        changed_id: The changed configuration.
        selected_id: The selected, unchanged one.
        split: The split it was measured on.
        selected_split: The split the selection was made on.
        seeds: The fresh seeds on which both finished, in order.
        unpaired: Runs that do not count: without a result, or finished without their partner.
        overall: Metric -> its difference on fresh seeds and the same images, changed less
            unchanged; empty if not known. `p_holm` is corrected over all metrics and classes of
            all changes of the study, see `corrected_in_sequence`.
        per_class: The same for each class's F1.
        against_best: Accuracy of the changed configuration less that of the best one; why it is not
            known; or None where nobody asked.
        selected_mean: Mean accuracy of the runs that the configuration was selected by. A network
            chosen for being worst was partly unlucky, so it does better when merely trained again:
            the change is never measured against those runs.
        unknown: Why it is not known; None if it is.
        detail: What exactly could not be read.
        changed: Records of the changed runs in the order of `seeds`.
        unchanged: The same of the unchanged ones.
        selected: Records of the runs that the selection was made by.
    """

    stage: str
    of: str
    change: dict[str, Any]
    changed_id: str
    selected_id: str
    split: str
    selected_split: str | None
    seeds: tuple[int, ...]
    unpaired: tuple[Uncounted, ...]
    overall: dict[str, Difference] = field(default_factory=dict)
    per_class: tuple[Difference, ...] = ()
    against_best: Difference | str | None = None
    selected_mean: float = math.nan
    unknown: UnknownEffect | None = None
    detail: str = ""
    changed: tuple[Record, ...] = field(default=(), repr=False)
    unchanged: tuple[Record, ...] = field(default=(), repr=False)
    selected: tuple[Record, ...] = field(default=(), repr=False)

    @property
    def naive(self) -> float:
        """Changed runs less those it was selected by: a report's figure without fresh seeds."""
        return self.overall["accuracy"].second - self.selected_mean

    @property
    def retraining(self) -> float:
        """The part of `naive` that training the unchanged network again brings by itself."""
        return self.overall["accuracy"].first - self.selected_mean


_COLUMNS = (
    "run_id", "configuration_id", "label", "seed", "status", "error.type", "error.message",
    "epochs", "epochs_trained", "history.val_accuracy",
)  # fmt: skip


@dataclass(frozen=True)
class _Settings:
    """How effects are measured."""

    split: str
    level: float
    margin: float
    replicates: int
    seed: int
    best: Sequence[Record]


def study_effects(
    study: Study,
    sweep: Sweep,
    *,
    best: Sequence[Record] = (),
    questions: int = 1,
    replicates: int | None = None,
    seed: int = 0,
    split: str = "test",
) -> list[StudyEffect]:
    """The effect of every change that a study made to a selected configuration.

    Args:
        study: The study.
        sweep: What was loaded from its directory; predictions are read from there.
        best: Runs of the best configuration, to compare the changed ones with.
        questions: How many families of tests are answered together. The effects are one of them,
            the comparison with the best another.
        replicates: Bootstrap samples of the images; None takes the study's.
        seed: Of the statistics' randomness.
        split: The split to measure on.

    Returns:
        One per changed configuration, in order of the stages; those of which nothing is known yet
        say why. A stage whose source has selected nothing yet has none.
    """
    settings = _Settings(
        split, study.level, sweep.margin, replicates or study.replicates, seed, best
    )
    runs = plain_rows(all_runs([sweep]).reindex(columns=_COLUMNS))
    effects = [
        _effect(sweep, runs, stage, changed_id, source, settings)
        for stage in study.stages
        if stage.of and (source := study.stage(stage.of).selection)
        for changed_id in stage.changed
    ]
    return _corrected(effects, questions)


def _corrected(effects: Sequence[StudyEffect], questions: int) -> list[StudyEffect]:
    """With p-values corrected over all that the study's conclusions say of its changes."""
    times = questions * sum(bool(one.overall) for one in effects)
    found = []
    for one in effects:
        beside = one.against_best
        if isinstance(beside, Difference):
            (beside,) = corrected([beside], times)
        tested = corrected_in_sequence([*one.overall.values(), *one.per_class], times)
        overall = dict(zip(one.overall, tested, strict=False))
        per_class = tested[len(overall) :]
        found.append(replace(one, overall=overall, per_class=per_class, against_best=beside))
    return found


def corrected_in_sequence(family: Sequence[Difference], times: int) -> tuple[Difference, ...]:
    """P-values of one change: its first metric first, the others only where that one changed.

    A fixed sequence (Maurer, Hothorn and Lehmacher, 1995): the first test takes the whole level,
    and the others (Holm) count only if it is rejected, so they cost it nothing.

    Args:
        family: Differences of all metrics, the first one first.
        times: How many such families are tested together (Bonferroni).
    """
    first, rest = corrected(family[:1], times), corrected(family[1:], times)
    return first + tuple(
        replace(one, p_holm=max(one.p_holm, first[0].p_holm))
        if one.p_holm is not None and first[0].p_holm is not None
        else one
        for one in rest
    )


def _effect(
    sweep: Sweep,
    runs: Sequence[Row],
    stage: Stage,
    changed_id: str,
    source: dict[str, Any],
    settings: _Settings,
) -> StudyEffect:
    finished = [row for row in runs if row["status"] == RunStatus.FINISHED]
    selected_ids = {run["run_id"] for run in source["chosen"]["runs"]}
    changed = _by_seed(finished, stage.run_ids, changed_id)
    unchanged = _by_seed(finished, stage.control_run_ids, source["configuration_id"])
    seeds = tuple(sorted(changed.keys() & unchanged.keys()))
    found = StudyEffect(
        stage=stage.name,
        of=str(stage.of),
        change=dict(stage.changed[changed_id]),
        changed_id=changed_id,
        selected_id=source["configuration_id"],
        split=settings.split,
        selected_split=source["split"],
        seeds=seeds,
        unpaired=_unpaired(runs, stage, changed_id, seeds),
        changed=tuple(sweep.record(changed[one]) for one in seeds),
        unchanged=tuple(sweep.record(unchanged[one]) for one in seeds),
        selected=tuple(
            sweep.record(row["run_id"]) for row in finished if row["run_id"] in selected_ids
        ),
    )
    if not seeds:
        return replace(found, unknown=UnknownEffect.NO_PAIR)
    if not found.selected:
        return replace(found, unknown=UnknownEffect.SELECTED_GONE)
    try:
        return _measured(found, sweep, settings)
    except (DirectoryError, DataError) as error:
        return replace(found, unknown=UnknownEffect.UNREADABLE, detail=str(error))


def _measured(found: StudyEffect, sweep: Sweep, settings: _Settings) -> StudyEffect:
    """With its differences, all sides' predictions being of the same images."""
    n, classes = len(found.seeds), found.changed[0].data.classes
    names = [*METRICS, *(f"f1.{label}" for label in range(classes))]
    records = [*found.unchanged, *found.changed, *found.selected]
    tables = _resampled(records, names, sweep, settings)
    differences = {
        name: _difference(table, (n, n), records, sweep, settings) for name, table in tables.items()
    }
    found = replace(
        found,
        overall={metric: differences.pop(metric) for metric in METRICS},
        per_class=tuple(differences.values()),
        selected_mean=float(tables["accuracy"].observed[2 * n :].mean()),
    )
    if not settings.best:
        return found
    records = [*settings.best, *found.changed]
    try:
        table = _resampled(records, ["accuracy"], sweep, settings)["accuracy"]
    except (DirectoryError, DataError) as error:
        return replace(found, against_best=str(error))
    sizes = len(settings.best), n
    return replace(found, against_best=_difference(table, sizes, records, sweep, settings))


def _resampled(
    records: Sequence[Record], metrics: Sequence[str], sweep: Sweep, settings: _Settings
) -> dict[str, Resampled]:
    directories = [sweep.run_paths(record.run_id).directory for record in records]
    answers = read_predicted(directories, settings.split)
    return resample_predictions(
        answers.predicted, answers.true, metrics, np.random.default_rng(settings.seed),
        replicates=settings.replicates, classes=records[0].data.classes,
    )  # fmt: skip


def _difference(
    table: Resampled,
    sizes: tuple[int, int],
    records: Sequence[Record],
    sweep: Sweep,
    settings: _Settings,
) -> Difference:
    """The second so many runs less the first; the study's other runs show how seeds vary too."""
    first, both = sizes[0], sum(sizes)
    others = seed_variances(
        sweep.frame, f"{settings.split}.{table.metric}", records[0].data.sha256,
        {record.run_id for record in records[:both]},
    )  # fmt: skip
    return difference(
        table.rows(range(first)), table.rows(range(first, both)),
        level=settings.level, margin=settings.margin, others=others,
    )  # fmt: skip


def _by_seed(
    finished: Sequence[Row], run_ids: Collection[str], configuration_id: str
) -> dict[int, str]:
    """Run ids of a configuration by seed."""
    return {
        row["seed"]: row["run_id"]
        for row in finished
        if row["run_id"] in run_ids
        and row["configuration_id"] == configuration_id
        and row["seed"] is not None
    }


def _unpaired(
    runs: Sequence[Row], stage: Stage, changed_id: str, seeds: Collection[int]
) -> tuple[Uncounted, ...]:
    """Runs of the comparison that do not count in it."""
    others = {one for one in stage.changed if one != changed_id}
    asked = {*stage.run_ids, *stage.control_run_ids}
    return tuple(
        Uncounted(
            row["label"],
            row["status"],
            "" if row["status"] == RunStatus.FINISHED else reason_of(row),
        )
        for row in runs
        if row["run_id"] in asked
        and row["configuration_id"] not in others
        and (row["status"] == RunStatus.MISSING or row["seed"] not in seeds)
    )
