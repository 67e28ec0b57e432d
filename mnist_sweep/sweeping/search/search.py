"""A search: points chosen one after another by the results of those before.

Its memory are the records of the sweep's directory: the same command with the same name goes on
where it was, and runs of the space that were there before count as the search's own.
"""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.metrics import Format, Metric, declared, resolve
from mnist_sweep.records.fields import value_of
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import SearchSettings, epochs_of, is_task, nested_problems
from mnist_sweep.sweeping.launch.job import Job, failed_at, is_up_to_date, record_of
from mnist_sweep.sweeping.plan.checks import raise_for
from mnist_sweep.sweeping.plan.directory import note_points
from mnist_sweep.sweeping.plan.overrides import check_size
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.sampler import PrunerAdapter, Trial, reason, suggest
from mnist_sweep.sweeping.search.space import Parameters, PastTrial, Space
from mnist_sweep.sweeping.sweep import Jobs

DEFAULT_RUNS = 20
MAX_ATTEMPTS = 200
"""Suggestions of points that were there already, one after another, until a space counts as used
up: of one with a single point left among 50, the chance to miss it is 2 %."""
MAX_MISFITS = 3
"""Reasons that are told."""


@dataclass(frozen=True)
class SearchPlan:
    """What a search is to do: its settings, and what follows from them."""

    settings: SearchSettings
    metric: Metric
    by: str  # the metric as it may be named again, with its direction where the registry lacks it
    maximize: bool  # more of the metric is looked for
    runs: int  # how many there are to be in the end
    figures: tuple[str, ...]  # of the history, by the first of which that there is it prunes
    maximize_figure: bool  # a run with more of the figure goes on

    def figure_of(self, figures: Mapping[str, Any]) -> Any:
        """What a run is judged by of the history or of one epoch of it; None if it has no such."""
        found = (figures.get(name) for name in self.figures)
        return next((one for one in found if one not in (None, [])), None)

    @property
    def prunes(self) -> bool:
        """Whether runs may be stopped early."""
        return self.settings.pruner != "none"


def read_search_plan(master: DictConfig, space: Space) -> SearchPlan:
    """The settings of a search, checked."""
    values: Any = OmegaConf.to_container(master.search, resolve=True)
    raise_for(nested_problems("search", values))
    settings = SearchSettings(**values)
    by, task = settings.by or str(master.objective), is_task(space.ends[0])
    by = declared(by) if task else by
    metric = resolve(by, "validation")
    if metric.split != "validation":
        key = "search.by" if settings.by else "objective"
        raise UsageError(
            f"{key}={by}: a search chooses by the validation split alone, so that the "
            "test split still says what the chosen network does on new images. Name a metric of "
            "it: search.by=accuracy, f1, f1_min or loss."
        )
    if settings.sampler != "grid" and "seed" in space.keys:
        raise UsageError(
            "seed: a search would choose the luckiest seed, not the best network. Search with one, "
            "then repeat the best networks with others; or search.sampler=grid, which takes all."
        )
    if settings.pruner == "hyperband" and {"epochs", "task.epochs"} & set(space.keys):
        raise UsageError("search.pruner=hyperband needs one number of epochs for all runs.")
    runs = settings.runs or DEFAULT_RUNS
    if settings.sampler == "grid":
        space.points()  # refuses intervals
        size = int(space.size)
        check_size(size, master.max_points)
        runs = min(settings.runs or size, size)
    # Of a network Keras gives only two figures after each epoch.
    figures: tuple[str, ...] = ("val_loss" if metric.name == "loss" else "val_accuracy",)
    higher = metric.name != "loss"
    if task:
        figures = (f"val_{metric.name}", f"validation.{metric.name}", metric.name)
        higher = metric.higher_is_better
    best = settings.direction == "best"
    return SearchPlan(
        settings,
        metric,
        by if task else metric.name,
        maximize=metric.higher_is_better == best,
        runs=runs,
        figures=figures,
        maximize_figure=higher == best,
    )


class Search:
    """A search while it is carried out; the launcher asks for its decisions."""

    def __init__(
        self,
        space: Space,
        asked: SearchPlan,
        info: DatasetInfo,
        outcome: SweepResult,
        jobs: Jobs,
        known: list[PastTrial],
        *,
        prune: bool,
    ) -> None:
        self._space, self._asked, self._info = space, asked, info
        self._outcome, self._jobs, self._prune = outcome, jobs, prune
        self._used_up = False
        self._misfits = Counter[str]()
        self._tried: dict[str, Trial] = {}
        self._first: deque[Point] = deque()
        self._judge: PrunerAdapter | None = None
        if asked.prunes:
            epochs = max(epochs_of(settings) or 1 for settings in space.ends)
            maximize = asked.maximize_figure
            self._judge = PrunerAdapter(asked.settings, maximize=maximize, epochs=epochs)
        self._grid: Iterator[Parameters] | None = None
        if asked.settings.sampler == "grid":
            points = list(space.points())
            if asked.prunes:
                # A grid begins with its smallest networks, by which all others would be judged.
                random.Random(asked.settings.seed).shuffle(points)  # noqa: S311  (no secret)
            self._grid = iter(points)
        self._failed_at = {one.point.run_id: failed_at(one.record) for one in known}
        for one in known:
            self._take_in(one)

    def _take_in(self, one: PastTrial) -> None:
        """Count a run of an earlier invocation, or have it run first."""
        run_id = one.point.run_id
        if not is_up_to_date(self._job(one.point), one.record):
            self._first.append(one.point)
            self._tried[run_id] = Trial(one.parameters)
            return
        self._outcome.skipped.append(run_id)
        self._tried[run_id] = self._result(one.parameters, one.record)
        if self._judge:
            epochs = epochs_of(one.point.settings) or math.inf
            self._judge.replay(run_id, self._tried[run_id], epochs)

    def notices(self) -> list[str]:
        """What the user should know of the search's choices."""
        found = []
        if self._used_up and len(self._tried) < self._asked.runs:
            rest = "" if self._grid else f", and no others were found in {MAX_ATTEMPTS} attempts"
            found.append(f"The space is used up: {len(self._tried)} runs{rest}.")
        return found + [
            f"{count} suggested points were left out: {text}"
            for text, count in itertools.islice(self._misfits.items(), MAX_MISFITS)
        ]

    @property
    def left(self) -> int:
        """How many runs are still to be started."""
        return max(0, self._asked.runs - len(self._tried)) + len(self._first)

    def next(self) -> Job | None:
        """The next run's job, or None where the search is at its end."""
        while point := self._first.popleft() if self._first else self._ask():
            job = self._job(point)
            if not is_up_to_date(job, record_of(job)):
                if self._judge:
                    self._judge.begin(point.run_id)
                return job
            # Another sweep in the same directory has done it meanwhile.
            self._outcome.skipped.append(point.run_id)
            self.ended(job)
        return None

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> str | None:
        """Why a run is to stop after this epoch, or None."""
        figure = self._asked.figure_of(figures)
        last = figure is None or epoch >= (epochs_of(job.settings) or math.inf)
        finite = all(math.isfinite(value) for value in figures.values())
        # What diverges says so in its own record, and at the last epoch nothing is saved.
        if not self._judge or last or not finite:
            return None
        if not self._judge.stops(job.run_id, epoch, figure):
            return None
        name = self._asked.figures[0].replace("val_", "validation ")
        accuracy = self._asked.metric.format is Format.PERCENT or name == "validation accuracy"
        words = f"{name} {figure:.2%}" if accuracy else f"{name} {figure:.4g}"
        return reason(self._asked.settings, words)

    def ended(self, job: Job) -> None:
        """Learn from a run that has ended."""
        found = self._result(self._tried[job.run_id].parameters, record_of(job))
        self._tried[job.run_id] = found
        if self._judge:
            self._judge.end(job.run_id, found)

    def _result(self, parameters: Parameters, record: Record | None) -> Trial:
        if record is None:
            return Trial(parameters, RunStatus.FAILED)
        finished = record.status == RunStatus.FINISHED
        figures = self._asked.figure_of(record.history.model_dump()) or ()
        value = value_of(record, self._asked.metric) if finished else None
        return Trial(parameters, record.status, value, tuple(figures))

    def _job(self, point: Point) -> Job:
        job = self._jobs.of(point, self._info, prune=self._prune)
        # Of two searches in one directory one tries a failed run again, not each after the other.
        job = replace(job, failed_at=self._failed_at.get(point.run_id))
        return job.with_environment(workers=self._outcome.workers)

    def _ask(self) -> Point | None:
        """A point that was not there before, or None where there are enough or no more."""
        if len(self._tried) >= self._asked.runs or self._used_up:
            return None
        tried, asked = list(self._tried.values()), self._asked
        suggested = (
            suggest(self._space, tried, asked.settings, maximize=asked.maximize, attempt=number)
            for number in range(MAX_ATTEMPTS)
        )
        for parameters in self._grid or suggested:
            try:
                point = self._space.point(parameters, self._info)
            except SettingsError as error:
                self._misfits[str(error)] += 1
                continue
            if point.run_id not in self._tried:
                self._tried[point.run_id] = Trial(parameters)
                # Noted before it runs: a search that is killed runs it first when it goes on.
                plan = self._outcome.plan
                plan.points.append(point)
                note_points(self._outcome.directory, self._outcome.invocation, plan)
                return point
        self._used_up = True
        return None
