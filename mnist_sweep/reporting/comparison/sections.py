"""A comparison as sections of sentences and grids, the same for every format it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.compare.comparison import FEWEST_FOR_MEAN
from mnist_sweep.analysis.compare.images import most_moved
from mnist_sweep.analysis.compare.verdict import verdict
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import NOTHING, setting, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mnist_sweep.analysis.compare.changes import Change
    from mnist_sweep.analysis.compare.comparison import Comparison, Pair
    from mnist_sweep.analysis.compare.matching import Differing

MOST_ROWS = 40
"""Rows of one grid; the JSON has all."""
SHOWN_FLIPS = 12
_LONGEST = 60
_LONGEST_CELL = 90


@dataclass(frozen=True)
class Grid:
    """Headings and rows of text; `numeric` says which columns are set flush right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True)
class Section:
    """A title, sentences, and perhaps a grid. `detail` may be folded away."""

    title: str
    sentences: tuple[str, ...] = ()
    grid: Grid | None = None
    detail: bool = True


@dataclass(frozen=True)
class Page:
    """A whole comparison: its title, one verdict for each pair, caveats, and sections."""

    title: str
    verdicts: tuple[tuple[str, str], ...]
    caveats: tuple[str, ...]
    sections: tuple[Section, ...]


def page(comparison: Comparison) -> Page:
    """The comparison's text, one line each, unescaped."""
    names = [side.name for side in comparison.sides]
    found = [verdict(pair) for pair in comparison.pairs]
    caveats = dict.fromkeys(caveat for one in found for caveat in one.caveats)
    sections = [_differences(comparison)]
    for pair in comparison.pairs:
        prefix = f"{pair.second.name}: " if len(comparison.pairs) > 1 else ""
        if all(one.measured.identical for one in pair.changes):
            sections += [_configurations(pair, prefix), *_if_any(_costs(pair, prefix))]
            continue
        sections += [
            section
            for section in (
                _configurations(pair, prefix), _mean(pair, prefix), _metrics(pair, prefix),
                _digits(pair, prefix), _confusions(pair, prefix), _flips(pair, prefix),
                _costs(pair, prefix),
            )
            if section is not None
        ]  # fmt: skip
    sections += [_unread(comparison)]
    return Page(
        visible(f"{names[0]} against {', '.join(names[1:])}"),
        tuple((one.kind, visible(one.sentence)) for one in found),
        tuple(visible(caveat) for caveat in caveats),
        tuple(section for section in sections if section.sentences or section.grid),
    )


def _differences(comparison: Comparison) -> Section:
    parts = (
        ("setting", comparison.settings), ("seed", comparison.seeds), ("data", comparison.data),
        ("code", comparison.code), ("machine", comparison.machine),
    )  # fmt: skip
    rows = [
        (kind, one.name, *(_values(one, values) for values in one.values))
        for kind, part in parts
        for one in part
    ]
    if not rows:
        words = "Nothing differs in settings, seeds, data, code or machine."
        return Section("What differs", (words,), detail=False)
    headings = ("of", "name", *(side.name for side in comparison.sides))
    return Section("What differs", (), _grid(headings, rows, numeric=()), detail=False)


def _if_any(section: Section | None) -> list[Section]:
    return [] if section is None else [section]


def _configurations(pair: Pair, prefix: str) -> Section:
    matched = pair.matched
    sentences = []
    if matched.changed and matched.shared:
        names = ", ".join(matched.changed)
        sentences.append(f"Configurations are matched by all settings but {names}.")
    count = len(matched.shared)
    sentences.append(f"In both: {count} configuration{'' if count == 1 else 's'}.")
    for side, only in ((pair.first, matched.only_first), (pair.second, matched.only_second)):
        if only:
            sentences.append(f"Only in {side.name} ({len(only)}): {_listed(only)}.")
    return Section(f"{prefix}Configurations", tuple(map(visible, sentences)), detail=False)


def _mean(pair: Pair, prefix: str) -> Section | None:
    if len(pair.changes) < FEWEST_FOR_MEAN:
        return None
    rows = [(c.metric, *_change(c)) for c in pair.mean]
    note = (
        f"Mean over the {len(pair.changes)} shared configurations; the interval is of how much "
        "they differ among themselves (Student's t)."
    )
    grid = _grid(("metric", *_headings(pair)), rows, numeric=range(1, 7))
    return Section(f"{prefix}Change on average", (note,), grid, detail=False)


def _metrics(pair: Pair, prefix: str) -> Section | None:
    rows = [
        (one.shared.name, change.metric, *_change(change))
        for one in pair.changes
        for change in one.measured.summaries
    ]
    covers = sorted({c.covers for one in pair.changes for c in one.measured.summaries if c.covers})
    note = (
        f"Intervals at 95 % cover {' or '.join(covers)}; p is corrected by Holm's method over the "
        "whole table."
        if covers
        else "Without predictions and without repeats nothing can be tested."
    )
    title = f"{prefix}Metrics on the {pair.first.split} split" if pair.first.split else "Metrics"
    grid = _grid(("configuration", "metric", *_headings(pair)), rows, numeric=range(2, 8))
    return Section(title, (note,), grid) if rows else None


def _digits(pair: Pair, prefix: str) -> Section | None:
    """One row per configuration: the change of each digit's F1, significant ones marked."""
    labels = list(
        dict.fromkeys(
            change.metric.partition(".")[2]
            for one in pair.changes
            for change in one.measured.digits
        )
    )
    if not labels:
        return None
    rows = []
    for one in pair.changes:
        own = {change.metric.partition(".")[2]: change for change in one.measured.digits}
        cells = (_marked(own[label]) if label in own else NOTHING for label in labels)
        rows.append((one.shared.name, *cells))
    grid = _grid(("configuration", *labels), rows, numeric=range(1, len(labels) + 1))
    note = "Change of each digit's F1; * is significant after Holm's correction over the table."
    return Section(f"{prefix}F1 by digit", (note,), grid)


def _confusions(pair: Pair, prefix: str) -> Section | None:
    rows = [
        (one.shared.name, str(cell.true), str(cell.predicted), f"{cell.change:+.3g}")
        for one in pair.changes
        if one.confusion is not None
        for cell in most_moved(one.confusion)
    ]
    if not rows:
        return None
    headings = ("configuration", "true", "taken for", "images per run")
    grid = _grid(headings, rows, numeric=(1, 2, 3))
    return Section(f"{prefix}Confusions that moved most", (), grid)


def _flips(pair: Pair, prefix: str) -> Section | None:
    rows = []
    for one in pair.changes:
        found = one.measured.flips
        if found is None or not found.changed:
            continue
        shown = [f"{f.image} ({f.true}: {f.first}→{f.second})" for f in found.examples]
        more = " …" if len(shown) > SHOWN_FLIPS else ""
        counts = (str(found.gained), str(found.lost), str(found.changed))
        rows.append((one.shared.name, *counts, ", ".join(shown[:SHOWN_FLIPS]) + more))
    if not rows:
        return None
    headings = ("configuration", "now right", "now wrong", "other answer", "image (true: was→is)")
    grid = Grid(
        headings,
        tuple(tuple(map(visible, row)) for row in rows[:MOST_ROWS]),
        (False, True, True, True, False),
    )
    note = f"Rows of the {pair.first.split} split, counted from 0; the JSON lists up to 1,000."
    return Section(f"{prefix}Images that flipped", (note,), grid)


def _costs(pair: Pair, prefix: str) -> Section | None:
    rows = [
        (
            one.shared.name, cost.name, three_digits(cost.first), three_digits(cost.second),
            f"x {cost.ratio:.2f}" if cost.ratio is not None else NOTHING,
        )
        for one in pair.changes
        for cost in one.costs
    ]  # fmt: skip
    if not rows:
        return None
    notes: tuple[str, ...] = ()
    if pair.incomparable_times:
        notes = (f"Times do not compare: {'; '.join(pair.incomparable_times)}.",)
    headings = ("configuration", "cost", pair.first.name, pair.second.name, "ratio")
    grid = _grid(headings, rows, numeric=(2, 3, 4))
    return Section(f"{prefix}Time and memory", tuple(map(visible, notes)), grid)


def _unread(comparison: Comparison) -> Section:
    lines = [f"{side.name}: {line}" for side in comparison.sides for line in side.unfinished] + [
        line for side in comparison.sides for line in side.problems
    ]
    if len(lines) > MOST_ROWS:
        lines = [*lines[:MOST_ROWS], f"… and {len(lines) - MOST_ROWS} more"]
    return Section("Without a result", tuple(visible(shortened(line, 400)) for line in lines))


def _headings(pair: Pair) -> tuple[str, ...]:
    return (pair.first.name, pair.second.name, "change", "low", "high", "p")


def _change(change: Change) -> tuple[str, ...]:
    ends = (change.low, change.high)
    low, high = (f"{end:+.4f}" if end is not None else NOTHING for end in ends)
    p_value = NOTHING
    if change.p_holm is not None:
        p_value = ("<0.0001" if change.p_holm < 1e-4 else f"{change.p_holm:.4f}") + (
            "*" if change.significant() else ""
        )
    values = (_metric(change.first), _metric(change.second), f"{change.change:+.4f}")
    return (*values, low, high, p_value)


def _metric(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def _marked(change: Change) -> str:
    if change.change == 0:
        return "0"
    return f"{change.change:+.3f}{'*' if change.significant() else ''}"


def _values(one: Differing, values: Sequence[Any]) -> str:
    texts = [setting(value) for value in values]
    if one.name in ("sha256", "git_sha"):
        texts = [text[:12] for text in texts]
    return shortened(", ".join(texts) or NOTHING, _LONGEST)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return "; ".join(names[:8]) + more


def _grid(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Iterable[int]
) -> Grid:
    """A grid cut to `MOST_ROWS`; a last row says how many more there are."""
    whole = [tuple(shortened(visible(cell), _LONGEST_CELL) for cell in row) for row in rows]
    if len(whole) > MOST_ROWS:
        left = f"… and {len(whole) - MOST_ROWS} more"
        whole = [*whole[:MOST_ROWS], (left, *("",) * (len(headings) - 1))]
    right = set(numeric)
    flags = tuple(index in right for index in range(len(headings)))
    return Grid(tuple(map(visible, headings)), tuple(whole), flags)
