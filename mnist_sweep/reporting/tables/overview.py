"""The one table at a sweep's end: the best configurations and the worst, a row each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mnist_sweep.analysis.varying import SEED, TASK, shown_settings
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.phrases.names import changed_settings
from mnist_sweep.reporting.tables.render.text import narrowest
from mnist_sweep.reporting.tables.rows import REPEATS
from mnist_sweep.reporting.tables.table import Column, Table
from mnist_sweep.reporting.tables.tables import column, metric_column

if TYPE_CHECKING:
    from mnist_sweep.reporting.tables.table import Rows

# Configurations that are shown of more than there is room for, with the worst.
SHOWN_BEST = 5
RANK = "rank"
# What is shown, in this order; units follow.
_HEADINGS = {
    "validation.accuracy": "Val", "test.accuracy": "Test", "test.f1": "Test F1",
    "test.precision": "Test precision", "test.recall": "Test recall",
    "test.f1_min": "Lowest test F1",
    "train.loss": "Train loss", "train.accuracy": "Train", "time.train_s": "Time",
}  # fmt: skip
# What stays where there is little room, after the metric that ranks.
_FIRST = ("test.accuracy", "test.f1_min", "time.train_s", "test.f1")


def overview(rows: Rows, metric: Metric, width: int | None, most: int) -> Table | None:
    """The configurations by a metric, best first; None where none has a value."""
    if metric.column not in rows.frame:
        return None
    ranked = rows.frame[metric.column].dropna().sort_values(
        ascending=not metric.higher_is_better, kind="stable"
    )  # fmt: skip
    places = [rows.frame.index.get_loc(label) for label in ranked.index]
    count = len(places)
    if not count:
        return None
    shown = [*range(min(SHOWN_BEST, most - 1)), count - 1]
    if count <= most:
        shown = [*range(count)]
    content = rows.take([places[k] for k in shown])
    content = replace(
        content, intervals=(), frame=content.frame.assign(**{RANK: [k + 1 for k in shown]})
    )
    settings = [*shown_settings(rows.frame), *changed_settings(rows.frame)]
    if rows.are_configurations:
        settings = [name for name in settings if name != SEED] + [REPEATS]
    fixed = [Column(RANK, "#"), *map(column, settings)]
    titles = {**({} if metric.column in _HEADINGS else {metric.column: str(metric)}), **_HEADINGS}
    known = [key for key in titles if key in rows.frame]
    if TASK in rows.frame:  # which returns what it likes
        known = [key for key in known if rows.frame[key].notna().any()]
    metrics = {key: metric_column(key, titles[key]) for key in known}
    chosen = _fitting(fixed, metrics, metric.column, content, width)
    return Table("overview", "", tuple(chosen), content)


def _fitting(
    fixed: list[Column], metrics: dict[str, Column], first: str, rows: Rows, width: int | None
) -> list[Column]:
    """The columns that fit, in order: settings give way to the metric that ranks and the test's."""
    if width is None:
        return [*fixed, *metrics.values()]
    needed = {one.key: _width(one, rows) + 2 for one in (*fixed, *metrics.values())}
    kept: set[str] = set()
    room = width + 2
    settings = (one.key for one in fixed)
    for key in dict.fromkeys((RANK, first, "test.accuracy", *settings, *_FIRST, *metrics)):
        if key in needed:
            if needed[key] > room:
                break
            kept.add(key)
            room -= needed[key]
    return [one for one in (*fixed, *metrics.values()) if one.key in kept]


def _width(one: Column, rows: Rows) -> int:
    (cells,) = Table("", "", (one,), rows).cells
    return max(len(one.title), narrowest(one, [cell.text for cell in cells]))
