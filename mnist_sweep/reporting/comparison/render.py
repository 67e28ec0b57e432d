"""A comparison as text, Markdown for a pull-request comment, JSON, or an HTML page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from mnist_sweep.analysis.compare import Comparison, Pair, Side, VerdictKind
from mnist_sweep.analysis.compare.changes import ConfigurationChange
from mnist_sweep.errors import UsageError, visible
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.comparison.phrases import caveats, time_reasons, verdict_sentence
from mnist_sweep.reporting.comparison.tables import OPEN, tables
from mnist_sweep.reporting.escape import markdown
from mnist_sweep.reporting.html.embed import source_hash, static, templates
from mnist_sweep.reporting.tables.render.md import grid
from mnist_sweep.reporting.tables.render.text import render as render_tables
from mnist_sweep.reporting.tables.rows import classes_of
from mnist_sweep.reporting.tables.table import Table
from mnist_sweep.safe_files import json_text, plain

# Of the JSON.
SCHEMA_VERSION = 1
# Of the text below the verdict, unless all is asked for.
MAX_LINES = 30
# Characters of Markdown: GitHub accepts comments of up to 65,536.
MAX_MARKDOWN = 60_000
MORE = "More: --full shows all tables, -o comparison.html writes a page."
# Of red and of green, in the page's confusion matrices.
N_SHADES = 4
# What stands before a verdict; a warning sign before all others.
SIGN = {
    VerdictKind.IDENTICAL: "✅", VerdictKind.NOISE: "✅", VerdictKind.BETTER: "✅",
    VerdictKind.WORSE: "❌",
}  # fmt: skip


def text(comparison: Comparison, *, full: bool = False) -> str:
    """Plain text, the verdict first; below it at most `MAX_LINES` lines unless it is full."""
    head = [visible(verdict_sentence(pair)) for pair in comparison.pairs]
    body = [f"Note: {caveat}" for caveat in _caveats(comparison)]
    for table in tables(comparison, short=not full):
        block = ["", table.title, *(f"  {note}" for note in table.notes)]
        if table.columns:
            laid_out = render_tables([replace(table, title="", notes=())]).splitlines()
            block += [f"  {line}" for line in laid_out if line.strip()]
        if full or len(body) + len(block) + 2 <= MAX_LINES:
            body += block
    written = "\n".join([*head, *body]) + "\n"
    if full or written == text(comparison, full=True):
        return written
    return f"{written}\n{MORE}\n"


def render(comparison: Comparison, format_name: str) -> str:
    """The comparison in one of `FORMATS`, ending with a line break."""
    if format_name not in FORMATS:
        raise UsageError(f"No format {format_name!r}: expected one of: {', '.join(FORMATS)}.")
    return FORMATS[format_name](comparison)


def markdown_page(comparison: Comparison) -> str:
    """GitHub-flavoured Markdown: the verdict in view, details folded away."""
    blocks = [f"### {markdown(_title(comparison))}"]
    blocks += [
        f"{SIGN.get(pair.verdict.kind, '⚠️')} **{markdown(verdict_sentence(pair))}**"
        for pair in comparison.pairs
    ]
    blocks += [f"> {markdown(caveat)}" for caveat in _caveats(comparison)]
    length = sum(map(len, blocks))
    found = tables(comparison)
    for place, table in enumerate(found):
        block = _markdown_table(table)
        if length + len(block) > MAX_MARKDOWN:
            left = len(found) - place
            blocks.append(f"… {left} more section{'' if left == 1 else 's'}: see `--format html`.")
            break
        length += len(block) + 2
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"


def html(comparison: Comparison, home: str = "") -> str:
    """One self-contained page: no script, nothing loaded, styles by hash."""
    style = static("comparison.css")
    return (
        templates()
        .get_template("comparison.html.j2")
        .render(
            home=home,
            title=_title(comparison),
            verdicts=[(pair.verdict.kind, verdict_sentence(pair)) for pair in comparison.pairs],
            caveats=_caveats(comparison),
            tables=tables(comparison),
            matrices=_matrices(comparison),
            style=style,
            policy=f"default-src 'none'; style-src {source_hash(style)}; base-uri 'none'; "
            "form-action 'none'",
        )
    )


def as_json(comparison: Comparison) -> str:
    """Strict JSON of everything; `pairs` has one entry for each side after the first."""
    value = {
        "schema_version": SCHEMA_VERSION,
        "split": comparison.sides[0].split or "",
        "sides": [_side_json(side) for side in comparison.sides],
        "differs": {
            part: {one.name: one.by_side for one in found}
            for part, found in comparison.differs.items()
        },
        "pairs": [_pair_json(pair) for pair in comparison.pairs],
    }
    return json_text(plain(value)) + "\n"


# Format -> what writes it, ending with a line break.
FORMATS: dict[str, Callable[[Comparison], str]] = {
    "text": partial(text, full=True),
    "md": markdown_page,
    "json": as_json,
    "html": html,
}


def _title(comparison: Comparison) -> str:
    first, *others = (side.name for side in comparison.sides)
    return visible(f"{first} against {', '.join(others)}")


def _caveats(comparison: Comparison) -> list[str]:
    every = (visible(text) for pair in comparison.pairs for text in caveats(pair))
    return list(dict.fromkeys(every))


def _markdown_table(table: Table) -> str:
    parts = [markdown(note) for note in table.notes]
    if table.columns:
        rows = ([markdown(cell.text) for cell in row.cells] for row in table.rows)
        headings, numeric = zip(
            *((one.title, one.is_numeric) for one in table.columns), strict=True
        )
        parts.append(grid(headings, rows, numeric))
    body = "\n\n".join(parts)
    title = markdown(table.title)
    if table.name in OPEN:
        return f"**{title}**\n\n{body}"
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _matrices(comparison: Comparison) -> list[dict[str, Any]]:
    """Confusion differences with a shade for each cell: red is more mistakes, green fewer."""
    made = []
    for pair in comparison.pairs:
        names = classes_of(pair.first.runs)  # once, since that reads a record
        for one in pair.changes:
            largest = max((abs(value) for row in one.confusion or () for value in row), default=0)
            if not one.confusion or not largest:
                continue
            rows = []
            for i, row in enumerate(one.confusion):
                cells = []
                for j, value in enumerate(row):
                    strength = max(1, round(N_SHADES * abs(value) / largest))
                    shade = f"{'good' if (value > 0) == (i == j) else 'bad'}{strength}"
                    cells.append((f"{value:+.3g}", shade) if value else ("", ""))
                rows.append(cells)
            title = f"{pair.second.name} minus {pair.first.name}: {one.shared.name}"
            made.append(
                {"title": title, "names": [*map(names.name, range(len(rows)))], "rows": rows}
            )
    return made


def _side_json(side: Side) -> dict[str, Any]:
    damaged = [o for o in side.without_result if o.status == RunStatus.UNREADABLE]
    others = [o for o in side.without_result if o.status != RunStatus.UNREADABLE]
    return {
        "name": side.name,
        "directory": str(side.directory),
        "runs": list(side.runs["label"]),
        "unfinished": [f"{one.label}: {one.status}: {one.reason}" for one in others],
        "problems": [f"{one.label}: {one.reason}" for one in damaged],
    }


def _pair_json(pair: Pair) -> dict[str, Any]:
    words = {"sentence": verdict_sentence(pair), "caveats": caveats(pair)}
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "verdict": asdict(pair.verdict) | words,
        "changed_settings": pair.matched.changed,
        "only_first": pair.matched.only_first,
        "only_second": pair.matched.only_second,
        "mean": [asdict(change) for change in pair.mean],
        "shared": [_shared_json(one) for one in pair.changes],
        "times_do_not_compare": time_reasons(pair),
    }


def _shared_json(one: ConfigurationChange) -> dict[str, Any]:
    sides = (one.shared.first, one.shared.second)
    return {
        "configuration": one.shared.name,
        "seeds": [[int(seed) for seed in runs["seed"].dropna()] for runs in sides],
        "evidence": one.evidence,
        "reason": one.reason or None,
        "identical": one.identical,
        "metrics": [asdict(change) for change in one.summaries],
        "digits": [asdict(change) for change in one.digits],
        "costs": [{**asdict(cost), "ratio": cost.ratio} for cost in one.costs],
        "confusion_change": one.confusion,
        "flips": asdict(one.flips) if one.flips else None,
    }
