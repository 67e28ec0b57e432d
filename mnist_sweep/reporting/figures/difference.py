"""What one configuration confuses more often than another, in the layout of a confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.reporting.figures import style
from mnist_sweep.reporting.figures.confusion import Confusion, lay_out

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ConfusionDifference:
    """Examples by predicted and true class: the second's per run less the first's per run.

    Attributes:
        counts: (classes, classes) float64, `counts[predicted, true]`.
        labels: The classes.
        split: The split they were evaluated on.
    """

    counts: NDArray[np.float64]
    labels: tuple[int, ...]
    split: str


def difference_of(first: Confusion, second: Confusion) -> ConfusionDifference:
    """How `second` differs from `first`, each averaged over its runs.

    Raises:
        ValueError: Their classes or splits differ.
    """
    if (first.labels, first.split) != (second.labels, second.split):
        raise ValueError("confusion matrices of different classes or splits do not compare")
    counts = second.counts / second.runs - first.counts / first.runs
    return ConfusionDifference(counts, first.labels, first.split)


def draw(difference: ConfusionDifference, first: str, second: str, title: str) -> Figure:
    """The difference; orange where `second` is worse, blue where it is better.

    Worse is fewer on the diagonal or more beside it. The sign is written, for prints in grey.
    """
    from matplotlib.colors import LinearSegmentedColormap

    classes = len(difference.labels)
    side = max(6.4, 0.55 * min(classes, 30) + 0.9)
    figure = style.new(side, side + 0.7, title)
    axes = figure.add_subplot()
    worse = np.where(np.eye(classes, dtype=bool), -difference.counts, difference.counts)
    largest = max(float(np.abs(worse).max()), 1e-9)
    shades = LinearSegmentedColormap.from_list("gain", [style.GAIN, "white", style.ERRORS])
    axes.imshow(worse, cmap=shades, vmin=-1.3 * largest, vmax=1.3 * largest)
    lay_out(axes, difference.labels)
    for (predicted, true), value in np.ndenumerate(difference.counts):
        text = signed(float(value)) if value else "·"
        style.in_cell(axes, true, predicted, text, va="center", fontsize=8)
    figure.supxlabel(
        style.wrapped(
            f"Examples per run: {second} less {first}. Orange: {second} is worse there; blue: it "
            "is better.",
            84,
        ),
        fontsize=8.5,
    )
    return figure


def signed(value: float) -> str:
    """A number with its sign, as '+3' or '+0.5'; minus is the minus sign, not a hyphen."""
    text = f"{value:+.0f}" if value == int(value) else f"{value:+.1f}"
    return text.replace("-", "\N{MINUS SIGN}")
