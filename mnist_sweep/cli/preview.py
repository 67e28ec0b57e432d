"""`plan=true` in words: what a sweep, a study or a search would run."""

from __future__ import annotations

from mnist_sweep.errors import listed
from mnist_sweep.metrics import resolve
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.numbers import duration
from mnist_sweep.reporting.phrases.values import counted, metric_title
from mnist_sweep.sweeping.plan.estimate import Preview
from mnist_sweep.sweeping.search.sweeper import SAMPLES, SearchPreview
from mnist_sweep.sweeping.study.stage_points import StagePreview, StudyPreview
from mnist_sweep.sweeping.study.stages import SelectionRule

MAX_NAMES = 5
# Points that are listed unasked; of more the first and the last `SHOWN_ENDS`.
MAX_POINTS = 12
SHOWN_ENDS = 3


def preview_lines(preview: Preview, *, whole: bool = False) -> list[str]:
    """What would run, how long and how large; of a large sweep some points, unless `whole`."""
    if isinstance(preview, SearchPreview):
        lines = _search_lines(preview)
    else:
        lines = _sweep_lines(preview, whole=whole)
    if isinstance(preview, StudyPreview):
        lines += ["", *(line for stage in preview.stages for line in _stage_lines(stage))]
    return [*lines, *preview.plan.notes(), "Nothing was run."]


def _sweep_lines(preview: Preview, *, whole: bool) -> list[str]:
    points = []
    for run in preview.runs:
        state = "done" if run.is_done else "to run"
        figures = f"{duration(run.expected.seconds):>9}  {run.expected.memory_mb:>5.0f} MB"
        points.append(f"{run.point.run_id}  {state:<6}  {figures}  {run.point.label}")
    if not whole and len(points) > MAX_POINTS:
        hidden = len(points) - 2 * SHOWN_ENDS
        points[SHOWN_ENDS:-SHOWN_ENDS] = [f"… {hidden:,} more; --verbose lists all"]
    done = sum(run.is_done for run in preview.runs)
    left = len(preview.runs) - done
    lines = ["run id        state        time    memory  run", *points, ""]
    lines.append(f"{counted(len(preview.runs), 'point')}, {done:,} done, {left:,} to run.")
    if left:  # of what is done no time is expected
        lines.append(
            f"Expected: {duration(preview.wall_s)} with {counted(preview.workers, 'run')} at a "
            f"time, {preview.memory_mb:,.0f} MB of memory; {_basis(preview.n_records)}."
        )
    return lines


def _stage_lines(preview: StagePreview) -> list[str]:
    stage, lines = preview.stage, []
    if stage.of:
        changes = ", ".join(f"{key}={value}" for key, value in stage.params.items())
        first, *others = preview.seeds
        seeds = f"seeds {first} to {others[-1]}" if others else f"seed {first}"
        lines.append(
            f"Stage {stage.name} starts from the selection of stage {stage.of}, with {changes} "
            f"and unchanged, on new {seeds}: {counted(preview.n_runs, 'run')}, at most "
            f"about {duration(preview.wall_s)}."
        )
    if stage.select:
        names, count = preview.candidates, len(preview.candidates)
        candidates = "one candidate" if count == 1 else f"{count:,} candidates"
        lines.append(
            f"Stage {stage.name} selects {_selection(stage.select)}: {candidates}, "
            f"{listed(names, MAX_NAMES)}."
        )
        if preview.n_deciding:
            lines.append(
                f"  To decide this, up to {preview.n_deciding:,} further runs of the remaining "
                "candidates."
            )
    return lines


def _selection(choice: SelectionRule) -> str:
    """'the worst by validation lowest F1 where layers=2, from stage grid'."""
    metric = resolve(choice.by, choice.split)
    where = f" where {' and '.join(choice.where)}" if choice.where else ""
    stages = "stage" if len(choice.among) == 1 else "stages"
    among = f"{stages} {', '.join(choice.among)}"
    text = f"the {choice.direction} by {metric_title(metric)}{where}, from {among}"
    return f"{text} (on the TEST split)" if metric.split == "test" else text


def _search_lines(preview: SearchPreview) -> list[str]:
    asked = preview.asked
    pruner = f", poor runs stopped early ({asked.settings.pruner})" if asked.prunes else ""
    what = f"the {asked.settings.direction} {asked.metric}: {asked.runs:,} runs"
    lines = [f"A search for {what}, chosen by {asked.settings.sampler}{pruner}."]
    width = max(len(dimension.key) for dimension in preview.dimensions)
    lines += [f"  {d.key:<{width}}  {d}" for d in preview.dimensions]
    states = ", ".join(
        f"{count:,} {'started' if status is RunStatus.MISSING else status}"
        for status, count in preview.known.items()
        if count
    )
    known = sum(preview.known.values())
    lines.append(
        f"This directory has {known:,} runs of this space{f' ({states})' if states else ''}."
    )
    if preview.left and preview.workers:
        rest = ", less what pruning saves" if asked.prunes else ""
        lines.append(
            f"Expected: {duration(preview.left * preview.run_s / preview.workers)} for "
            f"{preview.left:,} more runs, {preview.workers} at a time{rest}; "
            f"{duration(preview.run_s)} each, the mean of {SAMPLES} points drawn at random, "
            f"{_basis(preview.n_records)}."
        )
    return lines


def _basis(records: int) -> str:
    if not records:
        return "a rough guess, since this machine has no records yet"
    return f"from {counted(records, 'record')} of this machine"
