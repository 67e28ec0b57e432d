"""The interactive plots, from the figures' data to what Plotly draws.

Colours of text, axes and paper are the page's and are set there. Every text given to Plotly is
escaped, because it takes a few tags in text for markup.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, extremes, has_repeats
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.figures import all_figures, style
from mnist_sweep.reporting.figures.cost import ACCURACY, COSTS, MAX_NAMED, cost_of
from mnist_sweep.reporting.figures.curves import MEASURES, Curves, curves_of, is_wide
from mnist_sweep.reporting.figures.effects import METRIC, effects_of
from mnist_sweep.reporting.figures.effects import spread as offsets
from mnist_sweep.reporting.figures.f1_by_digit import f1_by_digit_of
from mnist_sweep.reporting.figures.parallel import parallel_of
from mnist_sweep.reporting.figures.spread import METRICS, spread_of
from mnist_sweep.reporting.html.embed import rounded
from mnist_sweep.reporting.phrases.names import extent

Spec = dict[str, Any]
_SYMBOLS = (
    "circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star",
    "triangle-left", "triangle-right", "hexagon",
)  # fmt: skip
_SHADES = 8
"""Parallel lines are drawn in this many shades, one trace each: 1,000 traces would be slow."""


@dataclass(frozen=True)
class Plot:
    """One plot: `description` says in words what it shows, for those who cannot see it."""

    id: str
    title: str
    description: str
    height: int
    data: list[Spec]
    layout: Spec


def plots(shown: Sequence[Configuration], by: Metric) -> list[Plot]:
    """All plots of a report; of very many configurations some show the ends by the objective."""
    if not shown:
        return []
    few = extremes(shown, all_figures.MAX_CURVES, by)
    made = [_cost(shown), _curves(shown, few, by), _f1(shown, by)]
    made += [_effects(shown)] if len(shown) > 1 and effects_of(shown) else []
    made += [_spread(shown, by)] if has_repeats(shown) else []
    made += [_parallel(shown)] if all_figures.is_parallel(shown) else []
    return made


def escaped(text: str) -> str:
    """`text` for Plotly, which takes `<b>`, `<a>` and entities for markup."""
    return html.escape(text, quote=False)


def _cost(shown: Sequence[Configuration]) -> Plot:
    cost = cost_of(shown)
    few = len(shown) <= MAX_NAMED
    accuracy = rounded(100 * cost.accuracy)
    data: list[Spec] = []
    for side, metric in enumerate(COSTS, 1):
        label = style.axis_title(metric)
        x = rounded(cost.costs[metric.column])
        hover = [
            f"{escaped(name)}<br>{y} % test accuracy<br>{label}: {value:,}"
            for name, y, value in zip(cost.names, accuracy, [v or 0 for v in x], strict=True)
        ]
        groups = [[i] for i in range(len(shown))] if few else [list(range(len(shown)))]
        for group in groups:
            first = group[0]
            data.append({
                "type": "scatter", "mode": "markers", "xaxis": _axis("x", side),
                "yaxis": _axis("y", side),
                "x": [x[i] for i in group], "y": [accuracy[i] for i in group],
                "hoverinfo": "text", "hovertext": [hover[i] for i in group], "customdata": group,
                "name": escaped(cost.names[first]), "legendgroup": str(first),
                "showlegend": few and side == 1,
                "marker": {"color": style.colour(first), "symbol": _symbol(first),
                           "size": 11 if few else 6, "opacity": 1 if few else 0.6},
            })  # fmt: skip
    layout: Spec = {
        "yaxis": {"title": {"text": style.axis_title(ACCURACY)}},
        "xaxis": {"title": {"text": style.axis_title(COSTS[0])}, "domain": [0, 0.47]},
        "xaxis2": {
            "title": {"text": style.axis_title(COSTS[1])},
            "domain": [0.53, 1],
            "anchor": "y2",
        },
        "yaxis2": {"matches": "y", "anchor": "x2", "showticklabels": False},
    }
    for side, metric in enumerate(COSTS, 1):
        known = [v for v in rounded(cost.costs[metric.column]) if v]
        if known and max(known) > 20 * min(known):
            layout["xaxis" if side == 1 else f"xaxis{side}"]["type"] = "log"
    text = "Test accuracy of each configuration against its training time and its parameters."
    return Plot("cost", "Accuracy and what it costs", text, 420, data, layout)


def _curves(whole: Sequence[Configuration], few: Sequence[Configuration], by: Metric) -> Plot:
    data: list[Spec] = []
    drawn = [curves_of(configuration) for configuration in few]
    for configuration, curves in zip(few, drawn, strict=True):
        index = list(whole).index(configuration)
        for side, measure in enumerate(MEASURES, 1):
            data += _curve_traces(curves, measure, index, side)
    epochs = max((len(trace["x"]) for trace in data), default=0)
    whole_epochs = {"dtick": 1} if epochs <= 10 else {}
    wide = is_wide(drawn)
    layout = {
        "xaxis": {"title": {"text": "Epoch"}, "domain": [0, 0.46], **whole_epochs},
        "xaxis2": {"title": {"text": "Epoch"}, "domain": [0.54, 1], "anchor": "y2", **whole_epochs},
        "yaxis": {"title": {"text": MEASURES["loss"]}, "type": "log" if wide else "linear"},
        "yaxis2": {"title": {"text": MEASURES["accuracy"]}, "anchor": "x2"},
    }
    part = extent(few, whole, by)
    text = "Loss and accuracy by epoch. Solid lines: validation split; dashed: training."
    title = "Learning curves" + (f": {part}" if part else "")
    return Plot("curves", title, text, 440, data, layout)


def _curve_traces(curves: Curves, measure: str, index: int, side: int) -> list[Spec]:
    factor = 100 if measure == "accuracy" else 1
    traces = []
    for split, values in (("validation", curves.validation), ("training", curves.train)):
        y = rounded(factor * values[measure])
        solid = split == "validation"
        traces.append({
            "type": "scatter", "mode": "lines+markers" if solid and len(y) <= 30 else "lines",
            "xaxis": _axis("x", side), "yaxis": _axis("y", side),
            "x": list(range(1, len(y) + 1)), "y": y, "customdata": [index] * len(y),
            "name": escaped(curves.name), "legendgroup": str(index),
            "showlegend": solid and side == 1, "hoverinfo": "text",
            "hovertext": [f"{escaped(curves.name)}<br>epoch {epoch}, {split}: {value}"
                          for epoch, value in enumerate(y, 1)],
            "line": {"color": style.colour(index), "dash": "solid" if solid else "dash",
                     "width": 2 if solid else 1.5},
            "marker": {"symbol": _symbol(index), "size": 6},
        })  # fmt: skip
    return traces


def _f1(whole: Sequence[Configuration], by: Metric) -> Plot:
    rows = extremes(whole, all_figures.MAX_ROWS, by)
    heat = f1_by_digit_of(rows)
    names = [escaped(name) for name in heat.names]
    values = [rounded(row) for row in heat.f1]
    data: list[Spec] = [{
        "type": "heatmap", "z": values, "x": [str(label) for label in heat.labels], "y": names,
        "colorscale": "Cividis", "hoverinfo": "text", "xgap": 1, "ygap": 1,
        "texttemplate": "%{z:.3f}" if len(heat.labels) <= 16 else "",
        "hovertext": [[f"{name}<br>digit {label}: F1 {value}"
                       for label, value in zip(heat.labels, row, strict=True)]
                      for name, row in zip(names, values, strict=True)],
        "colorbar": {"title": {"text": "F1"}, "thickness": 12},
    }]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "Digit"}, "type": "category", "showgrid": False},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True,
                  "showgrid": False},
    }  # fmt: skip
    part = extent(rows, whole, by)
    text = "F1 of every digit for every configuration, on the test split; the table has the same."
    title = "F1 by digit" + (f": {part}" if part else "")
    return Plot("f1", title, text, 190 + 34 * len(rows), data, layout)


def _effects(shown: Sequence[Configuration]) -> Plot:
    effects = effects_of(shown)
    data: list[Spec] = []
    layout: Spec = {"yaxis": {"title": {"text": style.axis_title(METRIC)}}, "showlegend": False}
    width = 1 / len(effects)
    for side, effect in enumerate(effects, 1):
        x = [p + o for p, part in enumerate(effect.metric) for o in offsets(part.size)]
        y = rounded(100 * np.concatenate(effect.metric))
        middle = rounded(100 * effect.means)
        common = {"type": "scatter", "xaxis": _axis("x", side), "hoverinfo": "text"}
        name = escaped(effect.setting)
        data += [
            {**common, "mode": "markers", "x": rounded(x), "y": y,
             "hovertext": [f"{value} %" for value in y],
             "marker": {"color": style.COLOURS[0], "size": 6, "opacity": 0.55}},
            {**common, "mode": "lines+markers", "x": list(range(len(middle))), "y": middle,
             "hovertext": [f"{name}={escaped(text)}<br>mean {value} %"
                           for text, value in zip(effect.values, middle, strict=True)],
             "line": {"color": style.ERRORS, "width": 2},
             "marker": {"symbol": "diamond", "size": 9}},
        ]  # fmt: skip
        layout["xaxis" if side == 1 else f"xaxis{side}"] = {
            "title": {"text": name}, "tickmode": "array", "anchor": "y",
            "tickvals": list(range(len(effect.values))),
            "ticktext": [escaped(text) for text in effect.values],
            "range": [-0.5, len(effect.values) - 0.5],
            "domain": [(side - 1) * width + 0.015 * (side > 1), side * width - 0.015],
        }  # fmt: skip
    text = (
        "Test accuracy by the values of each setting that varies. Dots are configurations, the "
        "line joins their means; other settings may differ along."
    )
    return Plot("effects", "Effect of each hyperparameter", text, 380, data, layout)


def _spread(whole: Sequence[Configuration], by: Metric) -> Plot:
    rows = extremes(whole, all_figures.MAX_ROWS, by)
    found = spread_of(rows)
    data = []
    for side, metric in enumerate(METRICS, 1):
        label, factor = style.axis_title(metric), style.on_axis(metric)
        runs_of = zip(found.names, found.runs[metric.column], strict=True)
        for index, (name, runs) in enumerate(runs_of):
            x = rounded(factor * runs)
            place = list(whole).index(rows[index])
            data.append({
                "type": "scatter", "mode": "markers", "xaxis": _axis("x", side),
                "yaxis": _axis("y", side), "x": x,
                "y": [escaped(name)] * len(x), "hoverinfo": "text", "showlegend": False,
                "hovertext": [f"{escaped(name)}<br>{label}: {value}" for value in x],
                "customdata": [place] * len(x),
                "marker": {"color": style.colour(place), "symbol": _symbol(place), "size": 9,
                           "opacity": 0.75},
            })  # fmt: skip
    accuracy, lowest = map(style.axis_title, METRICS)
    layout = {
        "xaxis": {"title": {"text": accuracy}, "domain": [0, 0.48]},
        "xaxis2": {"title": {"text": lowest}, "domain": [0.52, 1], "anchor": "y2"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
        "yaxis2": {"matches": "y", "anchor": "x2", "showticklabels": False, "type": "category"},
    }
    text = "Every run a dot: how far runs of one configuration with other seeds lie apart."
    return Plot("spread", "Spread over seeds", text, 190 + 34 * len(rows), data, layout)


def _parallel(shown: Sequence[Configuration]) -> Plot:
    found = parallel_of(shown)
    score = np.nan_to_num(found.score, nan=float(np.nanmin(found.score)))
    low, high = float(score.min()), float(score.max())
    shade = np.minimum((score - low) / max(high - low, 1e-12) * _SHADES, _SHADES - 1).astype(int)
    data: list[Spec] = []
    width = len(found.axes)
    for group in range(_SHADES):
        members = np.flatnonzero(shade == group).tolist()
        x, y, hover, which = [], [], [], []
        for index in members:
            # A gap ends each configuration's line.
            x += [*range(width), None]
            y += [*rounded(float(axis.position[index]) for axis in found.axes), None]
            name = f"{escaped(found.names[index])}<br>{100 * score[index]:.2f} % test accuracy"
            hover += [name] * (width + 1)
            which += [index] * (width + 1)
        if members:
            data.append({
                "type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "text",
                "hovertext": hover, "customdata": which, "meta": {"shade": group / (_SHADES - 1)},
                "showlegend": False, "opacity": 0.8 if len(shown) < 100 else 0.5,
                "line": {"width": 1.5}, "connectgaps": False,
            })  # fmt: skip
    ticks = [
        {"x": place, "y": height, "text": escaped(text), "showarrow": False, "xanchor": "left",
         "xshift": 3, "font": {"size": 10}}
        for place, axis in enumerate(found.axes) for height, text in axis.ticks
    ]  # fmt: skip
    layout = {
        "xaxis": {"tickmode": "array", "tickvals": list(range(width)), "side": "top",
                  "ticktext": [escaped(axis.name) for axis in found.axes],
                  "range": [-0.1, width - 0.5], "showgrid": True},
        "yaxis": {"visible": False, "range": [-0.05, 1.05]},
        "annotations": ticks,
    }  # fmt: skip
    text = (
        "Every configuration is a line through its settings to its results; the stronger its "
        "colour, the higher its test accuracy. The filter above the tables filters the lines too."
    )
    return Plot("parallel", "Settings and results together", text, 480, data, layout)


def _axis(letter: str, number: int) -> str:
    return letter if number == 1 else f"{letter}{number}"


def _symbol(index: int) -> str:
    return _SYMBOLS[index % len(_SYMBOLS)]
