"""A search: points chosen one after another by the results of those before.

Its memory are the records of the sweep's directory: the same command with the same name goes on
where it was, and runs of the space that were there before count as the search's own.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import SettingsError
from mnist_sweep.metrics import Format
from mnist_sweep.settings import SearchSettings, epochs_of
from mnist_sweep.sweeping.launch.job import Job, failed_at, is_up_to_date, record_of
from mnist_sweep.sweeping.plan.points import Plan, Point
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.history import PastTrial, point_of, tried
from mnist_sweep.sweeping.search.sampler import PrunerAdapter, Trial, reason, suggest
from mnist_sweep.sweeping.search.search_plan import SearchPlan
from mnist_sweep.sweeping.search.space import Parameters, Space
from mnist_sweep.sweeping.sweep import Jobs

MAX_ATTEMPTS = 200
"""Suggestions of points that were there already, one after another, until a space counts as used
up: of one with a single point left among 50, the chance to miss it is 2 %."""


class Search:
    """A search while it is carried out; a `JobScheduler` for the launcher."""

    def __init__(
        self,
        space: Space,
        asked: SearchPlan,
        info: DatasetInfo,
        outcome: SweepResult,
        jobs: Jobs,
        known: list[PastTrial],
        note: Callable[[Plan], None],
        *,
        prune: bool,
    ) -> None:
        self._space, self._asked, self._info = space, asked, info
        self._outcome, self._jobs, self._note, self._prune = outcome, jobs, note, prune
        self.used_up = False
        self.workers = 1
        self.misfits: dict[str, int] = {}
        self._tried: dict[str, Trial] = {}
        self._first: deque[Point] = deque()
        self._judge = PrunerAdapter(
            asked.settings,
            maximize=asked.maximize_figure,
            epochs=max(epochs_of(settings) or 1 for _, settings in space.check()),
        )
        grid = asked.settings.sampler == "grid"
        self._grid = deque(_order(space, asked.settings) if grid else [])
        self._failed_at: dict[str, str | None] = {}
        for one in known:
            self._take_in(one)

    def _take_in(self, one: PastTrial) -> None:
        """Count a run of an earlier invocation, or have it run first."""
        run_id = one.point.run_id
        self._failed_at[run_id] = failed_at(one.record)
        if is_up_to_date(self._job(one.point), one.record):
            self._outcome.skipped.append(run_id)
            self._tried[run_id] = self._result(one.parameters, one.record)
            epochs = epochs_of(one.point.settings) or sys.maxsize
            self._judge.replay(run_id, self._tried[run_id], epochs)
        else:
            self._first.append(one.point)
            self._tried[run_id] = Trial(one.parameters)

    @property
    def threads(self) -> int:
        """The most threads that a run may have."""
        return max(int(settings["threads"]) for _, settings in self._space.check())

    def notices(self) -> list[str]:
        """What the user should know of the search's choices."""
        found = []
        if self.used_up and len(self._tried) < self._asked.runs:
            grid = self._asked.settings.sampler == "grid"
            rest = "." if grid else f", and no others were found in {MAX_ATTEMPTS} attempts."
            found.append(f"The space is used up: {len(self._tried)} runs{rest}")
        for text, count in list(self.misfits.items())[:3]:
            found.append(f"{count} suggested points were left out: {text}")
        return found

    @property
    def left(self) -> int:
        """How many runs are still to be started."""
        return max(0, self._asked.runs - len(self._tried)) + len(self._first)

    def next(self) -> Job | None:
        """The next run's job, or None where the search is at its end."""
        while True:
            point = self._first.popleft() if self._first else self._ask()
            if point is None:
                return None
            job = self._job(point)
            if not is_up_to_date(job, record_of(job)):
                if self._prune:
                    self._judge.begin(point.run_id)
                return job
            # Another sweep in the same directory has done it meanwhile.
            self._outcome.skipped.append(point.run_id)
            self._judge.begin(point.run_id)
            self._end(point.run_id, job)

    def epoch(self, job: Job, epoch: int, figures: Mapping[str, float]) -> str | None:
        """Why a run is to stop after this epoch, or None."""
        figure = self._asked.figure_of(figures)
        last = figure is None or epoch >= (epochs_of(job.settings) or sys.maxsize)
        finite = all(math.isfinite(value) for value in figures.values())
        # What diverges says so in its own record, and at the last epoch nothing is saved.
        if last or not finite or not self._judge.stops(job.run_id, epoch, figure):
            return None
        name = self._asked.figures[0].replace("val_", "validation ")
        accuracy = self._asked.metric.format is Format.PERCENT or name == "validation accuracy"
        words = f"{name} {figure:.2%}" if accuracy else f"{name} {figure:.4g}"
        return reason(self._asked.settings, words)

    def ended(self, job: Job) -> None:
        """Learn from a run that has ended."""
        self._judge.begin(job.run_id)
        self._end(job.run_id, job)

    def _end(self, run_id: str, job: Job) -> None:
        parameters = self._tried[run_id].parameters
        self._tried[run_id] = self._result(parameters, record_of(job))
        self._judge.end(run_id, self._tried[run_id])

    def _result(self, parameters: Parameters, record: Any) -> Trial:
        return tried(parameters, record, self._asked.metric, self._asked.figure_of)

    def _job(self, point: Point) -> Job:
        job = self._jobs.of(point, self._info, prune=self._prune).with_environment(
            workers=self.workers
        )
        # Of two searches in one directory one tries a failed run again, not each after the other.
        return replace(job, failed_at=self._failed_at.get(point.run_id))

    def _ask(self) -> Point | None:
        """A point that was not there before, or None where there are enough or no more."""
        if len(self._tried) >= self._asked.runs or self.used_up:
            return None
        # A grid has an end of its own, however many of its points are there already.
        grid = self._asked.settings.sampler == "grid"
        attempts: Iterable[int] = itertools.count() if grid else range(MAX_ATTEMPTS)
        for attempt in attempts:
            parameters = self._suggest(attempt)
            if parameters is None:
                break
            try:
                point = point_of(self._space, parameters, self._info)
            except SettingsError as error:
                self.misfits[str(error)] = self.misfits.get(str(error), 0) + 1
                continue
            if point.run_id not in self._tried:
                self._tried[point.run_id] = Trial(parameters)
                self._add(point)
                return point
        self.used_up = True
        return None

    def _suggest(self, attempt: int) -> Parameters | None:
        if self._asked.settings.sampler == "grid":
            return self._grid.popleft() if self._grid else None
        return suggest(
            self._space, list(self._tried.values()), self._asked.settings,
            maximize=self._asked.maximize, attempt=attempt,
        )  # fmt: skip

    def _add(self, point: Point) -> None:
        plan = self._outcome.plan
        plan.points.append(point)
        self._note(plan)


def _order(space: Space, settings: SearchSettings) -> list[Parameters]:
    """A grid's points, shuffled where runs are held against each other.

    A grid begins with its smallest networks, and the first runs of all meet the mildest judges.
    """
    points = list(space.points())
    if settings.pruner != "none":
        random.Random(settings.seed).shuffle(points)  # noqa: S311  (no secret)
    return points
