"""Learning curves: loss and accuracy by epoch, on the training and the validation split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from statistics import fmean
from typing import Literal

from mnist_sweep.analysis.configurations import Configuration, extremes
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.figures.plot import Axis, Plot, Series, spans_widely
from mnist_sweep.reporting.phrases.names import extent

MAX_CURVES = 8
_MEASURES = {"loss": ("Loss", 1), "accuracy": ("Accuracy [%]", 100)}
"""What is drawn of networks, with its title and factor; of a task the first two that it reports."""
_SPLITS: tuple[tuple[str, str, Literal["both", "dashed"]], ...] = (
    ("validation", "val_", "both"),
    ("training", "", "dashed"),
)
_MAX_MARKED = 30
"""Epochs of a line with a marker for each."""


def curves(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """The mean over a configuration's runs; of very many the ends by the objective."""
    few = extremes(shown, MAX_CURVES, by)
    measures = _measures(few)
    places = {id(one): place for place, one in enumerate(shown)}
    series = tuple(line for one in few for line in _lines(one, places[id(one)], measures))
    if not series:
        return None
    losses = [value for line in series if line.panel == 0 for value in line.y]
    epochs = Axis("Epoch", is_whole=True)
    panels = tuple(
        (epochs, Axis(title, is_log=measure == "loss" and spans_widely(losses)))
        for measure in measures
        for title, _ in [_MEASURES.get(measure, (measure, 1))]
    )
    return Plot("learning-curves", panels, series, extent(few, shown, by))


def _measures(shown: Sequence[Configuration]) -> list[str]:
    reported = {
        name.removeprefix("val_"): None
        for one in shown
        for record in one.records
        for name, values in record.history.model_dump().items()
        if values
    }
    known = [name for name in _MEASURES if name in reported]
    return [*dict.fromkeys([*known, *reported])][: len(_MEASURES)]


def _lines(one: Configuration, place: int, measures: Sequence[str]) -> Iterator[Series]:
    for panel, measure in enumerate(measures):
        _, factor = _MEASURES.get(measure, (measure, 1))
        for split, prefix, kind in _SPLITS:
            runs = [getattr(record.history, f"{prefix}{measure}", []) for record in one.records]
            y = [factor * value for value in _means(runs)]
            if y:
                hover = [f"{one.name}\nepoch {k}, {split}: {v:.4g}" for k, v in enumerate(y, 1)]
                yield Series(
                    range(1, len(y) + 1), y, hover, [place] * len(y), panel, one.name, place,
                    "line" if kind == "both" and len(y) > _MAX_MARKED else kind, size=6,
                )  # fmt: skip


def _means(runs: Sequence[Sequence[float | None]]) -> list[float]:
    """Of each epoch the mean over the runs that came so far; NaN where none has a value."""
    columns = zip_longest(*runs)
    known = [[value for value in column if value is not None] for column in columns]
    return [fmean(values) if values else math.nan for values in known]
