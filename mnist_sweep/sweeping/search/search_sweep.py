"""A search from its space to its last run."""

from __future__ import annotations

import time

from mnist_sweep.data import DatasetInfo, prepare
from mnist_sweep.metrics import resolve
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.estimate import Estimator
from mnist_sweep.sweeping.plan.points import Plan, data_key, identify
from mnist_sweep.sweeping.plan.preview import Preview
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.history import PastTrial, past_trials
from mnist_sweep.sweeping.search.preview import expected_s, search_preview
from mnist_sweep.sweeping.search.sampler import library
from mnist_sweep.sweeping.search.search import Search
from mnist_sweep.sweeping.search.search_plan import SearchPlan, read_search_plan
from mnist_sweep.sweeping.search.space import Space
from mnist_sweep.sweeping.sweep import Jobs, SweepRequest, begin, check_models, place


def run(request: SweepRequest) -> SweepResult | Preview:
    """Run a search, or only say what it would do (`plan=true`).

    Raises:
        MnistSweepError: Nothing was run: space, settings, data or directory are not right.
    """
    started = time.monotonic()
    space = Space(request.overrides, request.config, request.loader)
    ends = space.check()
    asked = read_search_plan(request.config, space)
    if asked.settings.sampler == "tpe" or asked.prunes:
        library()
    info = prepare(ends[0][1]["data"])
    resolve(asked.metric.column, "validation", info.classes)  # f1.12 of ten classes
    points = [
        identify(settings, space.overrides(parameters), info) for parameters, settings in ends
    ]
    datasets = {data_key(ends[0][1]): info}
    check_models(Plan(points=points, datasets=datasets))
    path, made_up = place(request)
    known = [] if made_up else past_trials(path, space, info)
    plan = Plan(points=[one.point for one in known], datasets=datasets)
    if request.config.plan:
        return search_preview(request, path, plan, asked, space, known, info)
    outcome = begin(request, plan)
    outcome.n_requested = asked.runs
    outcome.objective = (asked.metric.name, asked.direction)
    try:
        _carry_out(request, outcome, asked, space, known, info)
    except KeyboardInterrupt:
        outcome.interrupted = True
    outcome.wall_s = time.monotonic() - started
    return outcome


def _carry_out(
    request: SweepRequest,
    outcome: SweepResult,
    asked: SearchPlan,
    space: Space,
    known: list[PastTrial],
    info: DatasetInfo,
) -> None:
    prune = asked.prunes and request.launcher.reports_epochs
    if asked.prunes and not prune:
        outcome.notices.append(
            f"search.pruner={asked.settings.pruner} needs hydra/launcher=pool or ray: with this "
            "launcher every run goes to its end."
        )

    def note(plan: Plan) -> None:
        directory.note_points(outcome.directory, outcome.invocation, plan)

    jobs = Jobs(request.config, outcome)
    search = Search(space, asked, info, outcome, jobs, known, note, prune=prune)
    try:
        _run_jobs(request, outcome, search, expected_s(space, info, Estimator([])))
    finally:
        outcome.notices += search.notices()


def _run_jobs(
    request: SweepRequest, outcome: SweepResult, search: Search, expected_s: float
) -> None:
    if not search.left:
        return
    launcher, progress = request.launcher, request.launcher.progress()
    outcome.workers = launcher.workers(search.left, search.threads)
    search.workers = outcome.workers
    progress.begin(search.left, outcome.workers, search.left * expected_s)
    try:
        launcher.launch_jobs([], outcome.workers, progress, search)
    finally:
        outcome.summaries = launcher.summaries
        progress.end()
