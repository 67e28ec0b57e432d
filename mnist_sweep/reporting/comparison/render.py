"""A comparison as text, Markdown for a pull-request comment, JSON, or an HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.analysis.compare.verdict import VerdictKind
from mnist_sweep.reporting.comparison.as_json import as_json
from mnist_sweep.reporting.comparison.html import html
from mnist_sweep.reporting.comparison.page import Section, page
from mnist_sweep.reporting.escape import markdown
from mnist_sweep.reporting.tables.render.md import grid
from mnist_sweep.reporting.tables.render.text import aligned

if TYPE_CHECKING:
    from mnist_sweep.analysis.compare.comparison import Comparison

MAX_MARKDOWN = 60_000
"""Characters of Markdown: GitHub accepts comments of up to 65,536."""
SIGN = {
    VerdictKind.IDENTICAL: "✅", VerdictKind.NOISE: "✅", VerdictKind.BETTER: "✅",
    VerdictKind.WORSE: "❌",
}  # fmt: skip
"""What stands before a verdict; a warning sign before all others."""


def text(comparison: Comparison) -> str:
    """Plain text, the verdict first."""
    whole = page(comparison)
    lines = [sentence for _, sentence in whole.verdicts]
    lines += [f"Note: {caveat}" for caveat in whole.caveats]
    for section in whole.sections:
        lines += ["", section.title, *(f"  {sentence}" for sentence in section.sentences)]
        if section.grid:
            headings, rows, numeric = section.grid
            columns = zip(headings, zip(*rows, strict=True), numeric, strict=True)
            made = (aligned(title, cells, is_numeric=right) for title, cells, right in columns)
            lines += [f"  {'  '.join(row).rstrip()}" for row in zip(*made, strict=True)]
    return "\n".join(lines) + "\n"


def markdown_page(comparison: Comparison) -> str:
    """GitHub-flavoured Markdown: the verdict in view, details folded away."""
    whole = page(comparison)
    blocks = [f"### {markdown(whole.title)}"]
    blocks += [
        f"{SIGN.get(kind, '⚠️')} **{markdown(sentence)}**" for kind, sentence in whole.verdicts
    ]
    blocks += [f"> {markdown(caveat)}" for caveat in whole.caveats]
    length = sum(map(len, blocks))
    for index, section in enumerate(whole.sections):
        block = _markdown_section(section)
        if length + len(block) > MAX_MARKDOWN:
            left = len(whole.sections) - index
            blocks.append(f"… {left} more section{'' if left == 1 else 's'}: see `--format html`.")
            break
        length += len(block) + 2
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def _markdown_section(section: Section) -> str:
    parts = [markdown(sentence) for sentence in section.sentences]
    if section.grid:
        headings, rows, numeric = section.grid
        parts.append(grid(headings, (map(markdown, row) for row in rows), numeric))
    body = "\n\n".join(parts)
    if section.detail:
        title = markdown(section.title)
        return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    return f"**{markdown(section.title)}**\n\n{body}"


FORMATS = {"text": text, "md": markdown_page, "json": as_json, "html": html}
"""Format -> what writes it, ending with a line break."""
