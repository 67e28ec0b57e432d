"""A comparison as text, Markdown for a pull-request comment, JSON, or an HTML page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.cells import cell_len

from mnist_sweep.analysis.compare.as_json import to_json
from mnist_sweep.errors import UsageError
from mnist_sweep.reporting.comparison.sections import Grid, Page, Section, page
from mnist_sweep.reporting.escape import markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.analysis.compare.comparison import Comparison

FORMATS = ("text", "md", "json", "html")
MOST_MARKDOWN = 60_000
"""Characters of Markdown: GitHub takes comments of up to 65,536."""
SIGN = {
    "identical": "✅", "noise": "✅", "better": "✅",
    "worse": "❌", "mixed": "⚠️", "untested": "⚠️", "nothing shared": "⚠️",
}  # fmt: skip


def render(comparison: Comparison, format_name: str) -> str:
    """The comparison in one of `FORMATS`, ending with a line break.

    Raises:
        UsageError: There is no such format.
    """
    if format_name == "json":
        return json.dumps(to_json(comparison), allow_nan=False, ensure_ascii=False, indent=1) + "\n"
    whole = page(comparison)
    if format_name == "text":
        return text(whole)
    if format_name == "md":
        return markdown_page(whole)
    if format_name == "html":
        from mnist_sweep.reporting.comparison.html import html

        return html(whole, comparison)
    raise UsageError(f"No format {format_name!r}: expected one of {', '.join(FORMATS)}.")


def text(whole: Page) -> str:
    """Plain text, the verdict first."""
    lines = [sentence for _, sentence in whole.verdicts]
    lines += [f"Note: {caveat}" for caveat in whole.caveats]
    for section in whole.sections:
        lines += ["", section.title, *(f"  {sentence}" for sentence in section.sentences)]
        if section.grid:
            lines += [f"  {line}" for line in aligned(section.grid)]
    return "\n".join(lines) + "\n"


def aligned(grid: Grid) -> list[str]:
    """A grid's lines, columns aligned by what a terminal shows."""
    cells = [grid.headings, *grid.rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    # A row that only says how many more there are must not widen the first column for all.
    ruled = [grid.headings, tuple("-" * width for width in widths), *grid.rows]
    lines = []
    for row in ruled:
        padded = []
        for cell, width, numeric in zip(row, widths, grid.numeric, strict=True):
            gap = " " * (width - cell_len(cell))
            padded.append(gap + cell if numeric else cell + gap)
        lines.append("  ".join(padded).rstrip())
    return lines


def markdown_page(whole: Page) -> str:
    """GitHub-flavoured Markdown: the verdict open to the eye, details folded away."""
    blocks = [f"### {markdown(whole.title)}"]
    blocks += [f"{SIGN[kind]} **{markdown(sentence)}**" for kind, sentence in whole.verdicts]
    blocks += [f"> {markdown(caveat)}" for caveat in whole.caveats]
    length = sum(map(len, blocks))
    for index, section in enumerate(whole.sections):
        block = _markdown_section(section)
        if length + len(block) > MOST_MARKDOWN:
            left = len(whole.sections) - index
            blocks.append(f"… {left} more section{'' if left == 1 else 's'}: see `--format html`.")
            break
        length += len(block) + 2
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def markdown_grid(grid: Grid) -> str:
    """A grid as a Markdown table."""
    lines = [_line(grid.headings)]
    lines.append(f"|{'|'.join('---:' if numeric else ':---' for numeric in grid.numeric)}|")
    return "\n".join([*lines, *map(_line, grid.rows)])


def _markdown_section(section: Section) -> str:
    parts = [markdown(sentence) for sentence in section.sentences]
    if section.grid:
        parts.append(markdown_grid(section.grid))
    body = "\n\n".join(parts)
    if section.detail:
        title = markdown(section.title)
        return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    return f"**{markdown(section.title)}**\n\n{body}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markdown, cells))} |"
