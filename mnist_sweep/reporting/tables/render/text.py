"""Tables as plain aligned text, for pipes and files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from mnist_sweep.reporting.numbers import NOTHING, PLUS_MINUS
from mnist_sweep.reporting.tables.table import LEGEND, Cell, Cells, Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SUFFIX = {"": "", "best": "*", "worst": "!"}
"""What follows a marked value, so that marks survive without colour."""
_ONE_WIDE = dict.fromkeys(map(ord, (NOTHING, PLUS_MINUS)))


def render(tables: Sequence[Table]) -> str:
    """All tables one below the other."""
    return "\n".join(_table(table) for table in tables) + "".join(_notes(tables))


def marked(cell: Cell) -> str:
    """A cell's text with its mark."""
    return cell.text + SUFFIX[cell.mark]


def _table(table: Table) -> str:
    columns = map(_column, table.columns, table.cells())
    text = [table.title, *(f"NOTICE: {notice}" for notice in table.notices), ""]
    text += ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    return "\n".join(text) + "\n"


def aligned(title: str, cells: Iterable[str], *, is_numeric: bool) -> list[str]:
    """A column's heading, a rule and its cells, all of one width."""
    texts = [title, *cells]
    whole = "".join(texts).translate(_ONE_WIDE)
    # Where all letters are one place wide Python pads a column by itself, and much faster.
    length = len if whole.isascii() and whole.isprintable() else cell_len
    width = max(map(length, texts))
    ruled = [texts[0], "-" * width, *texts[1:]]
    if length is len:
        return [text.rjust(width) if is_numeric else text.ljust(width) for text in ruled]
    gaps = (" " * (width - cell_len(text)) for text in ruled)
    return [gap + text if is_numeric else text + gap for gap, text in zip(gaps, ruled, strict=True)]


def _column(column: Column, cells: Cells) -> list[str]:
    marked_ = map(str.__add__, cells.texts, map(SUFFIX.__getitem__, cells.marks))
    return aligned(column.title, marked_, is_numeric=column.is_numeric)


def _notes(tables: Sequence[Table]) -> list[str]:
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    if any(table.has_marks for table in tables):
        notes.append(LEGEND)
    return [f"\n{note}" for note in notes] + ["\n"] * bool(notes)
