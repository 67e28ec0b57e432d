"""Figures of numbered cells: confusion matrices, their difference, F1 by class.

Rows of a confusion matrix are the true classes and columns the predicted ones, as in the record
and in scikit-learn; both axes are named in every picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.records.record import Record
from mnist_sweep.reporting.figures import drawing
from mnist_sweep.reporting.phrases import report as phrases
from mnist_sweep.reporting.phrases.names import class_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# With more classes than this the cells are too small for numbers.
_NUMBERED_CLASSES = 30


def with_classes(shown: Sequence[Configuration]) -> list[Configuration]:
    """Those whose runs have confusion matrices; a task of the user's own may have none."""
    return [one for one in shown if (found := one.records[0].metrics) and found.test.confusion]


def confusion_of(records: Sequence[Record], split: str = "test") -> NDArray[np.int64]:
    """Examples of finished runs added up: (classes, classes), `counts[true, predicted]`."""
    matrices = [getattr(record.metrics, split).confusion for record in records]
    counts: NDArray[np.int64] = np.array(matrices, dtype=np.int64).sum(axis=0)
    return counts


def class_names(record: Record) -> list[str]:
    """What the classes of a record's data are called, by label."""
    return [class_name(record.data, label) for label in range(record.data.classes)]


def draw_confusion(records: Sequence[Record], title: str) -> Figure:
    """Counts and shares; confusions and right answers in scales of their own."""
    counts = confusion_of(records)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    is_right = np.eye(len(counts), dtype=bool)
    largest = max(float(shares[~is_right].max(initial=0)), 1e-9)
    low = min(float(shares[is_right].min(initial=1)), 0.999)
    # 0 to 1 on either side of white: right answers below, confusions above.
    colours = np.where(is_right, -0.15 - 0.45 * (shares - low) / (1 - low), 0.8 * shares / largest)
    texts = [
        [f"{n:,.0f}\n{100 * share:.1f}" if n or right else "·" for n, share, right in row]
        for row in np.stack([counts, shares, is_right], axis=-1)
    ]
    note = phrases.confusion_note(len(records), largest)
    return _square(colours, texts, title, note, class_names(records[0]))


def draw_difference(
    first: Sequence[Record], second: Sequence[Record], names: tuple[str, str], title: str
) -> Figure:
    """The second's counts per run less the first's; orange where it is worse, blue where better.

    Worse is fewer on the diagonal or more beside it. The sign is written, for prints in grey.
    """
    counts = confusion_of(second) / len(second) - confusion_of(first) / len(first)
    worse = np.where(np.eye(len(counts), dtype=bool), -counts, counts)
    texts = [[signed(value) if value else "·" for value in row] for row in counts.tolist()]
    colours = 0.75 * worse / max(float(np.abs(worse).max()), 1e-9)
    note = phrases.difference_note(*names)
    return _square(colours, texts, title, note, class_names(first[0]))


def signed(value: float) -> str:
    """A number with its sign, as '+3' or '+0.5'; minus is the minus sign, not a hyphen."""
    text = f"{value:+.0f}" if value == int(value) else f"{value:+.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


def draw_f1(shown: Sequence[Configuration], title: str) -> Figure:
    """F1 of each class: one row per configuration, mean over its runs, the value in each cell."""
    f1 = f1_by_class(shown)
    rows, columns = f1.shape
    figure = drawing.new(max(8.0, 0.62 * columns + 3.2), 1.7 + 0.42 * rows, title)
    axes = figure.add_subplot()
    low, high = float(np.nanmin(f1)), float(np.nanmax(f1))
    axes.imshow(f1, cmap="cividis", vmin=low, vmax=max(high, low + 1e-9), aspect="auto")
    # Configurations on different data may have unequal numbers of classes.
    _label_columns(axes, max((class_names(one.records[0]) for one in shown), key=len))
    axes.set_yticks(range(rows), [drawing.wrapped(one.name, 38) for one in shown])
    axes.set_xlabel("F1, test split")
    for (row, column), value in np.ndenumerate(f1) if columns <= _NUMBERED_CLASSES else ():
        ink = "white" if value < (low + high) / 2 else "black"
        drawing.in_cell(axes, column, row, f"{value:.3f}", va="center", fontsize=8, color=ink)
    drawing.bare(axes)
    return figure


def f1_by_class(shown: Sequence[Configuration]) -> NDArray[np.float64]:
    """(configurations, classes) float64; NaN for a class that a configuration has not."""
    classes = max(int(one.frame["dataset.classes"].max()) for one in shown)
    means = [[one.mean(f"test.f1.{label}") for label in range(classes)] for one in shown]
    return np.array(means, dtype=np.float64)


def _square(
    colours: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    title: str,
    below: str,
    names: Sequence[str],
) -> Figure:
    """Cells by true (down) and predicted class (across); colours from -1, blue, to 1, orange."""
    from matplotlib.colors import LinearSegmentedColormap

    classes = len(colours)
    side = max(6.4, 0.62 * min(classes, _NUMBERED_CLASSES) + 0.9)
    figure = drawing.new(side, side + 0.3, title)
    axes = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("shades", [drawing.BLUE, "white", drawing.ORANGE])
    axes.imshow(colours, cmap=shades, vmin=-1, vmax=1)
    axes.set(xlabel=phrases.PREDICTED, ylabel=phrases.TRUE)
    _label_columns(axes, names)
    axes.set_yticks(range(classes), names)
    for true, row in enumerate(texts if classes <= _NUMBERED_CLASSES else ()):
        for predicted, text in enumerate(row):
            weight = "bold" if true == predicted else "normal"
            ink = "#999999" if text == "·" else "black"
            style = {"va": "center", "fontsize": 7.5, "fontweight": weight, "color": ink}
            drawing.in_cell(axes, predicted, true, text, **style)
    drawing.bare(axes)
    figure.supxlabel(drawing.wrapped(below, 84), fontsize=8.5)
    return figure


def _label_columns(axes: Axes, names: Sequence[str]) -> None:
    """A tick for each class; names that are more than a number or letter stand upright."""
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
