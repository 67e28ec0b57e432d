"""Tables as JSON: raw values by column, with headings, units and marks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.tables.repeats import ConfigurationRow
from mnist_sweep.reporting.tables.rows import is_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.tables.table import Row, Table


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
            if not column.interval_of
        ],
        "rows": [_row(row, table) for row in table.rows],
        "notes": list(table.notes),
    }


def _row(row: Row, table: Table) -> dict[str, Any]:
    cells = [
        (column, cell)
        for column, cell in zip(table.columns, row.cells, strict=True)
        if not column.interval_of
    ]
    value = {
        "run_id": row.run.values.get("run_id"),
        "label": row.run.label,
        "status": row.run.status,
        "reason": row.run.reason or None,
        "data": row.data or None,
        "values": {column.key: cell.value for column, cell in cells if column.key != "status"},
        "marks": {column.key: cell.mark for column, cell in cells if cell.mark},
    }
    if isinstance(row.run, ConfigurationRow):
        value |= _of_repeats(row.run, [column.key for column, _ in cells])
    return value


def _of_repeats(row: ConfigurationRow, keys: list[str]) -> dict[str, Any]:
    """What a configuration has beyond a run: its runs, spreads and intervals."""
    return {
        "configuration_id": row.values.get("configuration_id"),
        "repeats": len(row.finished),
        "runs": [
            {
                "run_id": run.values.get("run_id"),
                "seed": run.values.get("seed"),
                "status": run.status,
                "reason": run.reason or None,
                "values": {key: run.values.get(key) for key in keys if is_result(key)},
            }
            for run in row.runs
        ],
        "spread": {key: row.spreads[key] for key in keys if key in row.spreads},
        "intervals": {
            key: {"low": one.low, "high": one.high, "level": one.level, "covers": one.covers}
            for key, one in row.intervals.items()
            if key in keys
        },
        "intervals_unknown": row.unknown or None,
    }
