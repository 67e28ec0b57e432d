"""Accuracy against what it costs: training time and number of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.metrics import Format, resolve
from mnist_sweep.reporting.figures.plot import (
    MAX_NAMED,
    Axis,
    Plot,
    Series,
    axis_title,
    on_axis,
    spans_widely,
)
from mnist_sweep.reporting.numbers import written

ACCURACY = resolve("test.accuracy")
COSTS = (resolve("time.train_s"), resolve("parameters"))


def cost(shown: Sequence[Configuration]) -> Plot | None:
    """Test accuracy against training time, and against parameters; means over runs.

    None where that is not known, as of a task of the user's own.
    """
    known = [m for m in (ACCURACY, *COSTS) if any(one.mean(m.column) is not None for one in shown)]
    if ACCURACY not in known:
        return None
    y = on_axis(ACCURACY, (one.mean(ACCURACY.column) for one in shown))
    is_named = len(shown) <= MAX_NAMED
    series: list[Series] = []
    panels = []
    for panel, metric in enumerate(known[1:]):
        means = [one.mean(metric.column) for one in shown]
        x = on_axis(metric, means)
        hover = [
            f"{one.name}\n{axis_title(ACCURACY)}: {value:.2f}"
            f"\n{axis_title(metric)}: {written(mean, metric.format)}"
            for one, value, mean in zip(shown, y, means, strict=True)
        ]
        groups = [[k] for k in range(len(shown))] if is_named else [list(range(len(shown)))]
        look: dict[str, Any] = {"size": 11} if is_named else {"size": 7, "opacity": 0.6}
        series += [
            Series(
                [x[k] for k in own], [y[k] for k in own], [hover[k] for k in own], own, panel,
                shown[own[0]].name if is_named else "", own[0] if is_named else 0, **look,
            )
            for own in groups
        ]  # fmt: skip
        is_whole = metric.format is Format.COUNT
        x_axis = Axis(axis_title(metric), spans_widely(x), is_whole=is_whole)
        panels.append((x_axis, Axis(axis_title(ACCURACY))))
    return Plot("accuracy-against-cost", tuple(panels), tuple(series), has_one_y=True)
