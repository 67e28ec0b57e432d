"""Tables as CSV for spreadsheets and scripts: one sheet, one line per row, raw numbers.

The tables' columns stand side by side under their names in the runs table, which say the split;
every line also says which run it is, on which data, and how it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_sweep.reporting.escape import csv_text, visible
from mnist_sweep.reporting.tables.table import Table

IDENTITY = ("run_id", "label", "dataset.name", "dataset.sha256", "dataset.notice")


def render(tables: Sequence[Table]) -> str:
    """All tables as one, with the rows that they leave out; an empty cell where there is no value.

    Where rows are configurations, a result is followed by its standard deviation (`.spread`) and
    the ends of its interval (`.low`, `.high`), if any row has such.
    """
    import pandas as pd

    content, left_out = tables[0].content, tables[0].left_out
    keys = [column.key for table in tables for column in table.columns if not column.interval_of]
    keys = [key for key in dict.fromkeys((*IDENTITY, *keys)) if key != "status"]
    columns: dict[str, Sequence[Any]] = {}
    for key in (*keys, "status", "reason"):
        columns[key] = content.values(key) + (left_out.values(key) if left_out else [])
        found = [own.get(key) for own in content.intervals]
        more = {
            f"{key}.spread": content.spreads(key),
            f"{key}.low": [one.low if one else None for one in found],
            f"{key}.high": [one.high if one else None for one in found],
        }
        columns |= {name: own for name, own in more.items() if any(v is not None for v in own)}
    texts = {name: pd.Series([*map(_cell, own)], dtype=object) for name, own in columns.items()}
    return pd.DataFrame(texts).to_csv(index=False, lineterminator="\n")


def _cell(value: Any) -> Any:
    """Numbers as they are; text that a spreadsheet cannot take for a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or isinstance(value, (int, float)):
        return value
    return csv_text(visible(str(value)))
