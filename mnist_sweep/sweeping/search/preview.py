"""`plan=true` of a search: what it would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import SettingsError
from mnist_sweep.records.status import RunStatus
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping.plan.estimate import Estimator
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.plan.preview import Preview, past_runs
from mnist_sweep.sweeping.search.history import PastTrial, point_of
from mnist_sweep.sweeping.search.sampler import suggest
from mnist_sweep.sweeping.search.search_plan import SearchPlan
from mnist_sweep.sweeping.search.space import Dimension, Space
from mnist_sweep.sweeping.sweep import SweepRequest

SAMPLES = 30
"""Points drawn at random for the estimate of a run's time."""


@dataclass(frozen=True)
class SearchPreview(Preview):
    """What a search would do.

    Attributes:
        asked: What it is to do.
        dimensions: What it may choose.
        known: Status -> number of runs of the space that are there; MISSING: begun or planned.
        left: How many runs are to come.
        run_s: Expected seconds of one of them.
        workers: The number of runs at a time; None where the launcher decides.
        n_records: The past runs of this machine that the estimate rests on.
    """

    asked: SearchPlan
    dimensions: Sequence[Dimension]
    known: Mapping[RunStatus, int]
    left: int
    run_s: float
    workers: int | None
    n_records: int


def search_preview(
    request: SweepRequest,
    directory: Path,
    plan: Plan,
    asked: SearchPlan,
    space: Space,
    known: Sequence[PastTrial],
    info: DatasetInfo,
) -> SearchPreview:
    """What a search would do; nothing is made or run."""
    counts = Counter(
        RunStatus(one.record.status) if one.record else RunStatus.MISSING for one in known
    )
    done = counts.total() - counts[RunStatus.MISSING] - counts[RunStatus.FAILED]
    left = max(0, asked.runs - done)
    workers, estimator, run_s = None, past_runs(directory), 0.0
    if left and request.launcher.reports_epochs:
        threads = max(settings["threads"] for _, settings in space.check())
        workers = request.launcher.workers(left, threads)
        run_s = expected_s(space, info, estimator)
    return SearchPreview(
        directory, plan, asked, space.dimensions, counts, left, run_s, workers, estimator.based_on
    )


def expected_s(space: Space, info: DatasetInfo, estimator: Estimator) -> float:
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
