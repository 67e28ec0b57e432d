"""What the changes of a study's later stages did: on fresh seeds, and the same images."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from mnist_sweep.analysis.configurations import seed_variances
from mnist_sweep.analysis.selection import Selection, Uncounted, reason_of
from mnist_sweep.analysis.statistics import Difference, corrected, difference, resample_predictions
from mnist_sweep.analysis.where import plain_rows
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.study_file import Stage, Study
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.records.table import RunsTable, plain

SPLIT = "test"
# Effects are measured on these, and on every class's F1.
METRICS = ("accuracy", "f1_min")


class UnknownEffect(StrEnum):
    """Why an effect is not known."""

    NO_PAIR = "there is no seed on which both the changed and the unchanged network finished"
    SELECTED_GONE = "the runs that the selection was made by are gone"
    UNREADABLE = "predictions cannot be read or compared"


@dataclass(frozen=True)
class StudyEffect:
    """What one change did to the configuration that a stage selected."""

    stage: str  # that made the change
    of: str  # the stage whose selection it started from
    change: dict[str, Any]
    split: str
    selected_split: str | None  # the selection was made on
    seeds: tuple[int, ...]  # fresh ones on which both finished
    unpaired: tuple[Uncounted, ...]  # without a result, or finished without their partner
    # Metric -> its difference on fresh seeds and the same images, changed less unchanged; empty if
    # not known. `p_holm` is corrected over all changes of the study (`corrected_in_sequence`).
    overall: dict[str, Difference] = field(default_factory=dict)
    per_class: tuple[Difference, ...] = ()  # the same for each class's F1
    # Accuracy of the changed configuration less that of the best one, or why it is not known.
    against_best: Difference | str | None = None
    # Mean accuracy of the runs that the configuration was selected by. A network chosen for being
    # worst was partly unlucky, so it does better when merely trained again: the change is never
    # measured against those runs.
    selected_mean: float = math.nan
    unknown: UnknownEffect | None = None
    detail: str = ""  # what exactly could not be read
    changed: tuple[Record, ...] = field(default=(), repr=False)  # in the order of `seeds`
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


def study_effects(study: Study, sweep: Sweep, best: Selection | None = None) -> list[StudyEffect]:
    """The effects of all changes that a study made to selected configurations, in order of stages.

    Those of which nothing is known yet say why; a stage whose source has selected nothing has none.
    `best` is compared with the changed ones: a family of tests of its own, beside its `questions`.
    """
    runs = all_runs([sweep]).reindex(columns=_COLUMNS)
    effects = [
        _effect(study, sweep, runs, stage, changed_id, best.chosen.records if best else ())
        for stage in study.stages
        if stage.of and study.stage(stage.of).selection
        for changed_id in stage.changed
    ]
    times = (best.questions if best else 1) * sum(bool(one.overall) for one in effects)
    found = []
    for one in effects:
        tested = corrected_in_sequence([*one.overall.values(), *one.per_class], times)
        beside = one.against_best
        if isinstance(beside, Difference):
            (beside,) = corrected([beside], times)
        overall = dict(zip(one.overall, tested, strict=False))
        per_class = tested[len(overall) :]
        found.append(replace(one, overall=overall, per_class=per_class, against_best=beside))
    return found


def corrected_in_sequence(family: Sequence[Difference], times: int) -> tuple[Difference, ...]:
    """P-values of one change: its first metric first, the others only where that one changed.

    `times` is how many such families are tested together (Bonferroni).
    """
    # A fixed sequence (Maurer, Hothorn and Lehmacher, 1995): the first test takes the whole level,
    # and the others (Holm) count only if it is rejected, so they cost it nothing.
    first, rest = corrected(family[:1], times), corrected(family[1:], times)
    return first + tuple(
        replace(one, p_holm=max(one.p_holm, first[0].p_holm))
        if one.p_holm is not None and first[0].p_holm is not None
        else one
        for one in rest
    )


def _effect(
    study: Study,
    sweep: Sweep,
    runs: RunsTable,
    stage: Stage,
    changed_id: str,
    best: Sequence[Record],
) -> StudyEffect:
    source: dict[str, Any] = study.stage(str(stage.of)).selection or {}
    finished = runs[runs["status"] == RunStatus.FINISHED]

    def by_seed(run_ids: Collection[str], configuration_id: str) -> dict[int, str]:
        is_own = finished["configuration_id"] == configuration_id
        own = finished[finished["run_id"].isin(list(run_ids)) & is_own & finished["seed"].notna()]
        return dict(zip(plain(own["seed"]), own["run_id"], strict=True))

    changed = by_seed(stage.run_ids, changed_id)
    unchanged = by_seed(stage.control_run_ids, source["configuration_id"])
    seeds = tuple(sorted(changed.keys() & unchanged.keys()))
    selected_ids = [run["run_id"] for run in source["chosen"]["runs"]]
    selected = finished["run_id"][finished["run_id"].isin(selected_ids)]
    others = [one for one in stage.changed if one != changed_id]
    is_unpaired = (runs["status"] == RunStatus.MISSING) | ~runs["seed"].isin(list(seeds))
    is_asked = runs["run_id"].isin([*stage.run_ids, *stage.control_run_ids])
    unpaired = runs[is_asked & is_unpaired & ~runs["configuration_id"].isin(others)]
    found = StudyEffect(
        stage.name, str(stage.of), dict(stage.changed[changed_id]), SPLIT, source["split"], seeds,
        unpaired=tuple(
            Uncounted(row["label"], row["status"], why)
            for row in plain_rows(unpaired)
            for why in ["" if row["status"] == RunStatus.FINISHED else reason_of(row)]
        ),
        changed=tuple(sweep.record(changed[one]) for one in seeds),
        unchanged=tuple(sweep.record(unchanged[one]) for one in seeds),
        selected=tuple(map(sweep.record, selected)),
    )  # fmt: skip
    if not seeds:
        return replace(found, unknown=UnknownEffect.NO_PAIR)
    if not found.selected:
        return replace(found, unknown=UnknownEffect.SELECTED_GONE)
    names = [*METRICS, *(f"f1.{label}" for label in range(found.changed[0].data.classes))]
    try:
        differences, selected_mean = _differences(
            found.unchanged, found.changed, names, study, sweep, beside=found.selected
        )
    except (DirectoryError, DataError) as error:
        return replace(found, unknown=UnknownEffect.UNREADABLE, detail=str(error))
    against_best: Difference | str | None = None
    if best:
        try:
            beside, _ = _differences(best, found.changed, ["accuracy"], study, sweep)
            against_best = beside["accuracy"]
        except (DirectoryError, DataError) as error:
            against_best = str(error)
    return replace(
        found,
        overall={metric: differences.pop(metric) for metric in METRICS},
        per_class=tuple(differences.values()),
        against_best=against_best,
        selected_mean=selected_mean,
    )


def _differences(
    first: Sequence[Record],
    second: Sequence[Record],
    metrics: Sequence[str],
    study: Study,
    sweep: Sweep,
    beside: Sequence[Record] = (),
) -> tuple[dict[str, Difference], float]:
    """Each metric's difference, second less first, and the mean of the first metric `beside`."""
    # All at once, so that they are of the same resampled images.
    records, n, both = [*first, *second, *beside], len(first), len(first) + len(second)
    data, own = records[0].data, {record.run_id for record in records[:both]}
    answers = read_predicted([sweep.run_paths(one.run_id).directory for one in records], SPLIT)
    tables = resample_predictions(
        answers.predicted, answers.true, metrics, np.random.default_rng(0),
        replicates=study.replicates, classes=data.classes,
    )  # fmt: skip
    found = {}
    for name, table in tables.items():
        # The study's other runs show how seeds vary too.
        others = seed_variances(sweep.frame, f"{SPLIT}.{name}", data.sha256, own)
        found[name] = difference(
            table.rows(range(n)), table.rows(range(n, both)),
            level=study.level, margin=sweep.margin, others=others,
        )  # fmt: skip
    selected = tables[metrics[0]].observed[both:]
    return found, float(selected.mean()) if len(selected) else math.nan
