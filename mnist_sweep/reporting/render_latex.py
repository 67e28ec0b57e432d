r"""Tables as LaTeX with booktabs: \input the file into a document that uses booktabs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mnist_sweep.reporting.escape import latex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.table import Cell, Table

_SCIENTIFIC = re.compile(r"(-?\d(?:\.\d+)?)e([+-]\d+)")
_COMMAND = {"best": r"\textbf", "worst": r"\underline"}


def render(tables: Sequence[Table]) -> str:
    """One table environment each; best values bold, worst ones underlined."""
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(map(_table, tables))


def _table(table: Table) -> str:
    caption = ". ".join(latex(text).rstrip(".") for text in (table.title, *table.notes))
    if table.has_marks:
        caption += r". \textbf{Best} and \underline{worst} of a column"
    notices = "".join(rf" \textbf{{NOTICE: {latex(notice)}}}" for notice in table.notices)
    alignment = "".join("r" if column.numeric else "l" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        r"  \small",
        rf"  \caption{{{caption}.{notices}}}",
        rf"  \label{{tab:{table.name.replace('_', '-')}}}",
        rf"  \begin{{tabular}}{{{alignment}}}",
        r"    \toprule",
        _line([latex(column.title) for column in table.columns]),
        r"    \midrule",
        *(_line([_cell(cell) for cell in row.cells]) for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    # Braces around the first cell: after \\ and \midrule a bracket would be taken for an argument.
    return rf"    {{}}{' & '.join(cells)} \\"


def _cell(cell: Cell) -> str:
    text = latex(cell.text)
    if isinstance(cell.value, float):
        text = _SCIENTIFIC.sub(_power, text)
    return rf"{_COMMAND[cell.mark]}{{{text}}}" if cell.mark else text


def _power(number: re.Match[str]) -> str:
    return rf"${number[1]} \times 10^{{{int(number[2])}}}$"
