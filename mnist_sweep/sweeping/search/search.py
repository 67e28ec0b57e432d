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
from dataclasses import replace

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import SettingsError
from mnist_sweep.metrics import Format
from mnist_sweep.records.fields import value_of
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import epochs_of
from mnist_sweep.sweeping.launch.job import Job, failed_at, is_up_to_date, record_of
from mnist_sweep.sweeping.plan.directory import note_points
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.sampler import PrunerAdapter, Trial, reason, suggest
from mnist_sweep.sweeping.search.search_plan import SearchPlan
from mnist_sweep.sweeping.search.space import Parameters, PastTrial, Space
from mnist_sweep.sweeping.sweep import Jobs

MAX_ATTEMPTS = 200
"""Suggestions of points that were there already, one after another, until a space counts as used
up: of one with a single point left among 50, the chance to miss it is 2 %."""
MAX_MISFITS = 3
"""Reasons that are told."""


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
        *,
        prune: bool,
    ) -> None:
        self._space, self._asked, self._info = space, asked, info
        self._outcome, self._jobs, self._prune = outcome, jobs, prune
        self.workers = 1
        self._used_up = False
        self._misfits = Counter[str]()
        self._tried: dict[str, Trial] = {}
        self._first: deque[Point] = deque()
        self._judge = PrunerAdapter(
            asked.settings,
            maximize=asked.maximize_figure,
            epochs=max(epochs_of(settings) or 1 for settings in space.ends),
        )
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
        if is_up_to_date(self._job(one.point), one.record):
            self._outcome.skipped.append(run_id)
            self._tried[run_id] = self._result(one.parameters, one.record)
            epochs = epochs_of(one.point.settings) or math.inf
            self._judge.replay(run_id, self._tried[run_id], epochs)
        else:
            self._first.append(one.point)
            self._tried[run_id] = Trial(one.parameters)

    def notices(self) -> list[str]:
        """What the user should know of the search's choices."""
        found = []
        if self._used_up and len(self._tried) < self._asked.runs:
            rest = f", and no others were found in {MAX_ATTEMPTS} attempts."
            rest = rest if self._grid is None else "."
            found.append(f"The space is used up: {len(self._tried)} runs{rest}")
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
                if self._prune:
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
        if last or not finite or not self._judge.stops(job.run_id, epoch, figure):
            return None
        name = self._asked.figures[0].replace("val_", "validation ")
        accuracy = self._asked.metric.format is Format.PERCENT or name == "validation accuracy"
        words = f"{name} {figure:.2%}" if accuracy else f"{name} {figure:.4g}"
        return reason(self._asked.settings, words)

    def ended(self, job: Job) -> None:
        """Learn from a run that has ended."""
        run_id = job.run_id
        self._judge.begin(run_id)
        self._tried[run_id] = self._result(self._tried[run_id].parameters, record_of(job))
        self._judge.end(run_id, self._tried[run_id])

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
        return job.with_environment(workers=self.workers)

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
