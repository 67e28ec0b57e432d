"""A search from its space to its last run."""

from __future__ import annotations

import time
from statistics import fmean

from mnist_sweep.data import DatasetInfo, prepare
from mnist_sweep.errors import SettingsError
from mnist_sweep.metrics import resolve
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping.plan import directory
from mnist_sweep.sweeping.plan.environment import describe
from mnist_sweep.sweeping.plan.estimate import Estimator, past_records
from mnist_sweep.sweeping.plan.points import Plan, data_key, identify
from mnist_sweep.sweeping.plan.preview import clock
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.history import Known, known_runs, point_of
from mnist_sweep.sweeping.search.sampler import library, suggest
from mnist_sweep.sweeping.search.search import Search
from mnist_sweep.sweeping.search.search_config import Asked, read_asked
from mnist_sweep.sweeping.search.space import Space
from mnist_sweep.sweeping.study.study import Surroundings
from mnist_sweep.sweeping.sweep import Interrupted, Jobs, begin, check_models, place

SAMPLES = 30


def run(around: Surroundings) -> SweepResult:
    """Run a search, or only say what it would do (`plan=true`).

    Raises:
        MnistSweepError: Nothing was run: space, settings, data or directory are not right.
    """
    started = time.monotonic()
    library()
    space = Space(around.asked, around.master, around.loader)
    ends = space.check()
    asked = read_asked(around.master, space)
    info = prepare(ends[0][1]["data"])
    resolve(asked.metric.column, "validation", info.classes)  # f1.12 of ten classes
    points = [
        identify(settings, space.overrides(parameters), info) for parameters, settings in ends
    ]
    datasets = {data_key(ends[0][1]): info}
    check_models(Plan(points=points, datasets=datasets))
    path, made_up = place(around.master, single=False)
    known = [] if made_up else known_runs(path, space, info)
    plan = Plan(points=[one.point for one in known], datasets=datasets)
    if around.master.plan:
        return _preview(
            around, SweepResult(path, plan, planned_only=True), asked, space, known, info
        )
    outcome = begin(around.master, plan, around.asked, single=False)
    outcome.n_requested = asked.runs
    outcome.objective = (asked.metric.name, asked.direction)
    try:
        _carry_out(around, outcome, asked, space, known, info)
    except (KeyboardInterrupt, Interrupted):
        outcome.interrupted = True
    outcome.wall_s = time.monotonic() - started
    return outcome


def _carry_out(
    around: Surroundings,
    outcome: SweepResult,
    asked: Asked,
    space: Space,
    known: list[Known],
    info: DatasetInfo,
) -> None:
    prune = asked.prunes and around.launcher.reports_epochs
    if asked.prunes and not prune:
        outcome.notices.append(
            f"search.pruner={asked.settings.pruner} needs hydra/launcher=pool or ray: with this "
            "launcher every run goes to its end."
        )
    hydra = [str(text) for text in around.master.hydra.overrides.hydra]
    environment = describe()

    def note(plan: Plan) -> None:
        directory.note_points(outcome.directory, plan, around.asked, hydra, environment)

    jobs = Jobs(around.master, outcome.directory)
    search = Search(space, asked, info, outcome, jobs, known, note, prune=prune)
    try:
        _run_jobs(around, outcome, search, _expected_s(space, info, Estimator([])))
    finally:
        outcome.notices += search.notices()


def _run_jobs(
    around: Surroundings, outcome: SweepResult, search: Search, expected_s: float
) -> None:
    if not search.left:
        return
    launcher, progress = around.launcher, around.launcher.progress()
    outcome.workers = launcher.workers(search.left, search.threads)
    search.workers = outcome.workers
    progress.begin(search.left, outcome.workers, search.left * expected_s)
    try:
        launcher.launch_jobs([], outcome.workers, progress, search)
    finally:
        outcome.summaries = launcher.summaries
        progress.end()


def _preview(
    around: Surroundings,
    outcome: SweepResult,
    asked: Asked,
    space: Space,
    known: list[Known],
    info: DatasetInfo,
) -> SweepResult:
    """What a search would do, in words; nothing is made or run."""
    settings, pruner = asked.settings, ""
    if asked.prunes:
        pruner = f", poor runs stopped early ({settings.pruner})"
    what = f"{settings.direction} {asked.metric}: {asked.runs} runs"
    lines = [f"A search for the {what}, chosen by {settings.sampler}{pruner}."]
    width = max(len(key) for key in space.keys)
    lines += [f"  {d.axis.key:<{width}}  {d}" for d in space.dimensions]
    counts: dict[str, int] = {}
    for one in known:
        status = one.record.status if one.record else "begun"
        counts[status] = counts.get(status, 0) + 1
    done = sum(n for status, n in counts.items() if status not in ("begun", "failed"))
    told = ", ".join(f"{n} {status}" for status, n in counts.items())
    lines.append(f"{len(known)} runs of this space are here{f' ({told})' if told else ''}.")
    left = max(0, asked.runs - done)
    if left and around.launcher.reports_epochs:
        past = Estimator(past_records(outcome.directory.parent, describe()["cpu"]))
        one_s = _expected_s(space, info, past)
        threads = max(settings["threads"] for _, settings in space.check())
        workers = around.launcher.workers(left, threads)
        rest = ", less what pruning saves" if asked.prunes else ""
        lines.append(
            f"Expected: {clock(left * one_s / workers)} for {left} more runs, {workers} at a "
            f"time{rest}; {clock(one_s)} each, the mean of {SAMPLES} points drawn at random, "
            f"from {past.based_on} records of this machine."
        )
    outcome.plan_text = [*lines, "Nothing was run."]
    return outcome


def _expected_s(space: Space, info: DatasetInfo, estimator: Estimator) -> float:
    """Seconds of a usual run: the mean over points drawn at random."""
    at_random = SearchSettings(sampler="random")
    found = []
    for attempt in range(SAMPLES):
        parameters = suggest(space, [], at_random, maximize=True, attempt=attempt)
        try:
            found.append(estimator.of(point_of(space, parameters, info), info).seconds)
        except SettingsError:
            continue
    return fmean(found) if found else 0.0
