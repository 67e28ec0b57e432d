"""Rows of the runs table as mappings of plain values, for code that looks at one run at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def plain_rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """Each row as column -> plain value; None where the run has no value."""
    table = runs.astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def first_row(runs: pd.DataFrame) -> dict[str, Any]:
    """The first row, likewise."""
    return plain_rows(runs.iloc[:1])[0]
