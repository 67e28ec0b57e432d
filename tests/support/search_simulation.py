"""Searches without training: runs whose curves are a formula, and records of real shape of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mnist_sweep.data import DatasetInfo
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.store import write_record
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.plan.estimate import Estimator
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult
from mnist_sweep.sweeping.search.search import Search, read_search_plan
from mnist_sweep.sweeping.search.space import PastTrial, Space, past_trials
from mnist_sweep.sweeping.sweep import Jobs
from support.factories import DATA_SHA256, make_run
from support.sweep_parts import info_of


def curve(settings: dict[str, Any]) -> list[float]:
    """Validation accuracy by epoch; best near learning_rate=0.002, dropout=0.1, large networks."""
    rate = (math.log10(settings["learning_rate"]) + 2.7) ** 2
    size = 0.02 * settings["layers"] + 0.0001 * settings["nodes"]
    end = 0.9 - 0.1 * rate - 0.3 * (settings["dropout"] - 0.1) ** 2 + size
    return [end - 0.4 * 0.6**epoch for epoch in range(1, settings["epochs"] + 1)]


@cache
def usual_run() -> dict[str, Any]:
    """A finished record, to be changed."""
    return make_run().values


_SPACES: dict[tuple[Any, ...], Space] = {}


def space_of(words: list[str], loaded: Any) -> Space:
    """The space of some words, composed by Hydra once."""
    key = (id(loaded), *words)
    if key not in _SPACES:
        _SPACES[key] = Space(words, loaded.master, loaded.loader)
    return _SPACES[key]


@dataclass
class Searched:
    """A search over simulated runs; what it asked for, in order, and the epochs it spent."""

    directory: Path
    words: list[str]
    loaded: Any
    fails: Callable[[dict[str, Any]], bool] = lambda _settings: False
    order: list[str] = field(default_factory=list)
    epochs: int = 0
    search: Search | None = None
    outcome: SweepResult | None = None

    def start(self) -> Search:
        """Set the search up, from what the directory holds."""
        info: DatasetInfo = info_of(sha256=DATA_SHA256)
        master = self.loaded.master
        space = space_of(self.words, self.loaded)
        asked = read_search_plan(master, space)
        known = past_trials(self.directory, space, info)
        plan = Plan(points=[one.point for one in known], datasets={"data": info})
        self.outcome = SweepResult(self.directory, plan)
        launcher = SimpleNamespace(estimator=lambda _: Estimator())
        request: Any = SimpleNamespace(config=master, launcher=launcher)
        self.search = Search(
            space, asked, info, self.outcome, Jobs(request, self.outcome), known,
            prune=asked.prunes,
        )  # fmt: skip
        return self.search

    def go(self, at_most: int = 1000, workers: int = 1) -> Searched:
        """Carry runs out, `workers` at a time an epoch each in turn, until no more are asked for.

        After `at_most` runs that ended it stops as one that is killed, the running ones unrecorded.
        """
        search = self.search or self.start()
        running: dict[str, tuple[Job, int]] = {}
        ended = 0
        while True:
            while len(running) < workers and (job := search.next()):
                self.order.append(job.label)
                running[job.run_id] = (job, 0)
            if not running:
                return self
            for run_id, (job, epoch) in list(running.items()):
                if ended == at_most:
                    return self
                if self._epoch(search, job, epoch + 1):
                    running[run_id] = (job, epoch + 1)
                else:
                    del running[run_id]
                    ended += 1

    def _epoch(self, search: Search, job: Job, epoch: int) -> bool:
        """Whether the run goes on."""
        settings, self.epochs = job.settings, self.epochs + 1
        values = curve(settings)
        figures = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1 - values[epoch - 1]}
        reason = None
        if job.prune:
            reason = search.epoch(job, epoch, {**figures, "val_accuracy": values[epoch - 1]})
        if self.fails(settings):
            self._record(job, "failed", 0, "on purpose")
        elif reason:
            self._record(job, "pruned", epoch, reason)
        elif epoch == settings["epochs"]:
            self._record(job, "finished", epoch, "")
        else:
            return True
        search.ended(job)
        return False

    def _record(self, job: Job, status: str, epoch: int, reason: str) -> None:
        settings = job.settings
        kind = {"failed": "Error", "pruned": "Pruned"}.get(status)
        finished = status == "finished"
        usual = usual_run()
        accuracy = min(0.999, curve(settings)[-1])
        validation = {**usual["metrics"]["validation"], "accuracy": accuracy}
        record = {
            **usual,
            "run_id": job.run_id,
            "configuration_id": job.point.configuration_id,
            "label": job.label,
            "status": status,
            "config": settings,
            "metrics": {**usual["metrics"], "validation": validation} if finished else None,
            "error": {"type": kind, "message": reason} if kind else None,
        }
        values = curve(settings)[:epoch]
        record["history"] = {
            "loss": [1.0] * epoch, "accuracy": [0.5] * epoch,
            "val_loss": [1 - v for v in values], "val_accuracy": values,
        }  # fmt: skip
        number = len(list(SweepPaths(self.directory).runs.glob("*/record.json")))
        started = f"2026-01-01T00:{number:02}:00+00:00"
        record["environment"] = {**usual["environment"], "started_at": started}
        write_record(job.paths.record, record)

    def statuses(self) -> list[str]:
        return [one.record.status if one.record else "begun" for one in self._known()]

    @property
    def best(self) -> float:
        """The best final figure of the formula among the runs that ended."""
        return float(np.max([curve(k.point.settings)[-1] for k in self._known()
                             if k.record and k.record.status == "finished"]))  # fmt: skip

    @property
    def worst(self) -> float:
        """The worst of them."""
        return float(np.min([curve(k.point.settings)[-1] for k in self._known()
                             if k.record and k.record.status == "finished"]))  # fmt: skip

    def _known(self) -> list[PastTrial]:
        space = space_of(self.words, self.loaded)
        return past_trials(self.directory, space, info_of(sha256=DATA_SHA256))
