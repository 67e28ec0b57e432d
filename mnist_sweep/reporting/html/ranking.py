"""The ranked table at the top of the page: configurations from best to worst by the objective."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, has_repeats, ranked
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures.plot import known
from mnist_sweep.reporting.numbers import NOTHING, written
from mnist_sweep.reporting.phrases.names import network_name
from mnist_sweep.reporting.phrases.values import amount, ends
from mnist_sweep.reporting.tables.intervals import with_intervals
from mnist_sweep.reporting.tables.table import Rows
from mnist_sweep.settings import DEFAULT_LEVEL

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics import Interval

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
    """The table.

    Attributes:
        metrics: Its columns.
        rows: From best to worst; those without a value come last.
        columns: What it is sorted by, row by row: `#`, the place among all configurations, `name`,
            and each metric's column.
        has_repeats: Whether a row may be of several runs.
        best: The best value with its unit; a dash where there is none.
    """

    metrics: Sequence[Metric]
    rows: Sequence[Ranked]
    columns: Mapping[str, Sequence[Any]]
    has_repeats: bool
    best: str


def ranking(shown: Sequence[Configuration], by: Metric, page: Path) -> Ranking:
    """The configurations by the objective."""
    metrics = [*dict.fromkeys((by, *known(shown, map(resolve, _OTHERS))))]
    order = ranked(shown, by)
    rows = [shown[place] for place in order]
    # In full: a search's names differ in what a short one leaves out.
    names = [network_name(one.settings, one.varying) or one.name for one in rows]
    means = {metric.column: [one.mean(metric.column) for one in rows] for metric in metrics}
    few = [metric.column for metric in metrics[:_WITH_INTERVALS]]
    intervals = _intervals(rows, few)
    ranked_rows = [
        Ranked(
            place, names[k], _links(rows[k], page),
            [Value(written(means[m.column][k], m.format), _ends(m, intervals[k])) for m in metrics],
        )
        for k, place in enumerate(order)
    ]  # fmt: skip
    best = means[by.column][0] if rows else None
    return Ranking(
        metrics, ranked_rows, {"#": order, "name": names, **means}, has_repeats(shown),
        NOTHING if best is None else amount(by, best),
    )  # fmt: skip


def _ends(metric: Metric, known: Mapping[str, Interval]) -> str:
    found = known.get(metric.column)
    return ends(metric.name, found.low, found.high).removesuffix(" %") if found else ""


def _intervals(
    ranked: Sequence[Configuration], columns: Sequence[str]
) -> Sequence[Mapping[str, Interval]]:
    """Of the first configurations the intervals that the predictions of their runs give.

    All of them tell how much seeds matter.
    """
    import pandas as pd

    if not ranked or "dataset.classes" not in ranked[0]:
        return [{}] * len(ranked)
    runs = pd.concat([one.frame for one in ranked], ignore_index=True)
    ends_at = np.cumsum([len(one.frame) for one in ranked])
    members = [part.tolist() for part in np.split(np.arange(len(runs)), ends_at[:-1])]
    frame = pd.DataFrame({column: [one.mean(column) for one in ranked] for column in columns})
    rows = Rows(frame, runs, tuple(members))
    return with_intervals(rows, columns, DEFAULT_LEVEL, SHOWN).intervals


def _links(one: Configuration, page: Path) -> list[tuple[str, str]]:
    """Seed and address of each run's directory."""
    seeds = one.frame["seed"].astype(str) if "seed" in one else one.run_ids
    places = (Path(os.path.relpath(place, page)).as_posix() for place in one.directories)
    addresses = (f"{quote(os.fsencode(place))}/" for place in places)  # of any bytes
    return [(str(seed), address) for seed, address in zip(seeds, addresses, strict=True)]
