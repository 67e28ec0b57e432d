"""Tables as plain aligned text, for pipes and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from mnist_sweep.reporting.table import LEGEND, Cell, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIX = {"": "", "best": "*", "worst": "!"}
"""What follows a marked value, so that marks survive without colour."""


def render(tables: Sequence[Table]) -> str:
    """All tables one below the other."""
    return "\n".join(_table(table) for table in tables) + "".join(_notes(tables))


def marked(cell: Cell) -> str:
    """A cell's text with its mark."""
    return cell.text + SUFFIX[cell.mark]


def _table(table: Table) -> str:
    lines = [[column.title for column in table.columns]]
    lines += [[marked(cell) for cell in row.cells] for row in table.rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    text = [table.title, *(f"NOTICE: {notice}" for notice in table.notices), ""]
    text += [_line(cells, widths, table) for cells in ruled]
    return "\n".join(text) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int], table: Table) -> str:
    padded = []
    for cell, width, column in zip(cells, widths, table.columns, strict=True):
        gap = " " * (width - cell_len(cell))
        padded.append(gap + cell if column.numeric else cell + gap)
    return "  ".join(padded).rstrip()


def _notes(tables: Sequence[Table]) -> list[str]:
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    if any(table.has_marks for table in tables):
        notes.append(f"{SUFFIX['best']} {SUFFIX['worst']} {LEGEND}")
    return [f"\n{note}" for note in notes] + ["\n"] * bool(notes)
