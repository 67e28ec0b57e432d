"""`plan=true` of a study: the stages whose points depend on what is selected, in words."""

from __future__ import annotations

from mnist_sweep.metrics import resolve
from mnist_sweep.records.paths import without_seed
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.estimate import Estimator, past_records, wall_s
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.plan.preview import clock
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.study.stage_points import Points
from mnist_sweep.sweeping.study.stages import Choice, Stage

SHOWN = 5


def later_lines(
    outcome: SweepResult, points: Points, possible: dict[str, list[Point]], settings: Plain
) -> list[str]:
    """What each stage selects, and what those that start from a selection will run.

    Args:
        outcome: Of the plan of the stages that need no selection.
        points: The study's points.
        possible: Stage -> a point of every configuration it can come to run.
        settings: The study's settings, plain.
    """
    estimator = Estimator(past_records(outcome.directory.parent, describe()["cpu"]))
    lines = []
    for stage in points.stages:
        if stage.of is not None:
            lines.append(_follows(stage, points, possible, estimator, outcome.workers))
        if stage.select is not None:
            candidates = points.candidates(stage, possible)
            lines.append(f"Stage {stage.name} selects {words(stage.select)}: {_names(candidates)}.")
            most = (settings["max_repeats"] - len(points.seeds)) * len(candidates)
            if settings["decide"] and most > 0:
                lines.append(f"  To decide it, up to {most} further runs, of contenders only.")
    return lines


def words(choice: Choice) -> str:
    """'the worst by validation f1_min where layers=2, from stage grid'."""
    metric = resolve(choice.by, choice.split)
    where = f" where {' and '.join(choice.where)}" if choice.where else ""
    stages = "stage" if len(choice.among) == 1 else "stages"
    text = f"the {choice.direction} by {metric}{where}, from {stages} {', '.join(choice.among)}"
    return f"{text} (on the TEST split)" if metric.split == "test" else text


def _follows(
    stage: Stage,
    points: Points,
    possible: dict[str, list[Point]],
    estimator: Estimator,
    workers: int,
) -> str:
    source = next(other for other in points.stages if other.name == stage.of)
    base = points.candidates(source, possible)[0]
    seeds = points.seeds_of(stage)
    configurations = len(points.after(stage, base, seeds[:1]).plan.points)
    runs = configurations * len(seeds)
    longest = max(
        estimator.of(point, points.datasets[point.data_key]).seconds
        for point in possible[stage.name]
    )
    expected = wall_s([longest] * runs, min(workers, runs))
    changes = ", ".join(f"{key}={value}" for key, value in stage.params.items())
    return (
        f"Stage {stage.name} starts from what stage {stage.of} selects: {changes}, and unchanged "
        f"beside it, on fresh {_seeds(seeds)}: {runs} runs, at most about {clock(expected)}."
    )


def _seeds(seeds: list[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def _names(candidates: list[Point]) -> str:
    labels = [without_seed(candidate.label) for candidate in candidates]
    more = f"; and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    count = "one candidate" if len(labels) == 1 else f"{len(labels)} candidates"
    return f"{count}, {'; '.join(labels[:SHOWN])}{more}"
