"""Parallel coordinates: every configuration a line through its settings to its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, order_key, varying_settings
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures import style
from mnist_sweep.reporting.numbers import written
from mnist_sweep.reporting.phrases.names import text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

SCORE = resolve("test.accuracy")
RESULTS = (resolve("time.train_s"), resolve("test.f1_min"), SCORE)
_MAX_SETTINGS = 9


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        name: What it shows.
        position: (n_configurations,) float64 from 0 at the bottom to 1 at the top; NaN if unknown.
        ticks: (position, text) pairs.
    """

    name: str
    position: NDArray[np.float64]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Parallel:
    """Axes from left to right, settings first; `score` (n,) is the test accuracy, a share."""

    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    score: NDArray[np.float64]


def parallel_of(shown: Sequence[Configuration]) -> Parallel:
    """An axis per setting that varies (at most 9), then training time, lowest F1 and accuracy."""
    axes = [_setting_axis(shown, name) for name in varying_settings(shown)[:_MAX_SETTINGS]]
    axes += [_result_axis(shown, metric) for metric in RESULTS]
    score = np.array([c.mean(SCORE.column) for c in shown], dtype=np.float64)
    return Parallel(tuple(axes), tuple(c.name for c in shown), score)


def draw(parallel: Parallel, title: str) -> Figure:
    """The lines, coloured by accuracy; the best ones drawn last, on top."""
    from matplotlib import colormaps

    figure = style.new(max(8.0, 1.5 * len(parallel.axes)), 5, title)
    axes = figure.add_subplot()
    score = parallel.score
    low, high = float(np.nanmin(score)), float(np.nanmax(score))
    shade = np.nan_to_num((score - low) / max(high - low, 1e-12))
    x = np.arange(len(parallel.axes))
    shown = np.array([axis.position for axis in parallel.axes]).T
    for index in np.argsort(shade):
        axes.plot(x, shown[index], color=colormaps["cividis"](shade[index]),
                  alpha=0.8 if len(shade) < 100 else 0.4, linewidth=1.2)  # fmt: skip
    for position, axis in enumerate(parallel.axes):
        axes.axvline(position, color="#555555", linewidth=0.8)
        for height, text in axis.ticks:
            box = {"facecolor": "white", "alpha": 0.75, "pad": 0.8, "linewidth": 0}
            axes.text(position, height, f" {text}", fontsize=7.5, va="center", bbox=box)
    axes.set_xticks(x, [style.wrapped(axis.name, 20) for axis in parallel.axes])
    axes.set_yticks([])
    axes.set_xlim(-0.1, len(x) - 0.6)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    axes.set_xlabel("Lines are configurations; the brighter, the higher the test accuracy",
                    fontsize=8.5)  # fmt: skip
    return figure


def _setting_axis(shown: Sequence[Configuration], name: str) -> Axis:
    values = [configuration.settings.get(name) for configuration in shown]
    order: dict[str, float] = {}
    for value in sorted(values, key=order_key):
        order.setdefault(text_of(value), float(len(order)))
    top = max(len(order) - 1, 1)
    position = np.array([order[text_of(value)] / top for value in values])
    step = max(1, len(order) // 12)
    ticks = [(place / top, text) for text, place in order.items() if place % step == 0]
    return Axis(name, position, tuple(ticks))


def _result_axis(shown: Sequence[Configuration], metric: Metric) -> Axis:
    name = style.axis_title(metric)
    values = np.array(
        [configuration.mean(metric.column) for configuration in shown], dtype=np.float64
    )
    known = values[np.isfinite(values)]
    if not known.size:
        return Axis(name, np.full(len(shown), np.nan), ())
    low, high = float(known.min()), float(known.max())
    span = high - low or 1.0
    parts = (0.0, 0.5, 1.0) if low < high else (0.0,)
    ticks = {part: written(low + part * (high - low), metric.format) for part in parts}
    return Axis(name, (values - low) / span, tuple(ticks.items()))
