r"""Tables as LaTeX with booktabs: \input the file into a document that uses booktabs.

They fit the text of an article: long headings and cells are stacked, and a table of many columns
is set in smaller letters.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mnist_sweep.reporting.escape import latex
from mnist_sweep.reporting.tables.table import Cell, Column, Table

_SCIENTIFIC = re.compile(r"(-?\d(?:\.\d+)?)e([+-]\d+)")
_COMMAND = {"best": r"\textbf", "worst": r"\underline"}
# Characters in a row up to which a size fits the 345 points of an article's text, and the space
# on either side of a column then, in points.
_SIZES = ((60, r"\small", 6), (72, r"\footnotesize", 3), (88, r"\scriptsize", 2))
_SMALLEST = (r"\tiny", 2)
# A wider table is scaled down as a whole, which takes graphicx.
_WIDEST = 110
# Characters of a line in a column of numbers and of words; what is longer is stacked.
_NARROW, _WORDS = 11, 16


def render(tables: Sequence[Table]) -> str:
    """One table environment each; best values bold, worst ones underlined."""
    packages = r"\usepackage{booktabs}"
    if any(_width(table) > _WIDEST for table in tables):
        packages += r" and \usepackage{graphicx}"
    return f"% Needs {packages}.\n" + "\n".join(map(_table, tables))


def _table(table: Table) -> str:
    caption = ". ".join(latex(text).rstrip(".") for text in (table.title, *table.notes))
    if table.has_marks:
        caption += r". \textbf{Best} and \underline{worst} in column"
    notices = "".join(rf" \textbf{{NOTICE: {latex(notice)}}}" for notice in table.notices)
    alignment = "".join("r" if column.is_numeric else "l" for column in table.columns)
    rows = [_line(map(_cell, row.cells, table.columns)) for row in table.rows]
    if any(r"\shortstack" in line for line in rows):
        rows = "\n    \\addlinespace\n".join(rows).split("\n")
    width = _width(table)
    size, space = next(((size, space) for most, size, space in _SIZES if width <= most), _SMALLEST)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  {size}\setlength{{\tabcolsep}}{{{space}pt}}",
        rf"  \caption{{{caption}.{notices}}}",
        rf"  \label{{tab:{table.name.replace('_', '-')}}}",
        *([r"  \resizebox{\textwidth}{!}{%"] if width > _WIDEST else []),
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        _line([_stacked(column.title, column) for column in table.columns]),
        r"    \midrule",
        *rows,
        r"    \bottomrule",
        r"  \end{tabular}" + ("}" if width > _WIDEST else ""),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _width(table: Table) -> int:
    """Characters in the widest row, stacked as its cells are, and one more for each column."""
    width = len(table.columns)
    for column, cells in zip(table.columns, table.by_column(), strict=True):
        texts = {column.title, *cells.texts}
        width += max(len(line) for text in texts for line in _broken(text, column) or [""])
    return width


@lru_cache(10_000)
def _broken(text: str, column: Column) -> list[str]:
    """A text in lines that keep its column narrow."""
    return textwrap.wrap(text, _NARROW if column.is_numeric else _WORDS, break_long_words=False)


@lru_cache(10_000)
def _stacked(text: str, column: Column) -> str:
    lines = [latex(line) for line in _broken(text, column)]
    if column.is_numeric:
        lines = [
            _SCIENTIFIC.sub(lambda n: rf"${n[1]} \times 10^{{{int(n[2])}}}$", line)
            for line in lines
        ]
    if len(lines) < 2:
        return "".join(lines)
    return rf"\shortstack[{'r' if column.is_numeric else 'l'}]{{" + r"\\{}".join(lines) + "}"


def _line(cells: Iterable[str]) -> str:
    # Braces around the first cell: after \\ and \midrule a bracket would be taken for an argument.
    return rf"    {{}}{' & '.join(cells)} \\"


def _cell(cell: Cell, column: Column) -> str:
    text = _stacked(cell.text, column)
    return rf"{_COMMAND[cell.mark]}{{{text}}}" if cell.mark else text
