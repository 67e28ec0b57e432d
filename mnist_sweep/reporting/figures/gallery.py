"""The test images that most networks get wrong, with true and predicted digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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

MAX_RUNS = 60
"""Predictions of at most this many runs are read, evenly spread over all."""
SHOWN = 40
_PITCH = 1.25


@dataclass(frozen=True)
class Mistaken:
    """One test image that networks get wrong.

    Attributes:
        row: Its row in the test images.
        true: Its class.
        predicted: (class, runs) pairs of the wrong predictions, most frequent first.
        wrong: Runs that got it wrong.
        confidence: Mean probability that the wrong runs gave their prediction.
    """

    row: int
    true: int
    predicted: tuple[tuple[int, int], ...]
    wrong: int
    confidence: float


@dataclass(frozen=True)
class Gallery:
    """The most mistaken images, the most mistaken first.

    Attributes:
        mistaken: At most `SHOWN` of them.
        runs: How many runs' predictions were looked at.
        all_wrong: How many test images every one of these runs gets wrong.
        sha256: The data's content hash.
        unread: Why predictions could not be read, one sentence each.
    """

    mistaken: tuple[Mistaken, ...]
    runs: int
    all_wrong: int
    sha256: str
    unread: tuple[str, ...] = ()


def gallery_of(shown: Sequence[Configuration]) -> Gallery:
    """The test images that most runs get wrong, among runs on the most frequent data."""
    runs = [pair for c in shown for pair in zip(c.records, c.directories, strict=True)]
    usual = Counter(record.data.sha256 for record, _ in runs).most_common(1)
    sha256 = usual[0][0] if usual else ""
    places = [directory for record, directory in runs if record.data.sha256 == sha256]
    if len(places) > MAX_RUNS:
        chosen = np.linspace(0, len(places) - 1, MAX_RUNS).round().astype(int)
        places = [places[index] for index in chosen]
    read: list[Predictions] = []
    unread = []
    for place in places:
        try:
            predictions = read_predictions(RunPaths(place).predictions)
        except DirectoryError as error:
            unread.append(str(error))
            continue
        if predictions.data_sha256 == sha256 and (
            not read or np.array_equal(read[0].test_true, predictions.test_true)
        ):
            read.append(predictions)
        else:
            unread.append(f"{RunPaths(place).predictions} belongs to other data than its record.")
    return _ranked(read, sha256, tuple(unread))


def _ranked(read: Sequence[Predictions], sha256: str, unread: tuple[str, ...]) -> Gallery:
    if not read:
        return Gallery((), 0, 0, sha256, unread)
    true = read[0].test_true
    predicted = np.stack([p.test_predicted for p in read])
    probability = np.stack([p.test_probability for p in read]).astype(np.float64)
    wrong = predicted != true
    counts = wrong.sum(axis=0)
    confidence = np.where(wrong, probability, 0.0).sum(axis=0) / np.maximum(counts, 1)
    # Of images that equally many get wrong, those that are wrong most confidently come first.
    order = np.lexsort((np.arange(true.size), -confidence, -counts))[:SHOWN]
    mistaken = []
    for row in order:
        if counts[row] == 0:
            break
        answers = Counter(predicted[wrong[:, row], row].tolist())
        pairs = tuple(sorted(answers.items(), key=lambda pair: (-pair[1], pair[0])))
        mistaken.append(
            Mistaken(int(row), int(true[row]), pairs, int(counts[row]), float(confidence[row]))
        )
    return Gallery(tuple(mistaken), len(read), int((counts == len(read)).sum()), sha256, unread)


def draw(gallery: Gallery, images: NDArray[np.uint8], title: str) -> Figure:
    """The images in a grid, dark ink on white.

    Args:
        gallery: Which images.
        images: The data's test images, (n_test, height, width) uint8.
        title: The figure's title.
    """
    columns = 8
    rows = max(1, -(-len(gallery.mistaken) // columns))
    figure = drawing.new(9.6, 0.4 + 1.5 * rows, title)
    # One picture of all images: forty panels would take a second to lay out.
    axes = figure.add_subplot()
    axes.set_axis_off()
    for place, item in enumerate(gallery.mistaken):
        left, top = place % columns, place // columns * _PITCH
        extent = (left + 0.14, left + 0.86, top + 1.2, top + 0.48)
        axes.imshow(images[item.row].squeeze(), cmap="gray_r", extent=extent, aspect="auto")
        drawing.in_cell(
            axes,
            left + 0.5,
            top + 0.42,
            mistaken(item.true, item.predicted, item.wrong, gallery.runs),
            fontsize=7.5,
        )
    axes.set_xlim(0, columns)
    axes.set_ylim(rows * _PITCH, 0.12)
    axes.set_aspect("equal")
    return figure
