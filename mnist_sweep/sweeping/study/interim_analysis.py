"""Rounds of further seeds for the configurations that still contend for a selection.

`analysis.statistics.decide` makes the decision. It replays every analysis from the first, so an
interrupted study repeats the same rounds and finds their runs done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnist_sweep.analysis.selection import select
from mnist_sweep.analysis.statistics import Decision, decide, resample_predictions
from mnist_sweep.records.predictions import read_predicted
from mnist_sweep.records.sweep import load
from mnist_sweep.settings import Plain
from mnist_sweep.sweeping.plan.points import Point
from mnist_sweep.sweeping.study.stages import SelectionRule


@dataclass(frozen=True)
class InterimAnalysis:
    """One analysis of the results so far."""

    decision: Decision  # where the selection stands; configurations are numbers
    candidates: tuple[str, ...]  # configuration ids by those numbers
    spent: int  # runs of the candidates so far, those without a result too
    repeats: int  # the most runs that any candidate has

    @property
    def wanted(self) -> list[str]:
        """Configuration ids that should be run once more."""
        return [self.candidates[number] for number in self.decision.next_runs]

    @property
    def contenders(self) -> list[str]:
        """Configuration ids that still contend, the one in front first."""
        return [self.candidates[number] for number in self.decision.contenders]

    def to_json(self, *, stopped: str, wall_s: float) -> Plain:
        """The decision as plain values, with why it `stopped` although it is open, if it is."""
        names, plain = self.candidates, asdict(self.decision)
        # Had every candidate been given as many runs as the one that got the most:
        equal = self.repeats * len(names)
        return plain | {
            "state": "spent" if stopped and plain["state"] == "undecided" else plain["state"],
            "selected": names[self.decision.selected],
            "contenders": self.contenders,
            "eliminated": {names[key]: at for key, at in self.decision.eliminated.items()},
            "next_runs": self.wanted,
            "runs": self.spent,
            "equal_runs": equal,
            "saved_runs": max(0, equal - self.spent),
            "stopped": stopped,
            "wall_s": wall_s,
        }


def analyze(
    directory: Path, choice: SelectionRule, points: Sequence[Point], study: Mapping[str, Any]
) -> InterimAnalysis:
    """Say where a selection stands by the runs of these points; `study` are its settings."""
    runs = load(directory).frame
    runs = runs[runs["run_id"].isin([point.run_id for point in points])]
    found = select(runs, choice.where, choice.by, choice.direction, split=choice.split)
    # Numbered in the order they were asked for, so that the answer depends on no directory listing.
    order = list(dict.fromkeys(point.configuration_id for point in points))
    candidates = sorted(found.candidates, key=lambda c: order.index(c.configuration_id))
    directories = [place for candidate in candidates for place in candidate.directories]
    answers = read_predicted(directories, str(found.metric.split))
    table = resample_predictions(
        answers.predicted,
        answers.true,
        [found.metric.name],
        np.random.default_rng(0),
        replicates=study["replicates"],
        classes=int(runs["dataset.classes"].max()),
    )[found.metric.name]
    counts = [len(candidate.values) for candidate in candidates]
    decision = decide(
        table,
        np.split(np.arange(sum(counts)), np.cumsum(counts)[:-1]),
        choice.direction,
        **{key: study[key] for key in ("max_repeats", "min_repeats", "level")},
    )
    ids = tuple(candidate.configuration_id for candidate in candidates)
    spent = sum(point.configuration_id in ids for point in points)
    return InterimAnalysis(decision, ids, spent, max(counts))
