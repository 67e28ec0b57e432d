"""The one table at a sweep's end: the best configurations and the worst, a row each."""

from __future__ import annotations

from dataclasses import replace

from mnist_sweep.analysis.varying import SEED, TASK, shown_settings
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.phrases.names import changed_settings
from mnist_sweep.reporting.tables.render.text import narrowest
from mnist_sweep.reporting.tables.rows import REPEATS
from mnist_sweep.reporting.tables.table import Column, Rows, Table
from mnist_sweep.reporting.tables.tables import column, metric_column

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
    known = rows.frame[metric.column].dropna()
    ranked = known.sort_values(ascending=not metric.higher_is_better, kind="stable").index
    count = len(ranked)
    if not count:
        return None
    shown = [*range(count)]
    if count > most:
        shown = [*range(min(SHOWN_BEST, most - 1)), count - 1]
    content = rows.take([ranked[k] for k in shown])
    frame = content.frame.assign(**{RANK: [k + 1 for k in shown]})
    content = replace(content, intervals=(), frame=frame)
    settings = [*shown_settings(rows.frame), *changed_settings(rows.frame)]
    if rows.are_configurations:
        settings = [name for name in settings if name != SEED] + [REPEATS]
    fixed = [Column(RANK, "#"), *map(column, settings)]
    titles = {**({} if metric.column in _HEADINGS else {metric.column: str(metric)}), **_HEADINGS}
    keys = [key for key in titles if key in rows.frame]
    if TASK in rows.frame:  # which returns what it likes
        keys = [key for key in keys if rows.frame[key].notna().any()]
    columns = [*fixed, *(metric_column(key, titles[key]) for key in keys)]
    if width is not None:
        order = (RANK, metric.column, "test.accuracy", *(one.key for one in fixed), *_FIRST, *keys)
        columns = _fitting(columns, order, content, width)
    return Table("overview", "", tuple(columns), content)


def _fitting(columns: list[Column], order: tuple[str, ...], rows: Rows, width: int) -> list[Column]:
    """The columns that fit: settings give way to the metric that ranks and the test's."""
    by_key = {one.key: one for one in columns}
    kept, room = set(), width + 2
    for key in dict.fromkeys(order):
        if key in by_key:
            texts = rows.cells(by_key[key], {}).texts
            room -= max(len(by_key[key].title), narrowest(by_key[key], texts)) + 2
            if room < 0:
                break
            kept.add(key)
    return [one for one in columns if one.key in kept]
