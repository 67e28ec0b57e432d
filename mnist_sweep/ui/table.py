"""One table of the runs of several sweeps: what the page shows of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from mnist_sweep.analysis.varying import SEED, SWEEP, TASK, shown_settings
from mnist_sweep.metrics import Metric, overall, resolve
from mnist_sweep.records.sweep import Sweep, all_runs, objective_of
from mnist_sweep.records.table import measured
from mnist_sweep.reporting.figures.plot import axis_title
from mnist_sweep.reporting.html.contents import row_columns
from mnist_sweep.reporting.tables.rows import REPEATS, ordered, rows_to_compare
from mnist_sweep.reporting.tables.table import Table, make_columns, marks_of
from mnist_sweep.reporting.tables.tables import PERFORMANCE, SCORES, column, metric_column

# Rows that a browser still sorts at once.
MAX_ROWS = 2000
_DATA = "dataset.name"


class Link(NamedTuple):
    """A text that leads to an address of the server."""

    text: str
    address: str


@dataclass(frozen=True, eq=False)
class Merged:
    """The table."""

    table: Table  # sweep, settings in which the rows differ, metrics; the best row first
    links: list[list[Link]]  # of each row, those to its runs' files
    values: Mapping[str, Any]  # what it is sorted and filtered by, see `row_columns`
    total: int
    by: Metric
    has_repeats: bool
    folded: list[str]  # keys of columns that are hidden until they are asked for


def merged(root: Path, sweeps: Mapping[str, Sweep], *, runs: bool) -> Merged | None:
    """The runs or configurations of some sweeps in one table; None where there are no runs."""
    if not sweeps:
        return None
    by = resolve(objective_of([*sweeps.values()]))
    names = {str(one.directory): name for name, one in sweeps.items()}
    loaded = all_runs(sweeps.values())
    if loaded.empty:
        return None
    # Directories of one name are different sweeps: the whole path below the root names them.
    loaded[SWEEP] = [names[str(Path(one).parents[1])] for one in loaded["directory"]]
    rows = rows_to_compare(loaded, (), runs=runs)
    has_repeats = rows.are_configurations
    if by.column in rows.frame:  # the best first, before the rows are cut
        rows = ordered(rows, (), f"{by.column},{'desc' if by.higher_is_better else 'asc'}")
    total, rows = len(rows), rows.take([*range(min(len(rows), MAX_ROWS))])
    settings = [key for key in shown_settings(rows.frame) if key != SWEEP]
    settings += [SEED] * (runs and SEED not in settings) + [REPEATS] * has_repeats
    known = measured(rows.frame)
    usual = (by.column, *reversed(PERFORMANCE), *SCORES, "parameters")
    keys = dict.fromkeys((*usual, *(one.column for one in overall(known))))
    metrics = []
    for key in filter(rows.frame.__contains__, keys):
        title = axis_title(resolve(key, measured=[key])).partition(" [")[0]
        one = metric_column(key, title)
        if key == by.column:
            one = replace(one, higher_is_better=by.higher_is_better)
        metrics.append(one)
    # The metric comes first: a phone has room for little else.
    first = [column(SWEEP), *(one for one in metrics if one.key == by.column)]
    others = [one for one in metrics if one.key != by.column]
    columns = make_columns([*first, *map(column, settings), *others], rows)
    # Values on different data are not better or worse than each other.
    several = _DATA in rows.frame and rows.frame[_DATA].nunique() > 1
    marked = {} if several else marks_of(metrics, rows)
    table = Table("merged", "", columns, rows, marked=marked)
    folded = [] if TASK in rows.frame else [key for key in keys if key not in usual]
    # To each run's files, named by its seed where there are several.
    members = rows.members or [[place] for place in range(len(rows))]
    source = rows.runs if rows.members else rows.frame
    seeds, places = source[SEED].tolist(), [*map(Path, source["directory"])]
    links = [
        [
            Link("files" if len(own) == 1 else str(seeds[k]), _address(root, places[k]))
            for k in own
            if places[k].is_dir()
        ]
        for own in members
    ]
    return Merged(table, links, row_columns([table], ()), total, by, has_repeats, folded)


def _address(root: Path, place: Path) -> str:
    path = place.relative_to(root).as_posix()
    return f"/files/{quote(os.fsencode(path))}/"  # of any bytes
