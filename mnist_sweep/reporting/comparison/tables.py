"""A comparison as tables, the same for text, Markdown and HTML; some are sentences alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from mnist_sweep.analysis.compare import Comparison, Pair
from mnist_sweep.analysis.compare.changes import Change
from mnist_sweep.errors import visible
from mnist_sweep.metrics import Format, Metric
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.comparison.phrases import metric_of, scale, signed, time_reasons
from mnist_sweep.reporting.escape import listed
from mnist_sweep.reporting.numbers import NOTHING, setting, three_digits
from mnist_sweep.reporting.phrases.values import counted, metric_title
from mnist_sweep.reporting.tables.rows import Classes, classes_of
from mnist_sweep.reporting.tables.table import Column, Rows, Table

# Rows of one table; the JSON has all.
MAX_ROWS = 40
# Rows of one table where there are few lines in all.
SHORT_ROWS = 6
# Tables that a reader sees first; the others may be folded away.
OPEN = ("differs", "configurations", "average")
MAX_SHOWN_FLIPS = 12
# Confusions of one configuration.
MAX_MOVED = 8
_MAX_NAMES = 8
_MAX_NAME = 24


class _Texts(NamedTuple):
    """A table of texts; all but the first `n_texts` columns are aligned right."""

    name: str
    title: str
    headings: Sequence[str] = ()
    rows: Sequence[tuple[str, ...]] = ()
    notes: Sequence[str] = ()
    n_texts: int = 1


def tables(comparison: Comparison, *, short: bool = False) -> list[Table]:
    """The comparison's tables with anything to show; `short` is the first ones, a few rows each."""
    most = SHORT_ROWS if short else MAX_ROWS
    found = [_table(_differences(comparison), most)]
    for pair in comparison.pairs:
        prefix = f"{pair.second.name}: " if len(comparison.pairs) > 1 else ""
        found += [_table(one, most, prefix) for one in _of_pair(pair, most, short=short)]
    if not short:
        lines = [
            f"{side.name}: {one.label}: {one.status}: {one.reason}"
            for side in comparison.sides
            for one in side.without_result
        ]
        notes = _cut(lines, most)
        found.append(_table(_Texts("excluded", "Excluded (no result)", notes=notes), most))
    return [one for one in found if one.columns or one.notes]


def _of_pair(pair: Pair, most: int, *, short: bool) -> Iterator[_Texts]:
    yield _configurations(pair)
    # Where all predictions are the same, only times may differ.
    if not all(one.identical for one in pair.changes):
        yield _metrics(pair, short=short)
        if len(pair.changes) > 1:
            yield _average(pair)
        if not short:
            classes = classes_of(pair.first.runs)
            yield _by_class(pair, classes)
            yield _confusions(pair, classes)
            yield _flips(pair, classes, most)
    yield _costs(pair)


def _differences(comparison: Comparison) -> _Texts:
    rows = []
    for part, found in comparison.differs.items():
        for one in found:
            length = 12 if one.name in ("sha256", "git_sha") else None
            texts = [", ".join(setting(v)[:length] for v in own) or NOTHING for own in one.by_side]
            rows.append((part.removesuffix("s"), one.name, *texts))
    nothing = "Nothing differs in settings, seeds, data, code or machine."
    if any(side.split is None for side in comparison.sides):
        nothing = "Settings and seeds do not differ. Data, code and machine are not known of all."
    headings = ("kind", "name", *(side.name for side in comparison.sides))
    notes = () if rows else (nothing,)
    # Numbers too stand left here: a column mixes them with words.
    return _Texts("differs", "What differs", headings, rows, notes, n_texts=9)


def _configurations(pair: Pair) -> _Texts:
    matched = pair.matched
    notes = []
    if matched.changed and matched.shared:
        names = ", ".join(matched.changed)
        notes.append(f"Configurations are matched by all settings except {names}.")
    notes.append(f"In both: {counted(len(matched.shared), 'configuration')}.")
    for side, only in ((pair.first, matched.only_first), (pair.second, matched.only_second)):
        if only:
            notes.append(f"Only in {side.name} ({len(only)}): {listed(only, _MAX_NAMES)}.")
    return _Texts("configurations", "Configurations", notes=notes)


def _average(pair: Pair) -> _Texts:
    rows = []
    for mean in pair.mean:
        own = [c.change for one in pair.changes for c in one.summaries if c.metric == mean.metric]
        moved = [sum(value > 0 for value in own), sum(value < 0 for value in own)]
        metric = metric_of(pair, mean)
        rows.append((_heading(metric), *_means(mean, metric), *map(str, moved)))
    headings = ("metric", *_sides(pair), "change", "higher in", "lower in")
    title = f"Means over the {len(pair.changes)} shared configurations, not tested"
    return _Texts("average", title, headings, rows)


def _metrics(pair: Pair, *, short: bool) -> _Texts:
    every = [(one.shared.name, change) for one in pair.changes for change in one.summaries]
    covers = sorted({change.covers for _, change in every if change.covers})
    note = "Without predictions or repeats nothing can be tested."
    if covers:
        named = [one.replace("images", "examples") for one in covers]
        note = f"Intervals at 95 % cover {', in some rows only '.join(named)}"
        tested = any(change.p_value is not None for _, change in every)
        corrected = "; p is corrected by Holm's method over the whole table."
        note += corrected if tested else "; with one run each there is no p."
    rows = []
    for name, change in every:
        metric = metric_of(pair, change)
        rows.append((name, _heading(metric), *_tested(change, metric)))
    headings = ["configuration", "metric", *_sides(pair), "change", "95 % interval", "p"]
    title, n_texts = "Metrics", 2
    if short and rows:
        # One column less: all metrics of one configuration, or one metric of all.
        dropped, n_texts = int(len(pair.changes) > 1), 1
        if dropped:
            title = f"{rows[0][1][0].upper()}{rows[0][1][1:]} of each configuration"
            rows = [row for row in rows if row[1] == rows[0][1]]
        rows = [(*row[:dropped], *row[dropped + 1 :]) for row in rows]
        del headings[dropped]
    split = f" on the {pair.first.split} split" if pair.first.split else ""
    return _Texts("metrics", title + split, headings, rows, (note,) if rows else (), n_texts)


def _by_class(pair: Pair, classes: Classes) -> _Texts:
    """One row per configuration: the change of each class's F1, significant ones marked."""
    changes = [{c.metric.partition(".")[2]: c for c in one.digits} for one in pair.changes]
    labels = [*dict.fromkeys(label for own in changes for label in own)]
    rows = [
        (one.shared.name, *(_class_change(own.get(label)) for label in labels))
        for one, own in zip(pair.changes, changes, strict=True)
        if labels
    ]
    word, headings = classes.word, ("configuration", *map(classes.name, labels))
    note = f"Change of each {word}'s F1; * is significant after Holm's correction over the table."
    return _Texts("digits", f"F1 by {word}", headings, rows, (note,) if rows else ())


def _class_change(found: Change | None) -> str:
    if found is None:
        return NOTHING
    return f"{found.change:+.3f}{'*' if found.significant else ''}" if found.change else "0"


def _confusions(pair: Pair, classes: Classes) -> _Texts:
    rows = []
    for one in pair.changes:
        cells = [
            (classes.name(true), classes.name(predicted), value)
            for true, row in enumerate(one.confusion or ())
            for predicted, value in enumerate(row)
            if true != predicted and value
        ]
        cells.sort(key=lambda cell: -abs(cell[2]))
        rows += [(one.shared.name, *names, f"{v:+.3g}") for *names, v in cells[:MAX_MOVED]]
    headings = ("configuration", "true", "predicted", "images per run")
    return _Texts("confusions", "Largest changes of confusions", headings, rows)


def _flips(pair: Pair, classes: Classes, most: int) -> _Texts:
    rows, notes = [], []
    for one in pair.changes:
        found = one.flips
        if found is not None and found.changed:
            counts = (found.gained, found.lost, found.changed)
            rows.append((one.shared.name, *map(str, counts)))
            shown = [
                f"{f.image} ({classes.name(f.true)}: {classes.name(f.first)}→"
                f"{classes.name(f.second)})"
                for f in found.examples[:MAX_SHOWN_FLIPS]
            ]
            more = " …" if len(found.examples) > MAX_SHOWN_FLIPS else ""
            notes.append(f"{one.shared.name}: {', '.join(shown)}{more}")
    if rows:
        notes = [
            f"Row numbers in the {pair.first.split} split, from 0 (true: old→new); more in JSON.",
            *_cut(notes, most),
        ]
    headings = ("configuration", "now correct", "now wrong", "all changed")
    return _Texts("flips", "Images with a changed prediction", headings, rows, notes)


def _costs(pair: Pair) -> _Texts:
    rows = []
    for one in pair.changes:
        for cost in one.costs:
            ratio = NOTHING if cost.ratio is None else f"x {cost.ratio:.2f}"
            both = map(three_digits, (cost.first, cost.second))
            rows.append((one.shared.name, cost.name, *both, ratio))
    reasons = time_reasons(pair)
    notes = [f"Times are not comparable: {'; '.join(reasons)}."] if rows and reasons else ()
    headings = ("configuration", "cost", *_sides(pair), "ratio")
    return _Texts("costs", "Time and memory", headings, rows, notes, n_texts=2)


def _sides(pair: Pair) -> tuple[str, str]:
    return pair.first.name, pair.second.name


def _heading(metric: Metric) -> str:
    """'accuracy [%]', 'lowest F1': the split is named above the table."""
    return metric_title(replace(metric, split=None)) + " [%]" * (metric.format is Format.PERCENT)


def _means(change: Change, metric: Metric) -> tuple[str, str, str]:
    factor, decimals = scale(metric)
    values = [factor * v for v in (change.first, change.second)]
    first, second = (f"{v:.{decimals}f}" if abs(v) < 1000 else f"{v:.6g}" for v in values)
    return first, second, signed(factor * change.change, decimals)


def _tested(change: Change, metric: Metric) -> tuple[str, ...]:
    span, p_value = NOTHING, NOTHING
    factor, decimals = scale(metric)
    if change.low is not None and change.high is not None:
        span = " to ".join(f"{factor * end:+.{decimals}f}" for end in (change.low, change.high))
    if change.p_holm is not None:
        p_value = "<0.0001" if change.p_holm < 1e-4 else f"{change.p_holm:.4f}"
        p_value += "*" if change.significant else ""
    return (*_means(change, metric), span, p_value)


def _cut(lines: Sequence[str], most: int) -> list[str]:
    left = [f"… and {len(lines) - most} more"] if len(lines) > most else []
    return [*lines[:most], *left]


def _table(texts: _Texts, most: int, prefix: str = "") -> Table:
    import pandas as pd

    rows, headings = texts.rows, texts.headings if texts.rows else ()
    if len(rows) > most:
        left = f"… and {len(rows) - most} more"
        rows = [*rows[:most], (left, *("",) * (len(headings) - 1))]
    columns = tuple(
        # The end of a path tells the sides apart.
        Column(
            f"column{place}",
            name if len(name) <= _MAX_NAME else f"…{name[1 - _MAX_NAME :]}",
            is_numeric=place >= texts.n_texts,
        )
        for place, name in enumerate(map(visible, headings))
    )
    frame = pd.DataFrame(rows, columns=[one.key for one in columns], dtype=object)
    frame = frame.assign(status=str(RunStatus.FINISHED), reason="")
    title, notes = visible(prefix + texts.title), tuple(map(visible, texts.notes))
    return Table(texts.name, title, columns, Rows(frame, frame), notes=notes)
