"""The comparison tables: the one place that says which there are and what stands in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mnist_sweep.analysis.varying import SWEEP, TASK, shown_settings
from mnist_sweep.analysis.where import parse, unmet
from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import overall, resolve
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import TABLE_FORMATS, SweepPaths
from mnist_sweep.records.status import MAX_MISSING, RunStatus
from mnist_sweep.records.store import check_no_link, clean_temporary, write_text
from mnist_sweep.records.sweep import Sweep, all_runs, load
from mnist_sweep.records.table import measured, plain
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.phrases import tables as phrases
from mnist_sweep.reporting.phrases.names import changed_settings, setting_title
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.rows import (
    NUMBERED,
    REPEATS,
    Classes,
    classes_of,
    column_of,
    ordered,
    rows_to_compare,
)
from mnist_sweep.reporting.tables.table import STATUS, Column, Rows, Table, make_columns, marks_of
from mnist_sweep.settings import DEFAULT_LEVEL

# Rows of a table on a terminal: a few screens; of more the first and the last are shown.
MAX_ROWS, SHOWN_ENDS = 200, 20
# Configurations whose intervals are computed unasked: each has the predictions of its runs read
# and resampled, and these with five runs each take about half a minute.
MAX_WITH_INTERVALS = 500
# The table with a column for each class.
BY_CLASS = "f1_by_class"

PERFORMANCE = ("time.train_s", "train.loss", "train.accuracy", "test.accuracy")
SCORES = ("test.f1", "test.precision", "test.recall", "test.f1_min")
_SPLIT_WORDS = {"train": "Training", "validation": "Validation", "test": "Testing"}
_HEADINGS = {
    SWEEP: "Sweep", TASK: "Task", "dataset.name": "Data",
    "dataset.sha256": "Data's hash", "label": "Run", "run_id": "Run id", REPEATS: "Runs",
}  # fmt: skip


def comparison(
    sweeps: Sequence[Sweep],
    *,
    where: Sequence[str] = (),
    sort: str | None = None,
    columns: Sequence[str] = (),
    runs: bool = False,
    level: float = DEFAULT_LEVEL,
    most: int | None = None,
    most_missing: int | None = None,
    intervals: bool = False,
) -> list[Table]:
    """The comparison tables of one or several directories; with `columns` one table of these.

    Where a configuration has repeats, and not `runs`, the rows are configurations, with mean,
    standard deviation and interval. Of more than `most` rows the first and the last are shown, of
    more than `most_missing` missing runs the first; a note says so. With `intervals` each class and
    more than `MAX_WITH_INTERVALS` configurations have such too, however long that takes.
    """
    loaded = all_runs(sweeps)
    rows = rows_to_compare(loaded, where, runs=runs)
    if not len(rows):
        conditions, there = " and ".join(where) or "no condition", unmet(parse(where), loaded)
        raise SelectionError(
            f"Expected runs to compare ({conditions}), but none matches{there and ': '}{there}."
        )
    varying = [*shown_settings(rows.frame), *changed_settings(rows.frame)]
    everyone, left_out = _few_missing(ordered(rows, varying, sort), most_missing)
    settings, classes = [column(key) for key in varying], classes_of(rows.runs)
    if columns:
        settings = []
        keys = dict.fromkeys(column_of(key, rows, "--columns") for key in columns)
        chosen = {"columns": [column(key, classes) for key in keys]}
    else:
        settings += [column(REPEATS)] if rows.are_configurations else []
        chosen = _default_columns(rows, classes)
    shown, count = everyone, len(everyone)
    if most is not None and count > most:
        shown = everyone.take([k for k in range(count) if not SHOWN_ENDS <= k < count - SHOWN_ENDS])
    is_resampled = rows.are_configurations and (intervals or len(rows) <= MAX_WITH_INTERVALS)
    if is_resampled:
        from mnist_sweep.reporting.tables.intervals import with_intervals  # SciPy, for repeats only

        # Those of every class are many; `intervals` and a choice of columns have them.
        wanted = [own for name, own in chosen.items() if intervals or name != BY_CLASS]
        results = [one.key for own in wanted for one in own]
        only = sweeps[0] if len(sweeps) == 1 else None
        shown = with_intervals(shown, results, level, sweep=only)
    titles = phrases.table_titles(
        _distinct(rows, "dataset.name", "dataset.notice"),
        are_means=rows.are_configurations and not columns,
        tasks=[name for (name,) in _distinct(rows, TASK) if name],
        word=classes.word,
    )
    notices = tuple(visible(one) for (one,) in _distinct(rows, "dataset.notice") if one)
    notes = _notes(everyone, shown, level)
    if rows.are_configurations and not is_resampled:
        notes.append(phrases.no_intervals_note(len(rows), MAX_WITH_INTERVALS))
    if left_out is not None:
        directories = [str(sweep.directory) for sweep in sweeps]
        what = "configurations without a run" if rows.are_configurations else "missing runs"
        notes.insert(0, phrases.not_shown(len(left_out), what, directories))
    # What the sweep says of its objective's direction, no name says better.
    objectives = (resolve(one.objective) for one in sweeps if ":" in one.objective)
    directions = {one.column: one.higher_is_better for one in objectives}
    known = {key for own in shown.intervals for key in own}
    made = []
    for name, named in chosen.items():
        own, beside = [], []
        for one in named:
            better = directions.get(one.key, one.higher_is_better)
            own.append(replace(one, higher_is_better=better))
            beside.append(own[-1])
            if one.key in known:
                heading = f"{100 * level:g} % interval"
                key = f"{one.key}.interval"
                beside.append(Column(key, heading, one.format, interval_of=one.key))
        every = make_columns([*settings, *beside], shown)
        # Marked among all rows, not those shown: a row looks the same in every format.
        marked = marks_of(own, everyone)
        made.append(
            Table(name, titles[name], every, shown, notices, tuple(notes), marked, left_out)
        )
    return made


def _default_columns(rows: Rows, classes: Classes) -> dict[str, list[Column]]:
    """The columns of the usual three tables; of tasks, those of what they returned."""
    names: tuple[str, ...] = PERFORMANCE
    known = set(rows.frame)
    if TASK in rows.frame:
        tasks = rows.frame[TASK].notna()
        returned = measured(rows.frame[tasks])
        added = [one.column for one in overall(returned)]
        names = (*names, *(key for key in added if key not in (*PERFORMANCE, *SCORES)))
        if tasks.all():
            known = {*returned, "time.train_s"}
    by_class = [key for key in map(str, rows.frame) if key.startswith("test.f1.") and key in known]
    chosen = {
        "performance": [metric_column(key) for key in names if key in known],
        "scores": [
            metric_column(key, resolve(key).definition.title) for key in SCORES if key in known
        ],
        BY_CLASS: [metric_column(key, classes.name(key.rpartition(".")[2])) for key in by_class],
    }
    return {name: own for name, own in chosen.items() if own or name == "performance"}


def column(key: str, classes: Classes = NUMBERED) -> Column:
    """A column of the runs table, as its metric says; a setting is written as it was set."""
    if key == STATUS.key:
        return STATUS
    with suppress(SelectionError):  # no metric
        if resolve(key, measured=[key]).column == key:
            return metric_column(key, classes=classes)
    return Column(key, _HEADINGS.get(key) or setting_title(key))


def metric_column(key: str, heading: str = "", classes: Classes = NUMBERED) -> Column:
    """A column of a metric, under a heading of its own or the metric's title with its split."""
    metric = resolve(key, measured=[key])
    if not heading:
        heading = metric.definition.title
        if metric.split:
            # The title of a task's own metric is the name that the task gave it.
            known = heading != metric.name
            heading = heading.lower().replace("f1", "F1") if known else heading
            heading = f"{_SPLIT_WORDS[metric.split]} {heading}"
        if metric.class_index is not None:
            heading = f"{heading} of {classes.name(metric.class_index)}"
    return Column(metric.column, heading, metric.format, metric.higher_is_better)


def write_tables(directory: str | os.PathLike[str]) -> tuple[Sweep, list[Table]]:
    """Write the comparison of a sweep's directory into its `tables/`, in every format.

    Raises:
        DirectoryError: The directory holds nothing of ours, or cannot be written.
    """
    paths = SweepPaths(directory)
    # One sweep of several in this directory at a time; what a killed one left is cleaned. Loaded
    # inside, so that who comes last has seen everything.
    with locked(paths.lock("tables")):
        sweep = load(directory)
        if not len(sweep.frame):
            return sweep, []
        check_no_link(paths.tables)
        clean_temporary(paths.tables)
        tables = comparison([sweep], most_missing=MAX_MISSING)
        for name in TABLE_FORMATS:
            write_text(paths.comparison(name), render(tables, name))
    return sweep, tables


def _few_missing(rows: Rows, most: int | None) -> tuple[Rows, Rows | None]:
    """The rows without those of missing runs after the first `most`, and these, if any."""
    is_missing = (rows.frame["status"] == RunStatus.MISSING).to_numpy()
    is_left_out = is_missing & (is_missing.cumsum() > (len(rows) if most is None else most))
    if not is_left_out.any():
        return rows, None
    kept, others = (part.nonzero()[0].tolist() for part in (~is_left_out, is_left_out))
    return rows.take(kept), rows.take(others)


def _notes(everyone: Rows, shown: Rows, level: float) -> list[str]:
    notes = []
    statuses = everyone.frame["status"]
    if len(shown) < len(everyone):
        hidden = statuses.iloc[SHOWN_ENDS:-SHOWN_ENDS].tolist()
        notes.append(phrases.hidden_note(SHOWN_ENDS, hidden, len(everyone)))
    if everyone.are_configurations:
        counts = [n for n, own in zip(shown.frame[REPEATS], shown.intervals, strict=False) if own]
        unknown = [*filter(all, zip(shown.frame["label"], shown.unknown, strict=False))]
        notes += phrases.repeats_notes(counts, unknown, level)
    else:
        ids = everyone.frame.loc[statuses == RunStatus.FINISHED, "configuration_id"]
        if len(ids) > 1 and ids.is_unique:
            notes.append(phrases.ONE_RUN_EACH)
    keys = ("name", "n_train", "n_validation", "n_test", "source", "sha256")
    data = _distinct(everyone, *(f"dataset.{key}" for key in keys))
    return [*notes, *dict.fromkeys(phrases.data_note(*one) for one in data if one[0])]


def _distinct(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
    """The combinations of some values that there are, in the order of their first row."""
    found = rows.frame.reindex(columns=[*names]).drop_duplicates()
    return list(zip(*(plain(found[name]) for name in names), strict=True))
