"""A comparison as a page of sections: sentences and grids, the same for text, Markdown and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mnist_sweep.analysis.compare.comparison import MIN_FOR_MEAN
from mnist_sweep.analysis.compare.images import most_moved
from mnist_sweep.reporting.comparison.phrases import (
    caveats,
    time_reasons,
    verdict_sentence,
)
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import NOTHING, setting, three_digits
from mnist_sweep.reporting.phrases.values import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mnist_sweep.analysis.compare.changes import Change
    from mnist_sweep.analysis.compare.comparison import Comparison, Pair
    from mnist_sweep.analysis.compare.matching import Differing
    from mnist_sweep.analysis.compare.verdict import VerdictKind

MAX_ROWS = 40
"""Rows of one grid; the JSON has all."""
MAX_SHOWN_FLIPS = 12
_MAX_NAMES = 8
_MAX_VALUES = 60
_MAX_CELL = 90


class Grid(NamedTuple):
    """Headings and rows of text; `numeric` says which columns are aligned right."""

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
    verdicts: tuple[tuple[VerdictKind, str], ...]
    caveats: tuple[str, ...]
    sections: tuple[Section, ...]


def page(comparison: Comparison) -> Page:
    """The comparison's text, one line each, unescaped."""
    names = [side.name for side in comparison.sides]
    sections = [_differences(comparison)]
    for pair in comparison.pairs:
        prefix = f"{pair.second.name}: " if len(comparison.pairs) > 1 else ""
        sections += _of_pair(pair, prefix)
    sections.append(_without_result(comparison))
    return Page(
        visible(f"{names[0]} against {', '.join(names[1:])}"),
        tuple((p.verdict.kind, visible(verdict_sentence(p))) for p in comparison.pairs),
        tuple(dict.fromkeys(visible(text) for pair in comparison.pairs for text in caveats(pair))),
        tuple(section for section in sections if section.sentences or section.grid),
    )


def _of_pair(pair: Pair, prefix: str) -> Iterator[Section]:
    yield _configurations(pair, prefix)
    if not all(one.identical for one in pair.changes):
        if len(pair.changes) >= MIN_FOR_MEAN:
            yield _mean(pair, prefix)
        yield _metrics(pair, prefix)
        yield _digits(pair, prefix)
        yield _confusions(pair, prefix)
        yield _flips(pair, prefix)
    yield _costs(pair, prefix)


def _differences(comparison: Comparison) -> Section:
    rows = [
        (part.removesuffix("s"), one.name, *(_values(one, values) for values in one.by_side))
        for part, found in comparison.differs.items()
        for one in found
    ]
    note = () if rows else ("Nothing differs in settings, seeds, data, code or machine.",)
    headings = ("of", "name", *(side.name for side in comparison.sides))
    return Section("What differs", note, _grid(headings, rows), detail=False)


def _configurations(pair: Pair, prefix: str) -> Section:
    matched = pair.matched
    sentences = []
    if matched.changed and matched.shared:
        names = ", ".join(matched.changed)
        sentences.append(f"Configurations are matched by all settings but {names}.")
    sentences.append(f"In both: {counted(len(matched.shared), 'configuration')}.")
    for side, only in ((pair.first, matched.only_first), (pair.second, matched.only_second)):
        if only:
            more = f" and {len(only) - _MAX_NAMES} more" if len(only) > _MAX_NAMES else ""
            names = "; ".join(only[:_MAX_NAMES])
            sentences.append(f"Only in {side.name} ({len(only)}): {names}{more}.")
    return Section(f"{prefix}Configurations", tuple(map(visible, sentences)), detail=False)


def _mean(pair: Pair, prefix: str) -> Section:
    rows = [(change.metric, *_change(change)) for change in pair.mean]
    note = (
        f"Mean over the {len(pair.changes)} shared configurations; the interval shows how much "
        "they differ among themselves (Student's t)."
    )
    grid = _grid(("metric", *_headings(pair)), rows, 1)
    return Section(f"{prefix}Change on average", (note,), grid, detail=False)


def _metrics(pair: Pair, prefix: str) -> Section:
    rows = [
        (one.shared.name, change.metric, *_change(change))
        for one in pair.changes
        for change in one.summaries
    ]
    every = [change for one in pair.changes for change in one.summaries]
    covers = sorted({change.covers for change in every if change.covers})
    note = "Without predictions and without repeats nothing can be tested."
    if covers:
        note = f"Intervals at 95 % cover {', or '.join(covers)}"
        tested = any(change.p_value is not None for change in every)
        corrected = "; p is corrected by Holm's method over the whole table."
        note += corrected if tested else "; with one run each there is no p."
    split = f" on the {pair.first.split} split" if pair.first.split else ""
    grid = _grid(("configuration", "metric", *_headings(pair)), rows, 2)
    return Section(f"{prefix}Metrics{split}", (note,) if rows else (), grid)


def _digits(pair: Pair, prefix: str) -> Section:
    """One row per configuration: the change of each digit's F1, significant ones marked."""
    changes = [{c.metric.partition(".")[2]: c for c in one.digits} for one in pair.changes]
    labels = [*dict.fromkeys(label for own in changes for label in own)]
    rows = [
        (one.shared.name, *(_marked(own[k]) if k in own else NOTHING for k in labels))
        for one, own in zip(pair.changes, changes, strict=True)
    ]
    if not labels:
        return Section("")
    note = "Change of each digit's F1; * is significant after Holm's correction over the table."
    grid = _grid(("configuration", *labels), rows, 1)
    return Section(f"{prefix}F1 by digit", (note,), grid)


def _confusions(pair: Pair, prefix: str) -> Section:
    rows = [
        (one.shared.name, str(cell.true), str(cell.predicted), f"{cell.change:+.3g}")
        for one in pair.changes
        for cell in most_moved(one.confusion or ())
    ]
    headings = ("configuration", "true", "predicted", "images per run")
    return Section(f"{prefix}Confusions that moved most", (), _grid(headings, rows, 1))


def _flips(pair: Pair, prefix: str) -> Section:
    rows = []
    for one in pair.changes:
        found = one.flips
        if found is not None and found.changed:
            shown = [f"{f.image} ({f.true}: {f.first}→{f.second})" for f in found.examples]
            more = " …" if len(shown) > MAX_SHOWN_FLIPS else ""
            counts = (str(found.gained), str(found.lost), str(found.changed))
            rows.append((*counts, ", ".join(shown[:MAX_SHOWN_FLIPS]) + more, one.shared.name))
    headings = ("now right", "now wrong", "other answer", "image (true: was→is)", "configuration")
    grid = _grid(headings, rows, 0, 3, longest=1000)
    note = f"Rows of the {pair.first.split} split, counted from 0; the JSON lists up to 1,000."
    return Section(f"{prefix}Images that flipped", (note,) if rows else (), grid)


def _costs(pair: Pair, prefix: str) -> Section:
    rows = [
        (
            one.shared.name, cost.name, three_digits(cost.first), three_digits(cost.second),
            f"x {cost.ratio:.2f}" if cost.ratio is not None else NOTHING,
        )
        for one in pair.changes
        for cost in one.costs
    ]  # fmt: skip
    reasons = time_reasons(pair)
    notes = (visible(f"Times do not compare: {'; '.join(reasons)}."),) if rows and reasons else ()
    headings = ("configuration", "cost", pair.first.name, pair.second.name, "ratio")
    return Section(f"{prefix}Time and memory", notes, _grid(headings, rows, 2))


def _without_result(comparison: Comparison) -> Section:
    lines = [
        f"{side.name}: {one.label}: {one.status}: {one.reason}"
        for side in comparison.sides
        for one in side.without_result
    ]
    if len(lines) > MAX_ROWS:
        lines = [*lines[:MAX_ROWS], f"… and {len(lines) - MAX_ROWS} more"]
    return Section("Without a result", tuple(visible(shortened(line, 400)) for line in lines))


def _headings(pair: Pair) -> tuple[str, ...]:
    return (pair.first.name, pair.second.name, "change", "low", "high", "p")


def _change(change: Change) -> tuple[str, ...]:
    low, high = (f"{e:+.4f}" if e is not None else NOTHING for e in (change.low, change.high))
    p_value = NOTHING
    if change.p_holm is not None:
        p_value = "<0.0001" if change.p_holm < 1e-4 else f"{change.p_holm:.4f}"
        p_value += "*" if change.significant else ""
    values = (_metric(change.first), _metric(change.second), f"{change.change:+.4f}")
    return (*values, low, high, p_value)


def _metric(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.6g}"


def _marked(change: Change) -> str:
    mark = "*" if change.significant else ""
    return f"{change.change:+.3f}{mark}" if change.change else "0"


def _values(one: Differing, values: Sequence[Any]) -> str:
    texts = [setting(value) for value in values]
    if one.name in ("sha256", "git_sha"):
        texts = [text[:12] for text in texts]
    return shortened(", ".join(texts) or NOTHING, _MAX_VALUES)


def _grid(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    numeric_from: int | None = None,
    numeric_to: int | None = None,
    *,
    longest: int = _MAX_CELL,
) -> Grid | None:
    """A grid cut to `MAX_ROWS`, with a last row that says how many more there are, or None."""
    whole = [tuple(shortened(visible(cell), longest) for cell in row) for row in rows]
    if not whole:
        return None
    if len(whole) > MAX_ROWS:
        left = f"… and {len(whole) - MAX_ROWS} more"
        whole = [*whole[:MAX_ROWS], (left, *("",) * (len(headings) - 1))]
    places = range(len(headings))
    right = () if numeric_from is None else places[numeric_from:numeric_to]
    flags = tuple(place in right for place in places)
    return Grid(tuple(map(visible, headings)), tuple(whole), flags)
