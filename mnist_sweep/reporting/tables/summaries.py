"""Tables of runs or configurations: which rows, which intervals, and what must be said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.analysis.where import parse
from mnist_sweep.errors import UsageError
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.numbers import PLUS_MINUS
from mnist_sweep.reporting.tables.repeats import ConfigurationRow, has_repeats, summed_up
from mnist_sweep.reporting.tables.rows import RunRow, column_values, filtered, is_result
from mnist_sweep.reporting.tables.table import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN_UNKNOWN = 3
MOST_WITH_INTERVALS = 500
"""Configurations whose intervals are computed unasked: each has the predictions of its runs read
and resampled, and these with five runs each take about half a minute."""


def rows_to_compare(rows: Sequence[RunRow], where: Sequence[str], *, runs: bool) -> list[RunRow]:
    """The rows for which all conditions hold; those on results hold or not of the means.

    Leaving out single repeats by their results would make the mean of the others a wrong one.
    """
    on_settings = [text for text in where if not is_result(parse([text])[0].key)]
    on_results = [text for text in where if text not in on_settings]
    matching = filtered(rows, on_settings)
    if not runs and has_repeats(matching):
        matching = list(summed_up(matching))
    return filtered(matching, on_results) if on_results else matching


def refuse_of_runs(keys: Sequence[str], rows: Sequence[RunRow]) -> None:
    """Refuse columns and orders by what a row of several runs has no one value of.

    Raises:
        UsageError: One of `keys` belongs to a single run.
    """
    wanted = list(filter(None, (key.strip() for key in keys)))
    if not wanted:
        return  # the names of very many rows are not looked through for nothing
    of_runs = {name for row in rows if isinstance(row, ConfigurationRow) for name in _names(row)}
    for key in wanted:
        if key in of_runs:
            raise UsageError(
                f"Rows are configurations here, and {key} belongs to a single run: add --runs for "
                "one row per run."
            )


def _names(row: ConfigurationRow) -> set[str]:
    """Names that the configuration's runs have and it has not."""
    return {name for run in row.runs for name in run.values} - row.values.keys()


def rows_with_intervals(
    rows: Sequence[RunRow], columns: Sequence[Column], level: float
) -> list[RunRow]:
    """The rows; those of configurations with intervals of the columns that can have them."""
    if not any(isinstance(row, ConfigurationRow) for row in rows):
        return list(rows)
    # NumPy and SciPy are only imported where there are repeats.
    from mnist_sweep.reporting.tables.intervals import with_intervals

    names = [column.key for column in columns]
    return [
        with_intervals(row, names, level) if isinstance(row, ConfigurationRow) else row
        for row in rows
    ]


def note_on_too_many(rows: Sequence[RunRow]) -> list[str]:
    """Why the rows have no intervals, and how to get them; nothing where they have."""
    count = sum(isinstance(row, ConfigurationRow) for row in rows)
    if count <= MOST_WITH_INTERVALS:
        return []
    note = (
        f"No intervals: they take a look at the predictions of every run, and {count:,} "
        f"configurations are more than {MOST_WITH_INTERVALS}. The table command's --intervals "
        "computes them all the same, --where leaves fewer."
    )
    return [note]


def with_interval_columns(
    columns: Sequence[Column], rows: Sequence[RunRow], level: float
) -> list[Column]:
    """The columns, each followed by one for its intervals where any row has such."""
    known = {key for row in rows if isinstance(row, ConfigurationRow) for key in row.intervals}
    made = []
    for one in columns:
        made.append(one)
        if one.key in known:
            heading = f"{100 * level:g} % interval"
            made.append(
                Column(f"{one.key}.interval", heading, one.format, one.unit, interval_of=one.key)
            )
    return made


def notes_on_repeats(rows: Sequence[RunRow], level: float) -> list[str]:
    """What a mean, a spread and an interval are here, and where there are none."""
    summed = [row for row in rows if isinstance(row, ConfigurationRow)]
    if not summed:
        finished = [row for row in rows if row.status == "finished"]
        ids = column_values(finished, "configuration_id")
        single = len(ids) > 1 and len(set(ids)) == len(ids)
        return ["One run per configuration: another seed may change the order."] * single
    notes = [
        f"Mean {PLUS_MINUS} standard deviation over seeds; best and worst go by the mean.",
    ]
    if any(row.intervals and len(row.finished) > 1 for row in summed):
        notes.append(
            f"{100 * level:g} % intervals of the mean cover other images of the kind and other "
            "seeds."
        )
    if any(row.intervals and len(row.finished) == 1 for row in summed):
        notes.append(
            "Where there is one run, its interval covers other images alone; how another seed "
            "would have come out is not known."
        )
    unknown = [row for row in summed if row.unknown]
    notes += [
        f"No intervals for {visible(row.label)}: {visible(row.unknown)}"
        for row in unknown[:SHOWN_UNKNOWN]
    ]
    if len(unknown) > SHOWN_UNKNOWN:
        notes.append(f"No intervals for {len(unknown) - SHOWN_UNKNOWN} more configurations.")
    return notes
