"""Tables as JSON: raw values by column, with headings, units and marks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from mnist_sweep.analysis.where import plain_rows
from mnist_sweep.reporting.tables.rows import is_result
from mnist_sweep.reporting.tables.table import Rows, Table
from mnist_sweep.safe_files import json_text


def render(tables: Sequence[Table]) -> str:
    """One object with a list of tables; strict JSON."""
    value = {"tables": [_table(table) for table in tables]}
    return json_text(value) + "\n"


def _table(table: Table) -> dict[str, Any]:
    # Intervals stand beside their values, with their level and what they cover.
    columns = [column for column in table.columns if not column.interval_of]
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
            for column in columns
        ],
        "rows": _rows(table, [column.key for column in columns if column.key != "status"]),
        "notes": list(table.notes),
    }


def _rows(table: Table, keys: list[str]) -> list[dict[str, Any]]:
    rows = table.content
    names = {"run_id": "run_id", "label": "label", "status": "status", "reason": "reason"}
    names |= {"data": "dataset.name"}
    names |= {"configuration_id": "configuration_id"} if rows.are_configurations else {}
    about = {name: rows.values(key) for name, key in names.items()}
    values, spreads = ({key: of(key) for key in keys} for of in (rows.values, rows.spreads))
    repeats = _repeats(rows, keys) if rows.are_configurations else []
    made = []
    for place, row in enumerate(table.rows):
        cells = zip(table.columns, row.cells, strict=True)
        value = {name: own[place] for name, own in about.items()}
        value["reason"] = row.reason or None
        value["values"] = {key: own[place] for key, own in values.items()}
        value["marks"] = {column.key: cell.mark for column, cell in cells if cell.mark}
        if rows.are_configurations:
            known = {key: own[place] for key, own in spreads.items()}
            value["spread"] = {key: one for key, one in known.items() if one is not None}
            value |= repeats[place]
        made.append(value)
    return made


def _repeats(rows: Rows, keys: list[str]) -> list[dict[str, Any]]:
    """Each configuration's runs and intervals."""
    results = [key for key in keys if is_result(key) and key in rows.runs]
    names = ["run_id", "seed", "status", "reason"]
    # All at once: taking a few rows of very many costs as much for each configuration.
    places = [place for own in rows.members for place in own]
    runs = iter(plain_rows(rows.runs[[*names, *results]].iloc[places]))
    made = []
    for row, (own, repeats) in enumerate(zip(rows.members, rows.frame["repeats"], strict=True)):
        intervals = rows.intervals[row] if rows.intervals else {}
        shown = []
        for run in islice(runs, len(own)):
            values = {key: run[key] for key in results}
            about = {name: run[name] for name in names}
            shown.append(about | {"reason": run["reason"] or None, "values": values})
        ends = ("low", "high", "level", "covers")
        made.append({
            "repeats": int(repeats),
            "runs": shown,
            "intervals": {
                key: {name: getattr(one, name) for name in ends}
                for key, one in intervals.items()
                if key in keys
            },
            "intervals_unknown": (rows.unknown[row] if rows.unknown else "") or None,
        })  # fmt: skip
    return made
