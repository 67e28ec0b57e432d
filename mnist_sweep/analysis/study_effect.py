"""What the changes of a study's later stages did: paired by seed and image, on fresh seeds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_sweep.analysis.selection import reason_of
from mnist_sweep.analysis.statistics import Effect, effect_of_change
from mnist_sweep.errors import DataError, DirectoryError
from mnist_sweep.records.paths import run_directories
from mnist_sweep.records.predicted import read_predicted

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from mnist_sweep.records.record import Record
    from mnist_sweep.records.study_file import Stage, Study
    from mnist_sweep.records.sweep import Sweep

METRICS = ("accuracy", "f1_min")
"""Effects are stated for these, and for every class's F1."""


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
        unpaired: Runs that have no finished partner, and why, one text each.
        effects: Metric -> its effect, changed less unchanged; empty if not known.
        unknown: Why it is not known; empty if it is.
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
    unpaired: tuple[str, ...]
    effects: dict[str, Effect]
    unknown: str = ""
    changed: tuple[Record, ...] = field(default=(), repr=False)
    unchanged: tuple[Record, ...] = field(default=(), repr=False)
    selected: tuple[Record, ...] = field(default=(), repr=False)

    def to_json(self) -> dict[str, Any]:
        """The effect as plain values, runs by their ids."""
        plain = ("stage", "of", "change", "changed_id", "selected_id", "split", "selected_split")
        return {
            **{name: getattr(self, name) for name in plain},
            "seeds": list(self.seeds),
            "unpaired": list(self.unpaired),
            "unknown": self.unknown or None,
            "effects": {name: asdict(effect) for name, effect in self.effects.items()},
            **{
                f"{name}_run_ids": [record.run_id for record in getattr(self, name)]
                for name in ("changed", "unchanged", "selected")
            },
        }


@dataclass(frozen=True)
class _Settings:
    """How effects are measured."""

    split: str
    level: float
    replicates: int
    seed: int


def study_effects(
    study: Study, sweep: Sweep, *, replicates: int | None = None, seed: int = 0, split: str = "test"
) -> list[StudyEffect]:
    """The effect of every change that a study made to a selected configuration.

    Args:
        study: The study.
        sweep: What was loaded from its directory; predictions are read from there.
        replicates: Bootstrap samples of the images; None takes the study's.
        seed: Of the statistics' randomness.
        split: The split to measure on.

    Returns:
        One per changed configuration, in order of the stages; those of which nothing is known yet
        say why. A stage whose source has selected nothing yet has none.
    """
    settings = _Settings(split, study.level, replicates or study.replicates, seed)
    return [
        _effect(sweep, stage, changed_id, source, settings)
        for stage in study.stages
        if stage.of and (source := study.stage(stage.of).selection)
        for changed_id in stage.changed
    ]


def _effect(
    sweep: Sweep, stage: Stage, changed_id: str, source: dict[str, Any], settings: _Settings
) -> StudyEffect:
    selected_ids = {run["run_id"] for run in source["chosen"]["runs"]}
    changed = _by_seed(sweep, stage.run_ids, changed_id)
    unchanged = _by_seed(sweep, stage.control_run_ids, source["configuration_id"])
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
        unpaired=_unpaired(sweep, stage, changed_id, seeds),
        effects={},
        changed=tuple(changed[one] for one in seeds),
        unchanged=tuple(unchanged[one] for one in seeds),
        selected=_with_metrics(sweep, selected_ids),
    )
    if not seeds:
        reason = "There is no seed on which both the changed and the unchanged network finished."
        return replace(found, unknown=reason)
    if not found.selected:
        return replace(found, unknown="The runs that the selection was made by are gone.")
    try:
        return replace(found, effects=_measured(found, run_directories(sweep.directory), settings))
    except (DirectoryError, DataError) as error:
        return replace(found, unknown=str(error))


def _measured(
    found: StudyEffect, places: dict[str, Path], settings: _Settings
) -> dict[str, Effect]:
    """The effects, all sides' predictions being of the same images."""
    groups = (found.unchanged, found.changed, found.selected)
    records = [record for group in groups for record in group]
    answers = read_predicted([places[record.run_id] for record in records], settings.split)
    count = len(found.seeds)
    return {
        metric: effect_of_change(
            answers.predicted[:count],
            answers.predicted[count : 2 * count],
            answers.predicted[2 * count :],
            answers.true,
            metric,
            np.random.default_rng(settings.seed),
            level=settings.level,
            replicates=settings.replicates,
            classes=records[0].data.classes,
        )
        for metric in METRICS
    }


def _by_seed(sweep: Sweep, run_ids: Collection[str], configuration_id: str) -> dict[int, Record]:
    return {
        run.seed: run.record
        for run in sweep.runs
        if run.run_id in run_ids
        and run.configuration_id == configuration_id
        and run.status == "finished"
        and run.seed is not None
    }


def _with_metrics(sweep: Sweep, run_ids: Collection[str]) -> tuple[Record, ...]:
    found = (run.record for run in sweep.runs if run.run_id in run_ids)
    return tuple(record for record in found if record.metrics)


def _unpaired(
    sweep: Sweep, stage: Stage, changed_id: str, seeds: Collection[int]
) -> tuple[str, ...]:
    """Runs of the comparison that do not count in it, with the reason."""
    others = {one for one in stage.changed if one != changed_id}
    asked = {*stage.run_ids, *stage.control_run_ids}
    texts = []
    for run in sweep.runs:
        if run.run_id not in asked or run.configuration_id in others or run.seed in seeds:
            continue
        finished = run.status == "finished"
        why = "its partner did not finish" if finished else f"{run.status}: {reason_of(run)}"
        texts.append(f"{run.label} ({why})")
    texts += [f"{m.label} (missing: {m.reason})" for m in sweep.missing if m.run_id in asked]
    return tuple(texts)
