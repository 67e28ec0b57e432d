"""Parallel coordinates: every configuration a line through its settings to its results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, ranked, varying_settings
from mnist_sweep.analysis.importance import is_continuous, is_wide
from mnist_sweep.analysis.varying import order_key
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures.plot import Axis, Plot, Series, axis_title
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import text_of

MIN_LINES = 6
"""Fewer lines than this are read more easily in the tables."""
_RESULTS = (resolve("time.train_s"), resolve("test.accuracy"))
_MAX_SETTINGS = 9
_MAX_TICKS = 12
_SHADES = 8
"""Lines are drawn in this many shades, one series each: 1,000 series would be slow."""


class _Column(NamedTuple):
    """One of the axes: heights 0 to 1 of each configuration, NaN if unknown, and ticks."""

    name: str
    heights: list[float]
    ticks: list[tuple[float, str]]


def parallel(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """Settings that vary (at most 9), then results; the stronger the line, the better."""
    names = varying_settings(shown)[:_MAX_SETTINGS]
    if len(shown) < MIN_LINES or len(names) < 2:
        return None
    columns = [_setting(shown, name) for name in names]
    results = [one for one in _RESULTS if any(c.mean(one.column) is not None for c in shown)]
    columns += [_result(shown, metric) for metric in dict.fromkeys((*results, by))]
    rank = np.empty(len(shown), int)
    rank[ranked(shown, by)[::-1]] = np.arange(len(shown))  # the best has the highest
    shades = rank * _SHADES // len(shown)
    series = [
        _lines(shown, columns, np.flatnonzero(shades == k).tolist(), k) for k in range(_SHADES)
    ]
    ticks = tuple((float(k), column.name) for k, column in enumerate(columns))
    axis = Axis(ticks=ticks, limits=(-0.15, len(columns) - 0.35))
    labels = tuple((k, y, text) for k, one in enumerate(columns) for y, text in one.ticks)
    return Plot(
        "parallel-coordinates", ((axis, Axis(limits=(-0.06, 1.06))),), tuple(series), by=str(by),
        height=440, labels=labels, is_wide=True,
    )  # fmt: skip


def _lines(
    shown: Sequence[Configuration], columns: Sequence[_Column], members: list[int], shade: int
) -> Series:
    """The lines of one shade; a gap ends each."""
    width = len(columns) + 1
    y = [height for k in members for height in (*(c.heights[k] for c in columns), math.nan)]
    x = [*range(width - 1), math.nan] * len(members)
    names = [shown[k].name for k in members for _ in range(width)]
    places = [k for k in members for _ in range(width)]
    opacity = 0.85 if len(shown) < 100 else 0.5
    return Series(x, y, names, places, kind="line", shade=shade / (_SHADES - 1), opacity=opacity)


def _setting(shown: Sequence[Configuration], name: str) -> _Column:
    values: list[Any] = [one.settings.get(name) for one in shown]
    if is_continuous(values):
        return _scaled(name, values, text_of)
    order: dict[str, float] = {}
    for value in sorted(values, key=order_key):
        order.setdefault(text_of(value), float(len(order)))
    top = max(len(order) - 1, 1)
    step = -(-len(order) // _MAX_TICKS)
    ticks = [(place / top, text) for text, place in order.items() if place % step == 0]
    return _Column(name, [order[text_of(value)] / top for value in values], ticks)


def _result(shown: Sequence[Configuration], metric: Metric) -> _Column:
    values = [one.mean(metric.column) for one in shown]
    numbers = [math.nan if value is None else value for value in values]
    return _scaled(axis_title(metric), numbers, lambda value: written(value, metric.format))


def _scaled(name: str, values: Sequence[float], text: Any) -> _Column:
    """A continuous axis from the lowest to the highest value; logarithmic if they span widely."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return _Column(name, list(values), [])
    is_log = is_wide(known)
    low, high = min(known), max(known)
    ends = (math.log10(low), math.log10(high)) if is_log else (low, high)
    inner = (low + high) / 2
    if is_log:
        inner = 10 ** round(sum(ends) / 2)
        name += " (log)"
    span = ends[1] - ends[0] or 1.0
    heights = [((math.log10(v) if is_log else v) - ends[0]) / span for v in values]
    between = ((math.log10(inner) if is_log else inner) - ends[0]) / span
    ticks = [(0.0, low), (1.0, high)] if high > low else [(0.0, low)]
    ticks += [(between, inner)] if 0.1 < between < 0.9 else []
    return _Column(
        name, heights, [(y, text(float(f"{v:.3g}") if text is text_of else v)) for y, v in ticks]
    )
