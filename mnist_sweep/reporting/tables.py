"""The comparison tables: the one place that says which there are and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.errors import SelectionError
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.numbers import Format
from mnist_sweep.reporting.render import render
from mnist_sweep.reporting.repeats import REPEATS, ConfigurationRow
from mnist_sweep.reporting.rows import (
    SWEEP,
    RunRow,
    column_of,
    ordered,
    rows_of,
    varying,
)
from mnist_sweep.reporting.summaries import (
    notes_on_repeats,
    refuse_of_runs,
    rows_to_compare,
    rows_with_intervals,
    with_interval_columns,
)
from mnist_sweep.reporting.table import STATUS, Column, Table, make_table
from mnist_sweep.results.locks import locked
from mnist_sweep.results.paths import TABLE_FORMATS, SweepPaths
from mnist_sweep.results.store import clean_temporary, write_text
from mnist_sweep.results.sweep import Sweep, load

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
    rows = rows_with_intervals(rows, [column(key) for key in keys] or _usual(rows), level)
    said = {"notices": _notices(rows), "notes": [*notes_on_repeats(rows, level), *_notes(rows)]}
    data = _data(rows)
    if columns:
        own = with_interval_columns([column(key) for key in keys], rows, level)
        return [make_table("columns", f"Chosen columns of {data}", own, rows, **said)]
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
    return [
        make_table(name, title + means, [*settings, *own], rows, **said)
        for name, title, own in definitions
    ]


def _usual(rows: Sequence[RunRow]) -> list[Column]:
    return [*PERFORMANCE, *SCORES, *f1_columns(rows)]


def f1_columns(runs: Sequence[RunRow]) -> tuple[Column, ...]:
    """One column per class that any of the runs has."""
    classes = max((int(run.values.get("dataset.classes") or 0) for run in runs), default=0)
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


def write_tables(directory: str | os.PathLike[str]) -> list[Table]:
    """Write the comparison of a sweep's directory into its `tables/`, in every format.

    Returns:
        The tables.

    Raises:
        DirectoryError: The directory holds nothing to compare, or cannot be written.
    """
    paths = SweepPaths(directory)
    # One sweep of several in this directory at a time; what a killed one left is cleaned.
    with locked(paths.lock("tables")):
        clean_temporary(paths.tables)
        tables = comparison([load(directory)])
        for name in TABLE_FORMATS:
            write_text(paths.comparison(name), render(tables, name))
    return tables


def _data(runs: Sequence[RunRow]) -> str:
    """What the runs were evaluated on, for a title."""
    found: dict[str, None] = {}
    for run in runs:
        name = run.values.get("dataset.name")
        if name:
            stands_in = name == "digits" and run.values.get("dataset.notice")
            shown = "MNIST" if name == "mnist" else str(name)
            found["bundled digits (NOT MNIST)" if stands_in else shown] = None
    return " and ".join(found) or "unknown data (no run left a record)"


def _notices(runs: Sequence[RunRow]) -> list[str]:
    notices = dict.fromkeys(run.values.get("dataset.notice") for run in runs)
    return [visible(str(notice)) for notice in notices if notice]


def _notes(runs: Sequence[RunRow]) -> list[str]:
    """Where the numbers are from: one line per data set."""
    notes: dict[str, None] = {}
    for run in runs:
        values = run.values
        if values.get("dataset.name"):
            notes[
                f"{values['dataset.name']}: {values['dataset.n_train']:,} training, "
                f"{values['dataset.n_validation']:,} validation and "
                f"{values['dataset.n_test']:,} test examples; {values['dataset.source']}; "
                f"sha256 {values['dataset.sha256'][:12]}"
            ] = None
    return [visible(note) for note in notes]
