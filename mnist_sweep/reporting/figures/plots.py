"""The plots of a report: curves, cost, spread, a search's course, and what settings do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate, zip_longest
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from mnist_sweep.analysis.configurations import (
    Configuration,
    extremes,
    has_repeats,
    ranked,
    varying_settings,
)
from mnist_sweep.analysis.importance import importance, is_continuous, is_wide
from mnist_sweep.analysis.varying import order_key
from mnist_sweep.metrics import Format, Metric, resolve
from mnist_sweep.reporting.figures.plot import (
    GAP,
    Axis,
    Kind,
    Plot,
    Point,
    Series,
    axis_title,
    beside,
    known,
    means,
    on_axis,
    spans_widely,
)
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import extent, setting_title, text_of

MAX_CURVES, MAX_ROWS = 8, 30
# More configurations than this are dots alike, without a legend.
_MAX_NAMED = 12
# Epochs of a line with a marker for each.
_MAX_MARKED = 30
# What is drawn of networks, with its title and factor; of a task the first two that it reports.
_MEASURES = {"loss": ("Loss", 1), "accuracy": ("Accuracy [%]", 100)}
_ACCURACY = resolve("test.accuracy")
_COSTS = (resolve("time.train_s"), resolve("parameters"))
_SPREAD = (_ACCURACY, resolve("test.f1_min"))
_STARTED = "environment.started_at"
# Fewer lines of parallel coordinates than this are read more easily in the tables.
_MIN_LINES = 6
_MAX_SETTINGS = 12
_MAX_VALUES = 24
_MAX_COLUMNS, _MAX_TICKS = 9, 12
# Lines are drawn in this many shades, one series each: 1,000 series would be slow.
_SHADES = 8


def curves(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """Loss and accuracy by epoch: means over a configuration's runs; of many the best and worst."""
    import pandas as pd

    few = extremes(shown, MAX_CURVES, by)
    reported = dict.fromkeys(
        name.removeprefix("val_")
        for one in few for record in one.records
        for name, values in record.history.model_dump().items() if values
    )  # fmt: skip
    measures = [*dict.fromkeys([*filter(reported.__contains__, _MEASURES), *reported])]
    series, axes = [], []
    for panel, measure in enumerate(measures[: len(_MEASURES)]):
        title, factor = _MEASURES.get(measure, (measure, 1))
        for one in few:
            place = shown.index(one)
            for split, name in (("validation", f"val_{measure}"), ("training", measure)):
                runs = [getattr(record.history, name, []) for record in one.records]
                # Of each epoch the mean over the runs that came so far.
                epochs = pd.DataFrame([*zip_longest(*runs)], dtype=float)
                y = (factor * epochs.mean(axis=1)).tolist()
                points = [
                    Point(k, v, f"{one.name}\nepoch {k}, {split}: {v:.4g}", place)
                    for k, v in enumerate(y, 1)
                ]
                kind: Kind = "dashed"
                if split == "validation":
                    kind = "both" if len(y) <= _MAX_MARKED else "line"
                if points:
                    series.append(Series(points, panel, one.name, place, kind, size=6))
        values = (p.y for line in series if line.panel == panel for p in line.points)
        axes.append(Axis(title, is_log=measure == "loss" and spans_widely(values)))
    if not series:
        return None
    x = [Axis("Epoch", is_whole=True)] * len(axes)
    return Plot("learning-curves", x, axes, series, extent(few, shown, by))


def cost(shown: Sequence[Configuration]) -> Plot | None:
    """Test accuracy against training time and parameters; None where they are not known."""
    accuracy, costs = known(shown, (_ACCURACY,)), known(shown, _COSTS)
    if not accuracy or not costs:
        return None
    axes, series = [], []
    y, title = means(shown, _ACCURACY), axis_title(_ACCURACY)
    for panel, metric in enumerate(costs):
        x, own = means(shown, metric), axis_title(metric)
        texts = [written(one.mean(metric.column), metric.format) for one in shown]
        points = [
            Point(x[k], y[k], f"{one.name}\n{title}: {y[k]:.2f}\n{own}: {texts[k]}", k)
            for k, one in enumerate(shown)
        ]
        if len(shown) <= _MAX_NAMED:
            series += [
                Series([point], panel, one.name, k, size=11)
                for k, (one, point) in enumerate(zip(shown, points, strict=True))
            ]
        else:
            series.append(Series(points, panel, size=7, opacity=0.6))
        axes.append(Axis(own, spans_widely(x), is_whole=metric.format is Format.COUNT))
    return Plot("accuracy-against-cost", axes, [Axis(title)], series)


def spread(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """A row per configuration, with its runs and their mean; None without repeats."""
    if not has_repeats(shown):
        return None
    rows = extremes(shown, MAX_ROWS, by)
    axes, series = [], []
    for panel, metric in enumerate(known(shown, _SPREAD) or [by]):
        title, centres = axis_title(metric), []
        for row, one in enumerate(rows):
            x, place = on_axis(metric, one.values(metric.column)), shown.index(one)
            dots = [
                Point(value, offset - row, f"{one.name}\n{title}: {value:.4g}", place)
                for value, offset in zip(x, beside(len(x)), strict=False)
            ]
            series.append(Series(dots, panel, opacity=0.7, size=7))
            mean = fmean(x) if x else math.nan
            centres.append(Point(mean, -row, f"mean {mean:.4g}"))
        series.append(Series(centres, panel, look=1, size=9))
        axes.append(Axis(title))
    names = [(float(-row), one.name) for row, one in enumerate(rows)]
    y = [Axis(ticks=names, limits=(0.5 - len(rows), 0.5))]
    height = 110 + 30 * len(rows)
    return Plot("spread", axes, y, series, extent(rows, shown, by), height=height)


def history(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """Of a search each finished run in order of its start, and the best so far."""
    runs = sorted(
        (str(at), place, value)
        for place, one in enumerate(shown) if _STARTED in one and by.column in one
        for at, value in zip(one.frame[_STARTED], one.frame[by.column], strict=True)
        if math.isfinite(value)
    )  # fmt: skip
    y = on_axis(by, (value for *_, value in runs))
    dots = [
        Point(k, value, f"run {k}\n{shown[place].name}\n{value:.4g}", place)
        for k, ((_, place, _), value) in enumerate(zip(runs, y, strict=True), 1)
    ]
    best = [
        Point(k, value, f"best of {k}: {value:.4g}")
        for k, value in enumerate(accumulate(y, max if by.higher_is_better else min), 1)
    ]
    series = [
        Series(dots, name="Runs", opacity=0.75),
        Series(best, name="Best so far", look=1, kind="line"),
    ]
    x = Axis("Run, in order of its start", is_whole=True)
    return Plot("history", [x], [Axis(axis_title(by))], series, by=str(by)) if runs else None


def effects(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """The objective by the values of every setting that varies, at most 12.

    Every configuration is a dot; a line joins the means at each value of a setting with few. In a
    grid these are main effects, elsewhere other settings may differ along.
    """
    axes: list[Axis] = []
    series: list[Series] = []
    score = means(shown, by)
    hover = [f"{one.name}\n{y:.4g}" for one, y in zip(shown, score, strict=True)]
    for name in varying_settings(shown)[:_MAX_SETTINGS]:
        values: list[Any] = [one.settings.get(name) for one in shown]
        panel = len(axes)
        if is_continuous(values):
            dots = [Point(*one, k) for k, one in enumerate(zip(values, score, hover, strict=True))]
            series.append(Series(dots, panel, opacity=0.75))
            axes.append(Axis(setting_title(name), spans_widely(values)))
            continue
        texts = _levels(values)[:_MAX_VALUES]
        if len(texts) < 2:
            continue
        dots, middle = [], []  # by the value's place: few values have a distance that means much
        for x, text in enumerate(texts):
            same = (k for k, value in enumerate(values) if text_of(value) == text)
            own = [k for k in same if math.isfinite(score[k])]
            dots += [
                Point(x + offset, score[k], hover[k], k)
                for k, offset in zip(own, beside(len(own)), strict=False)
            ]
            y = fmean(score[k] for k in own) if own else math.nan
            middle.append(Point(x, y, f"{name}={text}\nmean {y:.4g}"))
        series += [Series(dots, panel, size=6, opacity=0.6), Series(middle, panel, "", 1, "both")]
        title, limits = setting_title(name), (-0.5, len(texts) - 0.5)
        axes.append(Axis(title, ticks=[*enumerate(texts)], limits=limits))
    if not axes:
        return None
    return Plot("effects", axes, [Axis(axis_title(by))], series, by=str(by), height=300)


def importances(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """The share of the objective's variance that each setting explains, with its interval.

    None where the intervals say nothing: of no setting that it matters, nor that it explains less
    than half.
    """
    found = importance(shown, by)[:_MAX_SETTINGS]
    if not any(one.low > 0.01 or one.high < 0.5 for one in found):
        return None
    dots, bars = [], []
    for row, one in enumerate(found):
        mid, low, high = (100 * share for share in (one.share, one.low, one.high))
        text = f"{one.setting}: {mid:.0f} % ({low:.0f} to {high:.0f})"
        dots.append(Point(mid, -row, text))
        bars += [Point(low, -row, text), Point(high, -row, text), GAP]
    x = Axis("Share of the differences [%]", limits=(-3, 103))
    ticks = [(float(-row), setting_title(one.setting)) for row, one in enumerate(found)]
    y = Axis(ticks=ticks, limits=(0.5 - len(found), 0.5))
    series = [Series(bars, kind="line"), Series(dots, size=10)]
    return Plot("importance", [x], [y], series, by=str(by), height=110 + 34 * len(found))


class _Column(NamedTuple):
    """One of the parallel axes: heights 0 to 1 of each configuration, NaN if unknown, and ticks."""

    name: str
    heights: list[float]
    ticks: list[tuple[float, str]]


def parallel(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """A line per configuration through settings (at most 9) and results, the best strongest."""
    names = varying_settings(shown)[:_MAX_COLUMNS]
    if len(shown) < _MIN_LINES or len(names) < 2:
        return None
    columns = [_setting(name, [one.settings.get(name) for one in shown]) for name in names]
    for metric in dict.fromkeys((*known(shown, (_COSTS[0], _ACCURACY)), by)):
        found = (one.mean(metric.column) for one in shown)
        values = [math.nan if value is None else value for value in found]
        columns.append(_scaled(axis_title(metric), values, partial(written, style=metric.format)))
    rank = np.empty(len(shown), int)
    rank[ranked(shown, by)[::-1]] = np.arange(len(shown))  # the best has the highest
    shades = rank * _SHADES // len(shown)
    series = []
    for shade in range(_SHADES):
        points = [
            point
            for k in np.flatnonzero(shades == shade).tolist()
            for point in (
                *(Point(x, one.heights[k], shown[k].name, k) for x, one in enumerate(columns)), GAP
            )
        ]  # fmt: skip
        opacity = 0.85 if len(shown) < 100 else 0.5
        series.append(Series(points, kind="line", shade=shade / (_SHADES - 1), opacity=opacity))
    x = Axis(ticks=[(k, one.name) for k, one in enumerate(columns)],
             limits=(-0.15, len(columns) - 0.35))  # fmt: skip
    labels = [(k, y, text) for k, one in enumerate(columns) for y, text in one.ticks]
    y = Axis(limits=(-0.06, 1.06))
    return Plot("parallel-coordinates", [x], [y], series, by=str(by), height=440, labels=labels)


def _levels(values: Sequence[Any]) -> list[str]:
    """The different values of a setting as text, in order."""
    return [*dict.fromkeys(text_of(value) for value in sorted(values, key=order_key))]


def _setting(name: str, values: list[Any]) -> _Column:
    title = setting_title(name)
    if is_continuous(values):
        return _scaled(title, values, lambda value: text_of(float(f"{value:.3g}")))
    texts = _levels(values)
    heights = {text: place / max(len(texts) - 1, 1) for place, text in enumerate(texts)}
    ticks = [(y, text) for text, y in heights.items()][:: -(-len(texts) // _MAX_TICKS)]
    return _Column(title, [heights[text_of(value)] for value in values], ticks)


def _scaled(name: str, values: Sequence[float], text: Callable[[float], str]) -> _Column:
    """A continuous axis from the lowest to the highest value; logarithmic if they span widely."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return _Column(name, list(values), [])
    is_log = is_wide(finite)
    scale = math.log10 if is_log else float
    low, high = min(finite), max(finite)
    inner = 10 ** round((scale(low) + scale(high)) / 2) if is_log else (low + high) / 2
    span = scale(high) - scale(low) or 1.0
    heights = [(scale(value) - scale(low)) / span for value in (*values, inner)]
    between = heights.pop()
    ticks = [(0.0, low), *([(1.0, high)] if high > low else [])]
    ticks += [(between, inner)] if 0.1 < between < 0.9 else []
    return _Column(f"{name} (log)" if is_log else name, heights, [(y, text(v)) for y, v in ticks])
