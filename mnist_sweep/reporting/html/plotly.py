"""A plot's description as what Plotly draws.

Colours of text, axes and paper, and where panels stand, are the page's and are set there. Every
text given to Plotly is escaped, because it takes a few tags in text for markup.
"""

from __future__ import annotations

import html
import math
from typing import Any

from mnist_sweep.reporting.figures.plot import COLOURS, MARKERS, Axis, Plot, Series
from mnist_sweep.reporting.html.embed import rounded

Spec = dict[str, Any]
_MODES = {"points": "markers", "line": "lines", "dashed": "lines", "both": "lines+markers"}


def figure(plot: Plot) -> Spec:
    """A plot for the page's script: traces, layout, and how many panels it has to place."""
    layout: Spec = {"showlegend": any(one.name for one in plot.series)}
    for panel, (x, y) in enumerate(plot.panels):
        own = [one for one in plot.series if one.panel == panel]
        horizontal = _axis(x, [value for one in own for value in one.x])
        vertical = _axis(y, [value for one in own for value in one.y])
        layout[f"xaxis{_number(panel)}"] = {**horizontal, "anchor": f"y{_number(panel)}"}
        layout[f"yaxis{_number(panel)}"] = {**vertical, "anchor": f"x{_number(panel)}"}
        if plot.has_one_y and panel:
            layout[f"yaxis{_number(panel)}"]["matches"] = "y"
    if plot.labels:
        layout["yaxis"]["visible"] = False
        layout["annotations"] = [
            {"x": x, "y": y, "text": _escaped(text), "showarrow": False, "xanchor": "left",
             "xshift": 3, "font": {"size": 10}}
            for x, y, text in plot.labels
        ]  # fmt: skip
    named: set[str] = set()
    traces = []
    for one in plot.series:
        is_first = bool(one.name) and one.name not in named
        named.add(one.name)
        traces.append(_trace(one, shows_name=is_first))
    return {
        "id": plot.name, "data": traces, "layout": layout, "panels": len(plot.panels),
        "height": plot.height, "oneY": plot.has_one_y,
    }  # fmt: skip


def _trace(one: Series, *, shows_name: bool) -> Spec:
    colour = COLOURS[one.look % len(COLOURS)]
    trace: Spec = {
        "type": "scatter", "mode": _MODES[one.kind], "x": rounded(one.x), "y": rounded(one.y),
        "xaxis": f"x{_number(one.panel)}", "yaxis": f"y{_number(one.panel)}",
        "hoverinfo": "text", "hovertext": [*map(_escaped, one.hover)], "opacity": one.opacity,
        "name": _escaped(one.name), "legendgroup": _escaped(one.name), "showlegend": shows_name,
    }  # fmt: skip
    if one.of:
        trace["customdata"] = list(one.of)
    if one.kind != "points":
        dash = "dash" if one.kind == "dashed" else "solid"
        trace["line"] = {"color": colour, "dash": dash, "width": 2}
    if one.kind in ("points", "both"):
        symbol = MARKERS[one.look % len(MARKERS)][1]
        trace["marker"] = {"color": colour, "symbol": symbol, "size": one.size}
    if one.shade is not None:
        trace["meta"] = {"shade": one.shade}
    if one.ends is not None:
        low, high = one.ends
        trace["error_x"] = {
            "type": "data", "symmetric": False, "color": colour, "thickness": 2, "width": 0,
            "array": rounded(end - x for end, x in zip(high, one.x, strict=True)),
            "arrayminus": rounded(x - end for end, x in zip(low, one.x, strict=True)),
        }  # fmt: skip
    return trace


def _axis(axis: Axis, values: list[float]) -> Spec:
    made: Spec = {
        "title": {"text": _escaped(axis.title)},
        "type": "log" if axis.is_log else "linear",
    }
    if axis.ticks:
        made |= {
            "tickmode": "array", "tickvals": [place for place, _ in axis.ticks],
            "ticktext": [_escaped(text) for _, text in axis.ticks],
        }  # fmt: skip
    if axis.limits is not None:
        made["range"] = [math.log10(end) for end in axis.limits] if axis.is_log else axis.limits
    if axis.is_log:
        # A tick a decade, or at 1, 2 and 5 of each where they are few.
        known = [value for value in values if value > 0]
        is_long = bool(known) and max(known) > 100 * min(known)
        made |= {"dtick": 1 if is_long else "D2", "exponentformat": "power"}
    if axis.is_whole and not axis.is_log:
        made["tickformat"] = ",d"
    return made


def _number(panel: int) -> str:
    return str(panel + 1) if panel else ""


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")
