"""Plots of settings: the objective by their values, how much each explains, all side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, ranked, varying_settings
from mnist_sweep.analysis.importance import importance, is_continuous, is_wide
from mnist_sweep.analysis.varying import order_key
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures.plot import (
    GAP,
    Axis,
    Plot,
    Point,
    Series,
    axis_title,
    beside,
    known,
    means,
    spans_widely,
)
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import setting_title, text_of

# Fewer lines of parallel coordinates than this are read more easily in the tables.
MIN_LINES = 6
_MAX_SETTINGS = 12
_MAX_VALUES = 24
_MAX_COLUMNS, _MAX_TICKS = 9, 12
# Lines are drawn in this many shades, one series each: 1,000 series would be slow.
_SHADES = 8
_RESULTS = (resolve("time.train_s"), resolve("test.accuracy"))


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
    if len(shown) < MIN_LINES or len(names) < 2:
        return None
    columns = [_setting(name, [one.settings.get(name) for one in shown]) for name in names]
    columns += [_result(shown, metric) for metric in dict.fromkeys((*known(shown, _RESULTS), by))]
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
    return Plot(
        "parallel-coordinates", [x], [y], series, by=str(by), height=440, labels=labels
    )  # fmt: skip


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


def _result(shown: Sequence[Configuration], metric: Metric) -> _Column:
    values = [one.mean(metric.column) for one in shown]
    numbers = [math.nan if value is None else value for value in values]
    return _scaled(axis_title(metric), numbers, lambda value: written(value, metric.format))


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
