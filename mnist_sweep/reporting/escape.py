"""Text from settings, paths and errors, made harmless for each place it is shown in."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len, chop_cells

from mnist_sweep.errors import listed, visible

__all__ = ["csv_text", "latex", "listed", "markdown", "shortened", "visible", "wrapped"]

# The last four are the full-width forms of the others, which spreadsheets take for the same.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_T1 = "ÐÞðþ\N{MULTIPLICATION SIGN}\N{DIVISION SIGN}"
_GAPS = ("\t", "\r", "\n")
_WORDS = re.compile(r" *[^ ]+")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$#!])")
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "\N{EM DASH}": "---", "\N{EN DASH}": "--", "…": r"\dots{}", "·": r"$\cdot$", "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'", "“": "``", "”": "''",
}  # fmt: skip


def shortened(text: str, length: int) -> str:
    """The first `length` characters of `text`, with an ellipsis if there was more."""
    return text if len(text) <= length else text[: length - 1].rstrip(" ,;") + "…"


def wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    """`text` in lines of at most `width` places, broken at words; further lines are indented.

    A word longer than a line is broken; None is one line of any width.
    """
    if width is None or cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in _WORDS.findall(text):
        if line and cell_len(line + word) > width:
            lines.append(line)
            line = indent + word.lstrip(" ")
        else:
            line += word
        *full, line = chop_cells(line, max(width, 2))
        lines += full
    return [*lines, line]


@lru_cache(10_000)  # most cells of a long table are alike
def markdown(text: str) -> str:
    """`text` for a cell of a Markdown table: no pipe, markup, HTML or mention takes effect."""
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", escaped).replace("@", "&#64;")


@lru_cache(10_000)
def latex(text: str) -> str:
    """`text` for LaTeX; a character that plain pdfLaTeX cannot set is shown as its code point."""
    return "".join(_latex_character(character) for character in visible(text))


def csv_text(text: str) -> str:
    """`text` for a CSV cell: an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_GAPS) else text


def _latex_character(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    # Latin-1 letters but for those that need the T1 encoding.
    if character.isascii() or ("À" <= character <= "ÿ" and character not in _T1):
        return character
    return rf"\texttt{{U+{ord(character):04X}}}"
