"""Confusion matrix of a configuration: the true class along the top, the predicted down the side.

That is the reverse of the record's `confusion[true][predicted]`, and of scikit-learn's pictures;
both axes are named in every picture, so that nobody misreads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.records.record import Record
from mnist_sweep.reporting.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

TRUE_AXIS = "True class"
PREDICTED_AXIS = "Predicted class"
_NUMBERED_CLASSES = 30
"""With more classes than this the cells are too small for numbers."""


@dataclass(frozen=True)
class Confusion:
    """Examples by predicted and true class, added over `runs` runs.

    Attributes:
        counts: (classes, classes) int64, `counts[predicted, true]`: as it is laid out.
        labels: The classes.
        runs: How many runs were added.
        split: The split they were evaluated on.
    """

    counts: NDArray[np.int64]
    labels: tuple[int, ...]
    runs: int
    split: str

    @property
    def share(self) -> NDArray[np.float64]:
        """Shares of the true class, same shape; columns sum to 1, or 0 for a class unseen."""
        totals = self.counts.sum(axis=0, keepdims=True)
        shares: NDArray[np.float64] = self.counts / np.maximum(totals, 1)
        return shares

    @property
    def errors(self) -> NDArray[np.float64]:
        """`share` with the right answers on the diagonal set to 0."""
        shares = self.share.copy()
        np.fill_diagonal(shares, 0.0)
        return shares


def confusion_of(records: Sequence[Record], split: str = "test") -> Confusion:
    """The confusion matrices of finished runs added up.

    Raises:
        ValueError: There is no finished run, or their classes differ; a programming error.
    """
    splits = [getattr(record.metrics, split) for record in records if record.metrics]
    if not splits:
        raise ValueError("a confusion matrix needs a finished run")
    labels = tuple(entry.label for entry in splits[0].per_class)
    matrices = [np.array(metrics.confusion, dtype=np.int64) for metrics in splits]
    return Confusion(np.sum(matrices, axis=0).T.copy(), labels, len(splits), split)


def draw(confusion: Confusion, title: str) -> Figure:
    """The matrix with counts and shares; confusions and right answers in scales of their own."""
    classes = len(confusion.labels)
    side = max(6.4, 0.62 * min(classes, _NUMBERED_CLASSES) + 0.9)
    figure = style.new(side, side + 0.5, title)
    axes = figure.add_subplot()
    largest = max(float(confusion.errors.max()), 1e-9)
    errors = np.ma.masked_where(np.eye(classes, dtype=bool), confusion.errors)
    right = np.ma.masked_where(~np.eye(classes, dtype=bool), confusion.share)
    axes.imshow(errors, cmap=_shades(style.ERRORS), vmin=0, vmax=largest)
    low = float(right.min())
    axes.imshow(right, cmap=_shades(style.RIGHT, 0.12, 0.45), vmin=min(low, 0.999), vmax=1)
    lay_out(axes, confusion.labels)
    if classes <= _NUMBERED_CLASSES:
        _number(axes, confusion)
    added = f", {confusion.runs} runs added" if confusion.runs > 1 else ""
    figure.supxlabel(
        f"Count and share of the true class [%]{added}. Blue: right; orange: confused, darkest at "
        f"{100 * largest:.2f} %.",
        fontsize=8.5,
    )
    return figure


def lay_out(axes: Axes, labels: Sequence[int]) -> None:
    """Name the axes and their ticks: true along the top, predicted down the side."""
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.set_xlabel(TRUE_AXIS, fontsize=10.5)
    axes.set_ylabel(PREDICTED_AXIS, fontsize=10.5)
    axes.set_xticks(range(len(labels)), [str(label) for label in labels])
    axes.set_yticks(range(len(labels)), [str(label) for label in labels])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _number(axes: Axes, confusion: Confusion) -> None:
    shares = confusion.share
    for predicted, row in enumerate(confusion.counts):
        for true, count in enumerate(row):
            right = predicted == true
            if not (count or right):
                style.in_cell(axes, true, predicted, "·", va="center", color="#999999")
                continue
            style.in_cell(
                axes,
                true,
                predicted,
                f"{count:,}\n{100 * shares[predicted, true]:.1f}",
                va="center",
                fontsize=7.5,
                fontweight="bold" if right else "normal",
                color="black",
                gid=f"cell-{predicted}-{true}",
            )


def _shades(hue: str, low: float = 0.0, high: float = 0.8) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    ends = [tuple(1 - part * (1 - c) for c in to_rgb(hue)) for part in (low, high)]
    return LinearSegmentedColormap.from_list("shades", ends)
