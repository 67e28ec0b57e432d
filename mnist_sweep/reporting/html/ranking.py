"""The ranked table at the top of the page: configurations from best to worst by the objective."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from mnist_sweep.analysis.configurations import Configuration, has_repeats, ranked
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import network_name
from mnist_sweep.reporting.phrases.values import amount, ends
from mnist_sweep.reporting.tables.intervals import with_intervals
from mnist_sweep.reporting.tables.table import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mnist_sweep.analysis.statistics import Interval

SHOWN = 10
"""Rows that are shown until all are asked for; only these have intervals."""
_OTHERS = ("test.accuracy", "test.f1_min", "time.train_s", "parameters")
_WITH_INTERVALS = 2
_LEVEL = 0.95


class Value(NamedTuple):
    """A metric of a configuration: its text, its interval in words or nothing, its number."""

    text: str
    interval: str
    number: float | None


@dataclass(frozen=True)
class Ranked:
    """A row: `place` among all configurations, links to its runs, a value per metric."""

    place: int
    name: str
    links: tuple[tuple[str, str], ...]
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Ranking:
    """The table: its metrics, and its rows from best to worst; those without a value come last."""

    metrics: tuple[Metric, ...]
    rows: tuple[Ranked, ...]
    has_repeats: bool

    @property
    def best(self) -> str:
        """The best value with its unit; a dash where there is none."""
        number = self.rows[0].values[0].number if self.rows else None
        return "—" if number is None else amount(self.metrics[0], number)


def ranking(shown: Sequence[Configuration], by: Metric, page: Path) -> Ranking:
    """The configurations by the objective.

    Args:
        shown: The configurations.
        by: The objective.
        page: The directory that the page lies in, for links to the runs' directories.
    """
    metrics = [one for one in dict.fromkeys((by, *map(resolve, _OTHERS)))
               if one is by or any(c.mean(one.column) is not None for c in shown)]  # fmt: skip
    order = ranked(shown, by)
    known = _intervals([shown[k] for k in order[:SHOWN]], metrics[:_WITH_INTERVALS])
    rows = []
    for position, place in enumerate(order):
        one = shown[place]
        own = known[position] if position < len(known) else {}
        values = tuple(_value(one.mean(metric.column), metric, own) for metric in metrics)
        # In full: a search's names differ in what a short one leaves out.
        name = network_name(one.settings, one.varying) or one.name
        rows.append(Ranked(place, name, tuple(_links(one, page)), values))
    return Ranking(tuple(metrics), tuple(rows), has_repeats(shown))


def _value(mean: float | None, metric: Metric, known: Mapping[str, Interval]) -> Value:
    interval = known.get(metric.column)
    shown = ends(metric.name, interval.low, interval.high).removesuffix(" %") if interval else ""
    return Value(written(mean, metric.format), shown, mean)


def _intervals(
    few: Sequence[Configuration], metrics: Sequence[Metric]
) -> Sequence[Mapping[str, Interval]]:
    """Of each configuration the intervals that the predictions of its runs give."""
    import pandas as pd

    if not few or "dataset.classes" not in few[0]:
        return ()
    runs = pd.concat([one.frame for one in few], ignore_index=True)
    members, start = [], 0
    for one in few:
        members.append([*range(start, start + len(one.frame))])
        start += len(one.frame)
    columns = [metric.column for metric in metrics]
    frame = pd.DataFrame({column: [one.mean(column) for one in few] for column in columns})
    frame["dataset.classes"] = [one.frame["dataset.classes"].iloc[0] for one in few]
    return with_intervals(Rows(frame, runs, tuple(members)), columns, _LEVEL).intervals


def _links(one: Configuration, page: Path) -> list[tuple[str, str]]:
    """Seed and address of each run's directory."""
    seeds = one.frame["seed"].astype(str) if "seed" in one else one.run_ids
    return [
        (str(seed), f"{quote(Path(os.path.relpath(directory, page)).as_posix())}/")
        for seed, directory in zip(seeds, one.directories, strict=True)
    ]
