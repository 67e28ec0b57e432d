"""Tables as CSV for spreadsheets and scripts: one sheet, one line per row, raw numbers.

The tables' columns stand side by side under their names in `results.fields`, which say the split;
every line also says which run it is, on which data, and how it ended.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.columns import all_names
from mnist_sweep.records.view import View
from mnist_sweep.reporting.escape import csv_text, visible
from mnist_sweep.reporting.tables.repeats import ConfigurationRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mnist_sweep.records.fields import FlatValues
    from mnist_sweep.reporting.tables.rows import RunRow
    from mnist_sweep.reporting.tables.table import Table

IDENTITY = ("run_id", "label", "dataset.name", "dataset.sha256", "dataset.notice")


def render(tables: Sequence[Table]) -> str:
    """All tables as one; an empty cell where there is no value.

    Where rows are configurations, a result is followed by its standard deviation (`.spread`) and
    the ends of its interval (`.low`, `.high`), if any row has such.
    """
    rows = tables[0].runs if tables else ()
    keys = [column.key for table in tables for column in table.columns if not column.interval_of]
    keys = [key for key in dict.fromkeys((*IDENTITY, *keys)) if key != "status"]
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    lines = [_values(run, keys) for run in rows]
    known = set(all_names(lines))
    names = [name for key in keys for name in _names(key, known)]
    writer.writerow([*names, "status", "reason"])
    view = View(lines)
    columns = [view.values(name) for name in names]
    columns += [[run.status for run in rows], [run.reason for run in rows]]
    writer.writerows(zip(*(map(_cell, column) for column in columns), strict=True))
    return file.getvalue()


def _values(run: RunRow, keys: Sequence[str]) -> FlatValues:
    """A row's values; a configuration's with spreads and intervals under names of their own."""
    if not isinstance(run, ConfigurationRow):
        return run.values
    return {
        **{key: run.values.get(key) for key in keys},
        **{f"{key}.spread": run.spreads[key] for key in keys if key in run.spreads},
        **{f"{key}.low": one.low for key, one in run.intervals.items()},
        **{f"{key}.high": one.high for key, one in run.intervals.items()},
    }


def _names(key: str, known: Collection[str]) -> list[str]:
    more = [f"{key}.{end}" for end in ("spread", "low", "high")]
    return [key, *(name for name in more if name in known)]


def _cell(value: Any) -> Any:
    """Numbers as they are; text that a spreadsheet cannot take for a formula."""
    if type(value) is float or value is None:
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return value
    return csv_text(visible(str(value)))
