"""Tables as GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnist_sweep.reporting.escape import markdown
from mnist_sweep.reporting.tables.table import Table

_AROUND = {"": "", "best": "**", "worst": "*"}


def render(tables: Sequence[Table]) -> str:
    """All tables under headings; best values bold, worst ones in italics."""
    blocks = []
    for table in tables:
        blocks.append(f"### {markdown(table.title)}")
        # With each table: one may be pasted alone.
        blocks += [f"> **NOTICE: {markdown(notice)}**" for notice in table.notices]
        rows = (
            [f"{_AROUND[cell.mark]}{markdown(cell.text)}{_AROUND[cell.mark]}" for cell in row.cells]
            for row in table.rows
        )
        numeric = [column.is_numeric for column in table.columns]
        blocks.append(grid([column.title for column in table.columns], rows, numeric))
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    if any(table.has_marks for table in tables):
        blocks.append("**Best** and *worst* in column.")
    blocks += [markdown(note) for note in notes]
    return "\n\n".join(blocks) + "\n"


def grid(headings: Iterable[str], rows: Iterable[Iterable[str]], numeric: Iterable[bool]) -> str:
    """A table of headings and of cells that are Markdown already; numeric columns align right."""
    rule = _line("---:" if is_numeric else ":---" for is_numeric in numeric)
    return "\n".join([_line(map(markdown, headings)), rule, *map(_line, rows)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
