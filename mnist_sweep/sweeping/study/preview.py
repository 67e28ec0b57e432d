"""`plan=true` of a study: its stages whose points depend on what earlier ones select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_sweep.records.paths import without_seed
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.estimate import Estimator, wall_s
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.plan.preview import SweepPreview, past_runs
from mnist_sweep.sweeping.study.stage_points import Points
from mnist_sweep.sweeping.study.stages import SelectionRule, Stage


@dataclass(frozen=True)
class FollowingRuns:
    """What a stage that starts from another's selection will run.

    Attributes:
        of: The other stage.
        params: What it changes: key -> value as on the command line.
        seeds: Fresh ones.
        n_runs: With the unchanged configuration.
        wall_s: Seconds they take at most.
    """

    of: str
    params: Mapping[str, str]
    seeds: Sequence[int]
    n_runs: int
    wall_s: float


@dataclass(frozen=True)
class StagePreview:
    """What is known of a stage before anything runs.

    Attributes:
        name: The stage's.
        following: What it runs if it starts from another; None where its runs are known.
        select: What it selects, if anything.
        candidates: Labels, without seed, of the configurations that may be selected.
        n_deciding: The most further runs that deciding the selection may take.
    """

    name: str
    following: FollowingRuns | None
    select: SelectionRule | None
    candidates: tuple[str, ...] = ()
    n_deciding: int = 0


@dataclass(frozen=True)
class StudyPreview(SweepPreview):
    """What a study would run: the points that are known, and its stages."""

    stages: tuple[StagePreview, ...]


def study_preview(
    known: SweepPreview, points: Points, possible: dict[str, list[Point]], settings: Plain
) -> StudyPreview:
    """What each stage selects, and what those that start from a selection will run."""
    estimator = past_runs(known.directory)
    stages = []
    for stage in points.stages:
        following = None
        if stage.of is not None:
            following = _following(stage, points, possible, estimator, known.workers)
        candidates = points.candidates(stage, possible)
        more = (settings["max_repeats"] - len(points.seeds)) * len(candidates)
        stages.append(
            StagePreview(
                stage.name,
                following,
                stage.select,
                tuple(without_seed(candidate.label) for candidate in candidates),
                max(0, more) if settings["decide"] else 0,
            )
        )
    return StudyPreview(**vars(known), stages=tuple(stages))


def _following(
    stage: Stage,
    points: Points,
    possible: dict[str, list[Point]],
    estimator: Estimator,
    workers: int,
) -> FollowingRuns:
    source = next(other for other in points.stages if other.name == stage.of)
    base = points.candidates(source, possible)[0]
    seeds = points.seeds_of(stage)
    runs = len(points.after(stage, base, seeds[:1]).plan.points) * len(seeds)
    longest = max(
        estimator.of(point, points.datasets[point.data_key]).seconds
        for point in possible[stage.name]
    )
    expected = wall_s([longest] * runs, min(workers, runs))
    return FollowingRuns(source.name, stage.params, seeds, runs, expected)
