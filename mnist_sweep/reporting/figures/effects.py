"""What each setting does: the objective by its values, and how much of it each one explains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from mnist_sweep.analysis.configurations import Configuration, varying_settings
from mnist_sweep.analysis.importance import importance, is_continuous
from mnist_sweep.analysis.varying import order_key
from mnist_sweep.metrics import Metric
from mnist_sweep.reporting.figures.plot import (
    Axis,
    Plot,
    Series,
    axis_title,
    beside,
    on_axis,
    spans_widely,
)
from mnist_sweep.reporting.phrases.names import text_of

_MAX_SETTINGS = 12
_MAX_VALUES = 24


def effects(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """The objective by the values of every setting that varies, at most 12.

    Every configuration is a dot; a line joins the means at each value of a setting with few. In a
    grid these are main effects, elsewhere other settings may differ along.
    """
    panels: list[tuple[Axis, Axis]] = []
    series: list[Series] = []
    score = on_axis(by, (one.mean(by.column) for one in shown))
    for name in varying_settings(shown)[:_MAX_SETTINGS]:
        values: list[Any] = [one.settings.get(name) for one in shown]
        panel = len(panels)
        if is_continuous(values):
            hover = [f"{one.name}\n{y:.4g}" for one, y in zip(shown, score, strict=True)]
            series.append(Series(values, score, hover, range(len(shown)), panel, opacity=0.75))
            panels.append((Axis(name, spans_widely(values)), Axis(axis_title(by))))
            continue
        order = sorted({text_of(v): v for v in values}.items(), key=lambda item: order_key(item[1]))
        texts = [text for text, _ in order[:_MAX_VALUES]]
        if len(texts) > 1:
            series += _by_level(shown, name, texts, score, panel)
            ticks = tuple(enumerate(texts))
            axis = Axis(name, ticks=ticks, limits=(-0.5, len(texts) - 0.5))
            panels.append((axis, Axis(axis_title(by))))
    if not panels:
        return None
    return Plot("effects", tuple(panels), tuple(series), by=str(by), height=300, has_one_y=True)


def _by_level(
    shown: Sequence[Configuration], name: str, texts: list[str], score: list[float], panel: int
) -> Iterator[Series]:
    members = [
        [k for k, one in enumerate(shown)
         if text_of(one.settings.get(name)) == text and score[k] == score[k]]
        for text in texts
    ]  # fmt: skip
    x = [k + offset for k, own in enumerate(members) if own for offset in beside(len(own))]
    places = [place for own in members for place in own]
    hover = [f"{shown[k].name}\n{score[k]:.4g}" for k in places]
    yield Series(x, [score[k] for k in places], hover, places, panel, size=6, opacity=0.6)
    means = [fmean(score[k] for k in own) if own else float("nan") for own in members]
    hover = [f"{name}={text}\nmean {y:.4g}" for text, y in zip(texts, means, strict=True)]
    yield Series(range(len(texts)), means, hover, panel=panel, look=1, kind="both")


def importances(shown: Sequence[Configuration], by: Metric) -> Plot | None:
    """The share of the objective's variance that each setting explains, with its interval."""
    found = importance(shown, by)[:_MAX_SETTINGS]
    if not found:
        return None
    names = tuple((float(-k), one.setting) for k, one in enumerate(found))
    x = [100 * one.share for one in found]
    ends = [100 * one.low for one in found], [100 * one.high for one in found]
    hover = [
        f"{one.setting}: {mid:.0f} % ({low:.0f} to {high:.0f})"
        for one, mid, low, high in zip(found, x, *ends, strict=True)
    ]
    bars = Series(x, [y for y, _ in names], hover, size=10, ends=ends)
    axes = (
        Axis("Share of the differences [%]", limits=(-3, 103)),
        Axis(ticks=names, limits=(0.5 - len(found), 0.5)),
    )
    return Plot("importance", (axes,), (bars,), by=str(by), height=110 + 34 * len(found))
