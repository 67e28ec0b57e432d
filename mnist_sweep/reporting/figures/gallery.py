"""The test images that most networks get wrong, with true and predicted digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import Predictions, read_predictions
from mnist_sweep.reporting.figures import drawing
from mnist_sweep.reporting.phrases.report import mistaken

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Predictions of at most this many runs are read, evenly spread over all.
MAX_RUNS = 60
SHOWN = 40
_PITCH = 1.25


class Mistaken(NamedTuple):
    """A row of the test images that networks get wrong."""

    row: int
    true: int
    # (class, runs) pairs of the wrong predictions, most frequent first.
    predicted: tuple[tuple[int, int], ...]
    wrong: int
    # Mean probability that the wrong runs gave their prediction.
    confidence: float


@dataclass(frozen=True)
class Gallery:
    """The most mistaken images, the most mistaken first, among `runs` runs on the same data."""

    mistaken: Sequence[Mistaken] = ()
    runs: int = 0
    # How many test images every one of these runs gets wrong.
    all_wrong: int = 0
    sha256: str = ""
    # Why predictions could not be read, one sentence each.
    unread: Sequence[str] = ()


def gallery_of(shown: Sequence[Configuration]) -> Gallery:
    """The test images that most runs get wrong, among runs on the most frequent data."""
    import pandas as pd

    if not shown:
        return Gallery()
    runs = pd.concat([one.frame for one in shown])
    if runs["dataset.sha256"].isna().all():  # of tasks without data
        return Gallery()
    sha256 = str(runs["dataset.sha256"].value_counts().idxmax())
    places = runs["directory"][runs["dataset.sha256"] == sha256]
    if len(places) > MAX_RUNS:
        places = places.iloc[np.linspace(0, len(places) - 1, MAX_RUNS).round().astype(int)]
    read: list[Predictions] = []
    unread = []
    for path in (RunPaths(Path(place)).predictions for place in places):
        try:
            found = read_predictions(path)
        except DirectoryError as error:
            unread.append(str(error))
            continue
        first = read[0] if read else found
        if found.data_sha256 == sha256 and np.array_equal(first.test_true, found.test_true):
            read.append(found)
        else:
            unread.append(f"{path} belongs to different data than its record.")
    if not read:
        return Gallery(sha256=sha256, unread=unread)
    true = read[0].test_true
    predicted = np.stack([one.test_predicted for one in read])
    probability = np.stack([one.test_probability for one in read]).astype(np.float64)
    wrong = predicted != true
    counts = wrong.sum(axis=0)
    confidence = np.where(wrong, probability, 0.0).sum(axis=0) / np.maximum(counts, 1)
    # Of images that equally many get wrong, those that are wrong most confidently come first.
    order = np.lexsort((np.arange(true.size), -confidence, -counts))[:SHOWN]
    worst = []
    for row in order[counts[order] > 0].tolist():
        pairs = Counter(predicted[wrong[:, row], row].tolist()).items()
        answers = tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
        worst.append(
            Mistaken(row, int(true[row]), answers, int(counts[row]), float(confidence[row]))
        )
    return Gallery(worst, len(read), int((counts == len(read)).sum()), sha256, unread)


def draw(gallery: Gallery, images: NDArray[np.uint8], title: str) -> Figure:
    """The images, of (n_test, height, width) uint8, in a grid, dark ink on white."""
    columns = 8
    rows = -(-len(gallery.mistaken) // columns)
    figure = drawing.new(9.6, 0.4 + 1.5 * rows, title)
    # One picture of all images: forty panels would take a second to lay out.
    axes = figure.add_subplot()
    axes.set_axis_off()
    for place, item in enumerate(gallery.mistaken):
        left, top = place % columns, place // columns * _PITCH
        extent = (left + 0.14, left + 0.86, top + 1.2, top + 0.48)
        axes.imshow(images[item.row].squeeze(), cmap="gray_r", extent=extent, aspect="auto")
        text = mistaken(item.true, item.predicted, item.wrong, gallery.runs)
        drawing.in_cell(axes, left + 0.5, top + 0.42, text, fontsize=7.5)
    axes.set_xlim(0, columns)
    axes.set_ylim(rows * _PITCH, 0.12)
    axes.set_aspect("equal")
    return figure
