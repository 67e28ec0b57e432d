"""Tables as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnist_sweep.reporting.escape import markdown
from mnist_sweep.reporting.tables.table import Cell, Table

_AROUND = {"": "", "best": "**", "worst": "*"}


def render(tables: Sequence[Table]) -> str:
    """All tables under headings; best values bold, worst ones in italics."""
    blocks = [_table(table) for table in tables]
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    if any(table.has_marks for table in tables):
        blocks.append("**Best** and *worst* in column.")
    blocks += [markdown(note) for note in notes]
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    lines = [f"### {markdown(table.title)}", ""]
    for notice in table.notices:  # with each table: one may be pasted alone
        lines += [f"> **NOTICE: {markdown(notice)}**", ""]
    rows = (map(_cell, row.cells) for row in table.rows)
    numeric = [column.is_numeric for column in table.columns]
    lines.append(grid([column.title for column in table.columns], rows, numeric))
    return "\n".join(lines)


def grid(headings: Iterable[str], rows: Iterable[Iterable[str]], numeric: Iterable[bool]) -> str:
    """A table of headings and of cells that are Markdown already; numeric columns align right."""
    rule = _line("---:" if is_numeric else ":---" for is_numeric in numeric)
    return "\n".join([_line(map(markdown, headings)), rule, *map(_line, rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    around = _AROUND[cell.mark]
    return f"{around}{markdown(cell.text)}{around}"
