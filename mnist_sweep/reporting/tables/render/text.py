"""Tables as aligned text: of any width for pipes and files, or laid out for a terminal.

A table that is too wide for a terminal is not squeezed until its numbers break: its headings wrap,
and if that is not enough its columns come in several parts, each beginning with the settings again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import ceil
from typing import Any

import click
from rich.cells import cell_len

from mnist_sweep.metrics import Format
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.escape import wrapped
from mnist_sweep.reporting.tables.table import LEGEND, STATUS, Cells, Column, Table

# What follows a marked value, so that marks survive without colour.
_SUFFIX = {"": "", "best": "*", "worst": "!"}
_STYLE: Mapping[str, Mapping[str, Any]] = {
    "": {}, "best": {"fg": "green", "bold": True}, "worst": {"fg": "red"},
}  # fmt: skip
_GAP = "  "
_NARROWEST_STATUS = 18


def render(tables: Sequence[Table], *, width: int | None = None, colour: bool = False) -> str:
    """All tables one below the other."""
    lines: list[str] = []

    def add(text: str, **style: Any) -> None:
        lines.extend(_styled(one, style if colour else {}) for one in wrapped(text, width))

    for notice in dict.fromkeys(notice for table in tables for notice in table.notices):
        add(f"NOTICE: {notice}", fg="yellow", bold=True)
        lines.append("")
    for table in tables:
        add(table.title, bold=True)
        lines.append("")
        for part in grids(table, width=width, colour=colour):
            lines += [*part, ""]
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    for note in [*notes, LEGEND] if any(table.has_marks for table in tables) else notes:
        add(note, dim=True)
    return "\n".join(lines).rstrip("\n") + "\n"


def grids(table: Table, *, width: int | None = None, colour: bool = False) -> list[list[str]]:
    """The lines of a table's headings and rows, in as many parts as the width needs."""
    columns = table.columns
    if width is None:
        aligned = map(_aligned, columns, map(_with_marks, table.by_column()))
        return [[_GAP.join(line).rstrip() for line in zip(*aligned, strict=True)]]
    cells = [*table.by_column()]
    texts = [*map(_with_marks, cells)]
    narrow = [*map(narrowest, columns, texts)]
    found = []
    for part in _parts(columns, narrow, width):
        widths = _widths(columns, part, texts, narrow, width)
        heads = [wrapped(columns[i].title, widths[i]) for i in part]
        height = max(map(len, heads))
        blocks = [[[*[""] * (height - len(one)), *one] for one in heads]]
        styles: list[list[Mapping[str, Any]]] = [[{"bold": True}] * len(part)]
        for row, status in enumerate(table.content.values("status")):
            blocks.append([wrapped(texts[i][row], widths[i]) for i in part])
            styles.append([_style(columns[i], cells[i].marks[row], status) for i in part])
        lines = []
        for block, style in zip(blocks, styles, strict=True):
            for line in zip_longest(*block, fillvalue=""):
                padded = [
                    _styled(_padded(text, widths[i], columns[i]), one if colour else {})
                    for text, i, one in zip(line, part, style, strict=True)
                ]
                lines.append(_GAP.join(padded).rstrip())
        rule = "─" * (sum(widths.values()) + len(_GAP) * (len(part) - 1))
        found.append([*lines[:height], rule, *lines[height:]])
    return found


def _with_marks(cells: Cells) -> list[str]:
    return [text + _SUFFIX[mark] for text, mark in zip(cells.texts, cells.marks, strict=True)]


def _aligned(column: Column, texts: Sequence[str]) -> list[str]:
    """A column's heading, a rule and its cells, all of one width; each text is padded once."""
    distinct = {column.title, *texts}
    width = max(map(_places, distinct))
    padded = {text: _padded(text, width, column) for text in distinct}
    return [padded[column.title], "-" * width, *map(padded.__getitem__, texts)]


def _padded(text: str, width: int, column: Column) -> str:
    gap = " " * (width - _places(text))
    return gap + text if column.is_numeric else text + gap


def _places(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def narrowest(column: Column, texts: Sequence[str]) -> int:
    """The width at which headings wrap between words and no number breaks."""
    words = max(map(cell_len, column.title.split() or [""]))
    cells = max(map(cell_len, texts), default=0)
    return max(words, min(cells, _NARROWEST_STATUS) if column.key == STATUS.key else cells)


def _parts(columns: Sequence[Column], narrow: Sequence[int], width: int) -> list[list[int]]:
    """Indices of the columns of each part; the settings are in all of them."""
    settings = [
        i
        for i, column in enumerate(columns)
        if column.format is Format.SETTING
        and column.higher_is_better is None
        and column.key != STATUS.key
    ]
    others = [i for i in range(len(columns)) if i not in settings]
    room = width + len(_GAP) - sum(narrow[i] + len(_GAP) for i in settings)
    # Equal parts read better than full ones with a rest.
    for count in range(1, len(others) + 1):
        size = ceil(len(others) / count)
        parts = [others[start : start + size] for start in range(0, len(others), size)]
        if all(sum(narrow[i] + len(_GAP) for i in part) <= room for part in parts):
            return [[*settings, *part] for part in parts]
    return [[*settings, i] for i in others] or [settings]


def _widths(
    columns: Sequence[Column], part: Sequence[int], texts: Sequence[Sequence[str]],
    narrow: Sequence[int], width: int,
) -> dict[int, int]:  # fmt: skip
    """Of each column of a part: as wide as it likes, as far as there is room; the status first."""
    found = {i: narrow[i] for i in part}
    spare = width - sum(found.values()) - len(_GAP) * (len(part) - 1)
    for i in sorted(part, key=lambda i: columns[i].key != STATUS.key):
        widest = max(map(cell_len, (columns[i].title, *texts[i])))
        given = max(0, min(spare, widest - found[i]))
        found[i] += given
        spare -= given
    return found


def _style(column: Column, mark: str, status: str) -> Mapping[str, Any]:
    if column.key == STATUS.key and status != RunStatus.FINISHED:
        # What was stopped early did not fail.
        return {"dim": True} if status == RunStatus.PRUNED else {"fg": "red", "bold": True}
    return _STYLE[mark]


def _styled(text: str, style: Mapping[str, Any]) -> str:
    """`text` in a style of Click's, or as it is."""
    return click.style(text, **style) if style else text
