"""`hydra/sweeper=search`: a search from its space to its last run, or what it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from mnist_sweep.data import NO_DATA, DatasetInfo, prepare
from mnist_sweep.errors import SettingsError, UsageError
from mnist_sweep.metrics import resolve
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping import sweep
from mnist_sweep.sweeping.plan.estimate import Estimator, Preview, past_runs
from mnist_sweep.sweeping.plan.points import Plan, data_key, identify
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.sampler import library, suggest
from mnist_sweep.sweeping.search.search import Search, SearchPlan, read_search_plan
from mnist_sweep.sweeping.search.space import Dimension, PastTrial, Space, past_trials
from mnist_sweep.sweeping.sweep import Jobs, SweepRequest
from mnist_sweep.sweeping.sweeper import GridSweeper

SAMPLES = 30
"""Points drawn at random for the estimate of a run's time."""


@dataclass(frozen=True, kw_only=True)
class SearchPreview(Preview):
    """What a search would do."""

    asked: SearchPlan
    dimensions: Sequence[Dimension]
    known: Mapping[RunStatus, int]  # runs of the space that are there; MISSING: begun or planned
    left: int  # how many runs are to come
    run_s: float  # expected seconds of one of them


class SearchSweeper(GridSweeper):
    """Chooses the points of a space one after another."""

    def run(self, request: SweepRequest) -> SweepResult | Preview:
        """Run a search, or only say what it would do (`plan=true`)."""
        if request.single:
            raise UsageError("A search is a sweep: add -m to run it.")
        if request.config.study.stages:
            raise UsageError(
                "A study's stages are grids: leave hydra/sweeper=search away, or search first."
            )
        if self._points or request.config.points:
            raise UsageError(
                "points belongs to a grid; hydra.sweeper.params and the command line "
                "tell what a search may choose."
            )
        space = Space(request.overrides, request.config, request.loader)
        asked = read_search_plan(request.config, space)
        if asked.settings.sampler == "tpe" or asked.prunes:
            library()
        settings = space.ends[0]
        key = data_key(settings)
        info = prepare(settings["data"]) if key else NO_DATA  # the same for all points of a space
        resolve(asked.by, "validation", info.classes or None)  # f1.12 of ten classes
        plan = Plan([identify(one, [], info) for one in space.ends], {key: info})
        plan.remarks = sweep.check_models(plan)
        path, made_up = sweep.place(request)
        known = [] if made_up else past_trials(path, space, info)
        plan.points = [one.point for one in known]
        if request.config.plan:
            return _preview(request, plan, asked, space, known)
        return sweep.carry_out(request, plan, partial(_launch, asked, space, known))


def _launch(
    asked: SearchPlan,
    space: Space,
    known: list[PastTrial],
    request: SweepRequest,
    outcome: SweepResult,
) -> None:
    launcher, direction = request.launcher, asked.settings.direction
    outcome.n_requested = asked.runs
    outcome.objective = (asked.by, "worst" if direction == "worst" else "best")
    (info,) = outcome.plan.datasets.values()
    prune = asked.prunes and launcher.reports_epochs
    if asked.prunes and not prune:
        outcome.notices.append(
            f"search.pruner={asked.settings.pruner} needs hydra/launcher=pool or ray: with this "
            "launcher every run is completed."
        )
    search = Search(space, asked, info, outcome, Jobs(request, outcome), known, prune=prune)
    if not search.left:
        return
    outcome.workers = _workers(request, space, search.left)
    expected = search.left * expected_s(space, info, launcher.estimator(outcome.directory))
    try:
        sweep.run_jobs(request, outcome, [], search.left, expected, search)
    finally:
        outcome.notices += search.notices()


def _preview(
    request: SweepRequest,
    plan: Plan,
    asked: SearchPlan,
    space: Space,
    known: Sequence[PastTrial],
) -> SearchPreview:
    counts = Counter(
        RunStatus(one.record.status) if one.record else RunStatus.MISSING for one in known
    )
    # A failed run is tried again, and one that was begun is run first.
    done = counts.total() - counts[RunStatus.MISSING] - counts[RunStatus.FAILED]
    left = max(0, asked.runs - done)
    directory, _ = sweep.place(request)
    estimator, (info,) = past_runs(directory), plan.datasets.values()
    foreseen = left and request.launcher.reports_epochs
    return SearchPreview(
        directory=directory,
        plan=plan,
        asked=asked,
        dimensions=space.dimensions,
        known=counts,
        left=left,
        run_s=expected_s(space, info, estimator) if foreseen else 0.0,
        workers=_workers(request, space, left) if foreseen else 0,
        n_records=estimator.based_on,
    )


def _workers(request: SweepRequest, space: Space, n_runs: int) -> int:
    return request.launcher.workers(n_runs, max(one["threads"] for one in space.ends))


def expected_s(space: Space, info: DatasetInfo, estimator: Estimator) -> float:
    """Seconds of a usual run: the mean over points drawn at random."""
    at_random = SearchSettings(sampler="random")
    found = []
    for attempt in range(SAMPLES):
        parameters = suggest(space, [], at_random, maximize=True, attempt=attempt)
        with suppress(SettingsError):
            found.append(estimator.of(space.point(parameters, info), info).seconds)
    return fmean(found) if found else 0.0
