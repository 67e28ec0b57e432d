"""Tables laid out by Rich into the width of a terminal.

A table that is too wide is not squeezed until its numbers break: its headings wrap, and if that is
not enough its columns come in several parts, each beginning with the runs' settings again.
"""

from __future__ import annotations

from io import StringIO
from math import ceil
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mnist_sweep.metrics import Format
from mnist_sweep.reporting.tables.render.text import marked
from mnist_sweep.reporting.tables.table import LEGEND, STATUS, Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLE = {"": "", "best": "bold green", "worst": "red"}
_GAP = 2
"""Between columns: one space of padding, one of the box."""
_NARROWEST_STATUS = 18


def render_terminal(tables: Sequence[Table], width: int, *, colour: bool) -> str:
    """All tables, `width` columns wide at most where that can be; without colour the marks stay.

    Every text goes in as Rich's `Text`, never as markup, so a setting's text stays text.
    """
    file = StringIO()
    console = Console(
        file=file,
        width=max(width, 20),
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
        highlight=False,
    )
    for table in tables:
        console.print(Text(table.title, style="bold"))
        for notice in table.notices:
            console.print(Text(f"NOTICE: {notice}", style="bold yellow"))
        for part in _parts(table, width):
            console.print(_laid_out(table, part, width))
            console.print()
    for note in dict.fromkeys(note for table in tables for note in table.notes):
        console.print(Text(note, style="dim"))
    if any(table.has_marks for table in tables):
        console.print(Text(LEGEND, style="dim"))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _parts(table: Table, width: int) -> list[list[int]]:
    """Indices of the columns of each part; the settings are in all of them."""
    settings = [i for i, c in enumerate(table.columns) if _is_setting(c)]
    others = [i for i in range(len(table.columns)) if i not in settings]
    room = width - sum(_narrowest(table, i) + _GAP for i in settings)
    needed = sum(_narrowest(table, i) + _GAP for i in others) - _GAP
    if needed <= room or not others:
        return [[*settings, *others]]
    # Equal parts read better than full ones with a rest.
    for count in range(2, len(others) + 1):
        size = ceil(len(others) / count)
        parts = [others[start : start + size] for start in range(0, len(others), size)]
        if all(sum(_narrowest(table, i) + _GAP for i in part) - _GAP <= room for part in parts):
            return [[*settings, *part] for part in parts]
    return [[*settings, i] for i in others]


def _laid_out(table: Table, part: Sequence[int], width: int) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    widths = {i: _narrowest(table, i) for i in part}
    spare = width - sum(widths.values()) - _GAP * (len(part) - 1)
    for i in sorted(part, key=lambda i: table.columns[i].key != STATUS.key):
        given = max(0, min(spare, _widest(table, i) - widths[i]))
        widths[i] += given
        spare -= given
    for i in part:
        column = table.columns[i]
        rich.add_column(
            Text(column.title),
            justify="right" if column.is_numeric else "left",
            width=widths[i],
            overflow="fold",
        )
    for row in table.rows:
        rich.add_row(*(_text(row.cells[i], table, i, row.status) for i in part))
    return rich


def _is_setting(column: Column) -> bool:
    is_plain = column.format is Format.SETTING and column.higher_is_better is None
    return is_plain and column.key != STATUS.key


def _widest(table: Table, index: int) -> int:
    texts = [table.columns[index].title, *(marked(row.cells[index]) for row in table.rows)]
    return max(cell_len(text) for text in texts)


def _narrowest(table: Table, index: int) -> int:
    """The width at which headings wrap between words and no number breaks."""
    column = table.columns[index]
    words = max(cell_len(word) for word in column.title.split() or [""])
    cells = max((cell_len(marked(row.cells[index])) for row in table.rows), default=0)
    return max(words, min(cells, _NARROWEST_STATUS) if column.key == STATUS.key else cells)


def _text(cell: Cell, table: Table, index: int, status: str) -> Text:
    if table.columns[index].key == STATUS.key and status != "finished":
        # What was stopped early did not fail.
        return Text(marked(cell), style="dim" if status == "pruned" else "bold red")
    return Text(marked(cell), style=_STYLE[cell.mark])
