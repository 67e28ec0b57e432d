"""Tables as CSV for spreadsheets and scripts: one sheet, one line per run, raw numbers.

The tables' columns stand side by side under their names in `results.fields`, which say the split;
every line also says which run it is, on which data, and how it ended.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.escape import csv_text, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.table import Table

IDENTITY = ("run_id", "label", "dataset.name", "dataset.sha256", "dataset.notice")


def render(tables: Sequence[Table]) -> str:
    """All tables as one; an empty cell where there is no value."""
    keys = [column.key for table in tables for column in table.columns]
    keys = [key for key in dict.fromkeys((*IDENTITY, *keys)) if key != "status"]
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*keys, "status", "reason"])
    for row in tables[0].rows if tables else ():
        values = [row.run.values.get(key) for key in keys]
        writer.writerow([_cell(value) for value in (*values, row.run.status, row.run.reason)])
    return file.getvalue()


def _cell(value: Any) -> Any:
    """Numbers as they are; text that a spreadsheet cannot take for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (int, float)):
        return value
    return csv_text(visible(str(value)))
