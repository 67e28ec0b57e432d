"""Tables as plain HTML, for notebooks and other people's pages; the report has its own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from mnist_sweep.reporting.tables.table import LEGEND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.tables.table import Cell, Column, Table

_AROUND = {"": "{}", "best": "<strong>{}</strong>*", "worst": "<em>{}</em>!"}


def render(tables: Sequence[Table]) -> str:
    """A table element each, the data's notices above and the notes below."""
    notices = dict.fromkeys(notice for table in tables for notice in table.notices)
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    notes += [LEGEND] if any(table.has_marks for table in tables) else []
    parts = [f"<p><strong>NOTICE: {escape(notice)}</strong></p>" for notice in notices]
    parts += map(_table, tables)
    return "\n".join([*parts, *(f"<p>{escape(note)}</p>" for note in notes)]) + "\n"


def _table(table: Table) -> str:
    head = "".join(_cell("th", escape(one.title), one) for one in table.columns)
    rows = "".join(
        f"<tr>{''.join(map(_marked, row.cells, table.columns))}</tr>\n" for row in table.rows
    )
    return (
        f"<table>\n<caption>{escape(table.title)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}</tbody>\n</table>"
    )


def _marked(cell: Cell, column: Column) -> str:
    return _cell("td", _AROUND[cell.mark].format(escape(cell.text)), column)


def _cell(tag: str, content: str, column: Column) -> str:
    side = "right" if column.is_numeric else "left"
    return f'<{tag} style="text-align: {side}">{content}</{tag}>'
