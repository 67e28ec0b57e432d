"""Learning curves: loss and accuracy by epoch, on the training and the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MEASURES = {"loss": "Loss", "accuracy": "Accuracy [%]"}


@dataclass(frozen=True)
class Curves:
    """Learning curves of one configuration: the mean over its runs, epoch by epoch.

    Attributes:
        name: The configuration's.
        train: Measure (`loss`, `accuracy`) -> (epochs,) float64; NaN where no run has a value.
        validation: The same on the validation split.
    """

    name: str
    train: dict[str, NDArray[np.float64]]
    validation: dict[str, NDArray[np.float64]]


def curves_of(configuration: Configuration) -> Curves:
    """The learning curves of a configuration; runs that stopped early count while they ran."""
    histories = [record.history for record in configuration.records]
    return Curves(
        configuration.name,
        {name: _mean([getattr(h, name) for h in histories]) for name in MEASURES},
        {name: _mean([getattr(h, f"val_{name}") for h in histories]) for name in MEASURES},
    )


def draw(shown: Sequence[Curves], title: str) -> Figure:
    """Loss on the left, accuracy on the right; dashed is training, solid validation."""
    figure = style.new(10, 4.6 + 0.13 * len(shown), title)
    sides = figure.subplots(1, 2)
    for axes, (measure, label) in zip(sides, MEASURES.items(), strict=True):
        factor = 100 if measure == "accuracy" else 1
        for index, curves in enumerate(shown):
            look = {"color": style.colour(index), "linewidth": 1.5}
            solid, dashed = curves.validation[measure], curves.train[measure]
            epochs = np.arange(1, max(len(solid), len(dashed)) + 1)
            axes.plot(
                epochs[: len(solid)], factor * solid, marker=style.marker(index), markersize=4,
                markevery=max(1, len(solid) // 8), label=curves.name, **look,
            )  # fmt: skip
            axes.plot(epochs[: len(dashed)], factor * dashed, linestyle="--", alpha=0.8, **look)
        if measure == "loss" and is_wide(shown):
            axes.set_yscale("log")
        axes.set_xlabel("Epoch")
        axes.set_ylabel(label)
        axes.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = sides[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=2,
        title="Solid: validation; dashed: training", title_fontsize=8.5,
    )  # fmt: skip
    return figure


def _mean(runs: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
    longest = max((len(run) for run in runs), default=0)
    values = np.full((len(runs), longest), np.nan)
    for row, run in zip(values, runs, strict=True):
        row[: len(run)] = [np.nan if value is None else value for value in run]
    known = np.isfinite(values)
    totals = np.where(known, values, 0.0).sum(axis=0)
    means: NDArray[np.float64] = np.where(
        known.any(axis=0), totals / np.maximum(known.sum(axis=0), 1), np.nan
    )
    return means


def is_wide(shown: Sequence[Curves]) -> bool:
    """Whether losses span more than a factor of 20, so that only a log scale shows them all."""
    every = [v for c in shown for part in (c.train, c.validation) for v in part["loss"] if v > 0]
    return bool(every) and max(every) > 20 * min(every)
