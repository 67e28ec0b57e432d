"""The ranked table at the top of the page: configurations from best to worst by the objective."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, has_repeats, ranked
from mnist_sweep.analysis.statistics import Interval
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures.plot import known
from mnist_sweep.reporting.numbers import NOTHING, written
from mnist_sweep.reporting.phrases.names import network_name
from mnist_sweep.reporting.phrases.values import amount, ends
from mnist_sweep.reporting.tables.intervals import with_intervals
from mnist_sweep.reporting.tables.table import Rows
from mnist_sweep.settings import DEFAULT_LEVEL

# Rows that are shown until all are asked for; only these have intervals.
SHOWN = 10
_OTHERS = ("test.accuracy", "test.f1_min", "time.train_s", "parameters")
_WITH_INTERVALS = 2


class Value(NamedTuple):
    """A metric of a configuration: its text, and its interval in words or nothing."""

    text: str
    interval: str


class Ranked(NamedTuple):
    """A row: a configuration's place among all, its name, links to its runs, a value per metric."""

    place: int
    name: str
    links: Sequence[tuple[str, str]]
    values: Sequence[Value]


@dataclass(frozen=True)
class Ranking:
    """The configurations from best to worst; those without a value come last."""

    metrics: Sequence[Metric]
    rows: Sequence[Ranked]
    # What it is sorted by, row by row: `#` (the place), `name`, and each metric's column.
    columns: Mapping[str, Sequence[Any]]
    has_repeats: bool
    best: str  # the best value with its unit; a dash where there is none


def ranking(shown: Sequence[Configuration], by: Metric, page: Path) -> Ranking:
    """The configurations by the objective, with links from the directory `page`."""
    metrics = [*dict.fromkeys((by, *known(shown, map(resolve, _OTHERS))))]
    order = ranked(shown, by)
    rows = [shown[place] for place in order]
    # In full: a search's names differ in what a short one leaves out.
    names = [network_name(one.settings, one.varying) or one.name for one in rows]
    means = {metric.column: [one.mean(metric.column) for one in rows] for metric in metrics}
    intervals = _intervals(rows, [metric.column for metric in metrics[:_WITH_INTERVALS]])

    def value(k: int, metric: Metric) -> Value:
        found = intervals[k].get(metric.column)
        span = ends(metric.name, found.low, found.high).removesuffix(" %") if found else ""
        return Value(written(means[metric.column][k], metric.format), span)

    made = [
        Ranked(place, names[k], _links(rows[k], page), [value(k, metric) for metric in metrics])
        for k, place in enumerate(order)
    ]
    best = means[by.column][0] if rows else None
    shown_best = NOTHING if best is None else amount(by, best)
    columns: dict[str, Sequence[Any]] = {"#": order, "name": names, **means}
    return Ranking(metrics, made, columns, has_repeats(shown), shown_best)


def _intervals(
    rows: Sequence[Configuration], columns: Sequence[str]
) -> Sequence[Mapping[str, Interval]]:
    """Of the first configurations."""
    import pandas as pd

    if not rows or "dataset.classes" not in rows[0]:
        return [{}] * len(rows)
    # Of all of them, since all tell how much seeds matter.
    runs = pd.concat([one.frame for one in rows], ignore_index=True)
    ends_at = np.cumsum([len(one.frame) for one in rows])
    members = [part.tolist() for part in np.split(np.arange(len(runs)), ends_at[:-1])]
    frame = pd.DataFrame({column: [one.mean(column) for one in rows] for column in columns})
    found = with_intervals(Rows(frame, runs, tuple(members)), columns, DEFAULT_LEVEL, SHOWN)
    return found.intervals


def _links(one: Configuration, page: Path) -> list[tuple[str, str]]:
    """Seed and address of each run's directory."""
    seeds = one.frame["seed"].astype(str) if "seed" in one else one.run_ids
    places = (Path(os.path.relpath(place, page)).as_posix() for place in one.directories)
    addresses = (f"{quote(os.fsencode(place))}/" for place in places)  # of any bytes
    return [(str(seed), address) for seed, address in zip(seeds, addresses, strict=True)]
