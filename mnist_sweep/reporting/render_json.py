"""Tables as JSON: raw values by column, with headings, units and marks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.table import Row, Table


def render(tables: Sequence[Table]) -> str:
    """One object with a list of tables; strict JSON."""
    value = {"tables": [_table(table) for table in tables]}
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "notices": list(table.notices),
        "columns": [
            {
                "key": column.key,
                "heading": column.heading,
                "unit": column.unit or None,
                "higher_is_better": column.higher_is_better,
            }
            for column in table.columns
        ],
        "rows": [_row(row, table) for row in table.rows],
        "notes": list(table.notes),
    }


def _row(row: Row, table: Table) -> dict[str, Any]:
    cells = list(zip(table.columns, row.cells, strict=True))
    return {
        "run_id": row.run.values.get("run_id"),
        "label": row.run.label,
        "status": row.run.status,
        "reason": row.run.reason or None,
        "data": row.data or None,
        "values": {column.key: cell.value for column, cell in cells if column.key != "status"},
        "marks": {column.key: cell.mark for column, cell in cells if cell.mark},
    }
