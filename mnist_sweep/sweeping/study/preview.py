"""`plan=true` of a study: its stages whose points depend on what earlier ones select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_sweep.records.paths import without_seed
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.estimate import past_runs, wall_s
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.plan.preview import SweepPreview
from mnist_sweep.sweeping.study.stage_points import Points
from mnist_sweep.sweeping.study.stages import Stage


@dataclass(frozen=True)
class StagePreview:
    """What is known of a stage before anything runs.

    Attributes:
        stage: The stage.
        candidates: Labels, without seed, of the configurations that may be selected.
        n_deciding: The most further runs that deciding the selection may take.
        seeds: Fresh ones of a stage that starts from what another selects; else none.
        n_runs: With the unchanged configuration.
        wall_s: Seconds they take at most.
    """

    stage: Stage
    candidates: Sequence[str]
    n_deciding: int
    seeds: Sequence[int] = ()
    n_runs: int = 0
    wall_s: float = 0.0


@dataclass(frozen=True)
class StudyPreview(SweepPreview):
    """What a study would run: the points that are known, and its stages."""

    stages: Sequence[StagePreview]


def study_preview(
    known: SweepPreview, points: Points, possible: dict[str, list[Point]], settings: Plain
) -> StudyPreview:
    """What each stage selects, and what those that start from a selection will run."""
    estimator = past_runs(known.directory)

    def of(stage: Stage) -> StagePreview:
        candidates = points.candidates(stage, possible)
        names = [without_seed(candidate.label) for candidate in candidates]
        more = (settings["max_repeats"] - len(points.seeds)) * len(candidates)
        n_deciding = max(0, more) if settings["decide"] else 0
        if stage.of is None:
            return StagePreview(stage, names, n_deciding)
        base = points.candidates(points.named(stage.of), possible)[0]
        runs = len(points.after(stage, base).plan.points)
        longest = max(
            estimator.of(point, points.datasets[point.data_key]).seconds
            for point in possible[stage.name]
        )
        expected = wall_s([longest] * runs, min(known.workers, runs))
        return StagePreview(stage, names, n_deciding, points.seeds_of(stage), runs, expected)

    return StudyPreview(**vars(known), stages=[of(stage) for stage in points.stages])
