"""The comparison tables: the one place that says which there are and what stands in them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import Format
from mnist_sweep.records.locks import locked
from mnist_sweep.records.paths import TABLE_FORMATS, SweepPaths
from mnist_sweep.records.store import clean_temporary, write_text
from mnist_sweep.records.sweep import Sweep, load
from mnist_sweep.records.view import View
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.repeats import REPEATS, ConfigurationRow
from mnist_sweep.reporting.tables.rows import (
    SWEEP,
    RunRow,
    column_of,
    column_values,
    ordered,
    rows_of,
    varying,
)
from mnist_sweep.reporting.tables.shortening import ends_of, note_on_hidden
from mnist_sweep.reporting.tables.summaries import (
    note_on_too_many,
    notes_on_repeats,
    refuse_of_runs,
    rows_to_compare,
    rows_with_intervals,
    with_interval_columns,
)
from mnist_sweep.reporting.tables.table import STATUS, Column, Table, make_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

PERFORMANCE = (
    Column("time.train_s", "Training time", Format.SECONDS, "s", higher_is_better=False),
    Column("train.loss", "Training loss", Format.LOSS, higher_is_better=False),
    Column("train.accuracy", "Training accuracy", Format.PERCENT, "%", higher_is_better=True),
    Column("test.accuracy", "Testing accuracy", Format.PERCENT, "%", higher_is_better=True),
)
SCORES = (
    Column("test.f1", "F1", Format.SHARE, higher_is_better=True),
    Column("test.precision", "Precision", Format.SHARE, higher_is_better=True),
    Column("test.recall", "Recall", Format.SHARE, higher_is_better=True),
    Column("test.f1_min", "Lowest F1", Format.SHARE, higher_is_better=True),
)
_HEADINGS = {
    SWEEP: "Sweep", "layers": "Layers", "nodes": "Nodes", "seed": "Seed", "dropout": "Dropout",
    "dataset.name": "Data", "dataset.sha256": "Data's hash", "label": "Run", "run_id": "Run id",
    "parameters": "Parameters", "status": "Status", REPEATS: "Runs",
}  # fmt: skip


def comparison(
    sweeps: Sequence[Sweep],
    *,
    where: Sequence[str] = (),
    sort: str | None = None,
    columns: Sequence[str] = (),
    runs: bool = False,
    level: float = 0.95,
    most: int | None = None,
    intervals: bool = False,
) -> list[Table]:
    """The comparison tables of one or several directories.

    Where a configuration has repeats the rows are configurations, with mean, spread and interval;
    otherwise they are runs.

    Args:
        sweeps: What was loaded from them.
        where: Conditions on the rows, such as `layers=2`.
        sort: `KEY` or `KEY,desc`; None orders by the settings that are shown.
        columns: Names of `results.fields` or metrics: one table of exactly these instead of the
            usual three.
        runs: Every run has a row of its own, repeats too.
        level: Confidence level of the intervals.
        most: Of more rows than this, the first and the last are shown and a note says so; None
            shows all.
        intervals: Also of more than `MOST_WITH_INTERVALS` configurations, however long that takes.

    Raises:
        SelectionError: A condition is malformed, names nothing known, or matches no run.
        UsageError: `sort` or `columns` names nothing known.
    """
    rows = rows_to_compare(rows_of(sweeps), where, runs=runs)
    if not rows:
        conditions = " and ".join(where) or "no condition"
        raise SelectionError(f"Expected runs to compare ({conditions}), but none matches.")
    shown = varying(rows)
    refuse_of_runs([*columns, *(sort or "").split(",")[:1]], rows)
    rows = ordered(rows, sort, shown)
    keys = list(dict.fromkeys(column_of(key, rows, "--columns") for key in columns))
    data, everyone = _data(rows), rows
    # By all rows, not by those shown: one row looks the same in every format.
    too_many = [] if intervals else note_on_too_many(everyone)
    rows = ends_of(everyone, most)
    if not too_many:
        rows = rows_with_intervals(rows, [column(key) for key in keys] or _usual(everyone), level)
    notes = [
        *note_on_hidden(everyone, most), *notes_on_repeats(rows, level), *too_many,
        *_notes(everyone),
    ]  # fmt: skip
    view = View([row.values for row in rows])
    # What was stopped early took less time, which is no merit.
    among = View([row.values for row in everyone if row.status != "pruned"])
    made = partial(
        make_table, runs=rows, view=view, among=among, notices=_notices(everyone), notes=notes
    )
    if columns:
        own = with_interval_columns([column(key) for key in keys], rows, level)
        return [made("columns", f"Chosen columns of {data}", own)]
    settings = [column(key) for key in shown]
    means = ""
    if any(isinstance(row, ConfigurationRow) for row in rows):
        settings.append(column(REPEATS))
        means = ", means over runs"
    performance = with_interval_columns(PERFORMANCE, rows, level)
    scores = with_interval_columns(SCORES, rows, level)
    definitions = [
        ("performance", f"Time, loss and accuracy on {data}, training and test split", performance),
        ("scores", f"F1, precision and recall on {data}, test split, macro averages", scores),
        ("f1_by_class", f"F1 by digit on {data}, test split", f1_columns(rows)),
    ]
    return [made(name, title + means, [*settings, *own]) for name, title, own in definitions]


def _usual(rows: Sequence[RunRow]) -> list[Column]:
    return [*PERFORMANCE, *SCORES, *f1_columns(rows)]


def f1_columns(runs: Sequence[RunRow]) -> tuple[Column, ...]:
    """One column per class that any of the runs has."""
    classes = max((int(own or 0) for own in column_values(runs, "dataset.classes")), default=0)
    return tuple(
        Column(f"test.f1.{k}", str(k), Format.SHARE, higher_is_better=True) for k in range(classes)
    )


def column(key: str) -> Column:
    """The column of a name of `results.fields`, with the format that suits it."""
    for known in (*PERFORMANCE, *SCORES, STATUS):
        if known.key == key:
            return known
    split, _, metric = key.partition(".")
    if split == "time":
        return Column(key, key, Format.SECONDS, "s", higher_is_better=False)
    if split in ("train", "validation", "test"):
        if metric == "loss":
            return Column(key, key, Format.LOSS, higher_is_better=False)
        if metric == "accuracy":
            return Column(key, key, Format.PERCENT, "%", higher_is_better=True)
        return Column(key, key, Format.SHARE, higher_is_better=True)
    style = Format.COUNT if key in ("parameters", "epochs_trained") else Format.SETTING
    return Column(key, _HEADINGS.get(key, key), style)


def write_tables(directory: str | os.PathLike[str]) -> tuple[Sweep, list[Table]]:
    """Write the comparison of a sweep's directory into its `tables/`, in every format.

    Returns:
        What was loaded from the directory, and its tables; of no record none are written.

    Raises:
        DirectoryError: The directory holds nothing of ours, or cannot be written.
    """
    paths = SweepPaths(directory)
    # One sweep of several in this directory at a time; what a killed one left is cleaned. Loaded
    # inside, so that who comes last has seen everything.
    with locked(paths.lock("tables")):
        sweep = load(directory)
        if not sweep.records:
            return sweep, []
        clean_temporary(paths.tables)
        tables = comparison([sweep])
        for name in TABLE_FORMATS:
            write_text(paths.comparison(name), render(tables, name))
    return sweep, tables


def _data(runs: Sequence[RunRow]) -> str:
    """What the runs were evaluated on, for a title."""
    found: dict[str, None] = {}
    for name, notice in _distinct(runs, "dataset.name", "dataset.notice"):
        if name:
            stands_in = name == "digits" and notice
            shown = "MNIST" if name == "mnist" else str(name)
            found["bundled digits (NOT MNIST)" if stands_in else shown] = None
    return " and ".join(found) or "unknown data (no run left a record)"


def _notices(runs: Sequence[RunRow]) -> list[str]:
    notices = _distinct(runs, "dataset.notice")
    return [visible(str(notice)) for (notice,) in notices if notice]


def _notes(runs: Sequence[RunRow]) -> list[str]:
    """Where the numbers are from: one line per data set."""
    keys = ("name", "n_train", "n_validation", "n_test", "source", "sha256")
    notes = [
        f"{name}: {train:,} training, {validation:,} validation and {test:,} test examples; "
        f"{source}; sha256 {sha256[:12]}"
        for name, train, validation, test, source, sha256 in _distinct(
            runs, *(f"dataset.{key}" for key in keys)
        )
        if name
    ]
    return [visible(note) for note in dict.fromkeys(notes)]


def _distinct(runs: Sequence[RunRow], *names: str) -> list[tuple[Any, ...]]:
    """The combinations of some values that there are, in the order of their first row."""
    view = View([run.values for run in runs])
    columns = [view.values(name) for name in names]
    return list(dict.fromkeys(zip(*columns, strict=True)))
