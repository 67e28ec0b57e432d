"""Plots of results: learning curves, accuracy and cost, spread over seeds, a search's course."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, zip_longest
from statistics import fmean

from mnist_sweep.analysis.configurations import Configuration, extremes, has_repeats
from mnist_sweep.metrics import Format, Metric, resolve
from mnist_sweep.reporting.figures.plot import (
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
from mnist_sweep.reporting.phrases.names import extent

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
