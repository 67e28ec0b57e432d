"""The effect of each hyperparameter: a metric by the values of every setting that varies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration, order_key, varying_settings
from mnist_sweep.metrics import Metric, resolve
from mnist_sweep.reporting.figures import style
from mnist_sweep.reporting.phrases.names import text_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

METRIC = resolve("test.accuracy")
_MAX_SETTINGS = 12
_MAX_VALUES = 24


@dataclass(frozen=True)
class Effect:
    """One setting: the metric of the configurations at each of its values.

    A mean over all other settings, whatever they are: in a grid that is a main effect, elsewhere
    other settings may differ along with this one.

    Attributes:
        setting: The setting's name.
        values: Its values as text, in order.
        metric: Per value, the metric's mean over runs of each configuration, (n_value,) float64.
    """

    setting: str
    values: tuple[str, ...]
    metric: tuple[NDArray[np.float64], ...]

    @property
    def means(self) -> NDArray[np.float64]:
        """The mean per value, (n_values,)."""
        return np.array([part.mean() for part in self.metric], dtype=np.float64)


def effects_of(shown: Sequence[Configuration], metric: Metric = METRIC) -> list[Effect]:
    """One effect per setting that varies, at most 12; of settings with many values the first 24."""
    effects = []
    for name in varying_settings(shown)[:_MAX_SETTINGS]:
        groups: dict[str, list[float]] = {}
        raw: dict[str, object] = {}
        for configuration in shown:
            mean = configuration.mean(metric.column)
            value = configuration.settings.get(name)
            if mean is not None:
                groups.setdefault(text_of(value), []).append(mean)
                raw.setdefault(text_of(value), value)
        order = sorted(groups, key=lambda text: order_key(raw[text]))[:_MAX_VALUES]
        if len(order) > 1:
            parts = tuple(np.array(groups[text], dtype=np.float64) for text in order)
            effects.append(Effect(name, tuple(order), parts))
    return effects


def draw(effects: Sequence[Effect], title: str) -> Figure:
    """One panel per setting: every configuration a dot, their mean a line."""
    columns = min(len(effects), 4)
    rows = -(-len(effects) // columns)
    figure = style.new(max(6.0, 2.9 * columns), 1.0 + 2.9 * rows, title)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes in panels.flat[len(effects) :]:
        axes.set_visible(False)
    for axes, effect in zip(panels.flat, effects, strict=False):
        for position, part in enumerate(effect.metric):
            axes.scatter(np.full(part.size, position) + spread(part.size), 100 * part, s=14,
                         color=style.COLOURS[0], alpha=0.6, linewidths=0)  # fmt: skip
        axes.plot(range(len(effect.values)), 100 * effect.means, color=style.ERRORS, marker="D",
                  markersize=5, label="mean")  # fmt: skip
        axes.set_xticks(range(len(effect.values)), effect.values,
                        rotation=45 if max(map(len, effect.values)) > 5 else 0)  # fmt: skip
        axes.set_xlim(-0.5, len(effect.values) - 0.5)
        axes.set_xlabel(effect.setting)
        axes.grid(visible=False, axis="x")
    for row in panels:
        row[0].set_ylabel(style.axis_title(METRIC))
    return figure


def spread(count: int) -> NDArray[np.float64]:
    """Offsets that keep dots of one value from hiding each other, (count,) within ±0.18."""
    if count < 2:
        return np.zeros(count)
    offsets: NDArray[np.float64] = np.linspace(-0.18, 0.18, count)
    return offsets
