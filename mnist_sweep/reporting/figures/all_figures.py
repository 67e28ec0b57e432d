"""Which figures a report has, and how they become files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_sweep.analysis.configurations import (
    Configuration,
    extremes,
    has_repeats,
    varying_settings,
)
from mnist_sweep.records.store import write_bytes
from mnist_sweep.reporting.figures import (
    confusion,
    cost,
    curves,
    difference,
    effects,
    f1_by_digit,
    gallery,
    parallel,
    spread,
    style,
)
from mnist_sweep.reporting.phrases.names import data_name, extent

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mnist_sweep.metrics import Metric

FORMATS: tuple[Literal["png", "svg"], ...] = ("png", "svg")
MAX_CONFUSIONS = 8
MAX_CURVES = 8
MAX_ROWS = 30
MIN_PARALLEL = 6
"""Fewer lines than this are read more easily in the tables."""


@dataclass(frozen=True)
class Planned:
    """A figure to be drawn: its file's name without ending, and what draws it."""

    name: str
    draw: Callable[[], Figure]


def planned(
    shown: Sequence[Configuration],
    pictures: gallery.Gallery,
    images: Mapping[str, NDArray[np.uint8]],
    by: Metric,
) -> Iterator[Planned]:
    """The figures of a report.

    Args:
        shown: The configurations.
        pictures: The most mistaken test images.
        images: Data hash -> (n_test, height, width) uint8; without it there is no gallery.
        by: The objective: the best and the worst by it are shown where not all can be.
    """
    if not shown:
        return
    data = " and ".join(dict.fromkeys(data_name(*c.data) for c in shown))
    yield from _confusions(shown, by)
    yield from _overviews(shown, data, by)
    if pictures.mistaken and pictures.sha256 in images:
        title = f"Test images that most of {pictures.runs} runs get wrong: {data}"
        yield Planned("gallery", lambda: gallery.draw(pictures, images[pictures.sha256], title))


def files(plan: Planned, directory: Path) -> list[Path]:
    """Where a figure is written."""
    return [directory / f"{plan.name}.{file_format}" for file_format in FORMATS]


def write_figures(figures: Iterable[Planned], directory: Path) -> list[Path]:
    """Draw and write figures as PNG and SVG.

    Returns:
        The files.

    Raises:
        DirectoryError: A file cannot be written.
    """
    written = []
    with style.styled():
        for plan in figures:
            figure = plan.draw()
            for path, file_format in zip(files(plan, directory), FORMATS, strict=True):
                write_bytes(path, style.rendered(figure, file_format))
                written.append(path)
    return written


def _confusions(shown: Sequence[Configuration], by: Metric) -> Iterator[Planned]:
    for configuration in extremes(shown, MAX_CONFUSIONS, by):
        matrix = confusion.confusion_of(configuration.records)
        own = data_name(*configuration.data)
        title = f"Confusion matrix: {configuration.name} ({own}, test split)"
        yield Planned(
            f"confusion-{configuration.key}",
            lambda matrix=matrix, title=title: confusion.draw(matrix, title),  # type: ignore[misc]
        )
    pair = _ends(shown, by)
    if pair:
        worst, best = pair
        first, second = (confusion.confusion_of(c.records) for c in pair)
        if first.labels == second.labels:
            own = data_name(*best.data)
            title = f"Confusion difference: {best.name} less {worst.name} ({own}, test)"
            found = difference.difference_of(first, second)
            yield Planned(
                "confusion-difference",
                lambda: difference.draw(found, worst.name, best.name, title),
            )


def _overviews(shown: Sequence[Configuration], data: str, by: Metric) -> Iterator[Planned]:
    few = extremes(shown, MAX_CURVES, by)
    drawn = [curves.curves_of(configuration) for configuration in few]
    title = _title("Learning curves", data, extent(few, shown, by))
    yield Planned("learning-curves", lambda: curves.draw(drawn, title))
    rows = extremes(shown, MAX_ROWS, by)
    heat = f1_by_digit.f1_by_digit_of(rows)
    heat_title = _title("F1 by digit", data, extent(rows, shown, by))
    yield Planned("f1-by-digit", lambda: f1_by_digit.draw(heat, heat_title))
    costs = cost.cost_of(shown)
    yield Planned("accuracy-against-cost", lambda: cost.draw(costs, f"Accuracy and cost: {data}"))
    found = effects.effects_of(shown)
    if found:
        effect_title = f"Test accuracy by hyperparameter: {data}"
        yield Planned("effects", lambda: effects.draw(found, effect_title))
    if has_repeats(shown):
        spread_title = _title("Spread over seeds", data, extent(rows, shown, by))
        yield Planned("spread", lambda: spread.draw(spread.spread_of(rows), spread_title))
    if is_parallel(shown):
        lines = parallel.parallel_of(shown)
        yield Planned(
            "parallel-coordinates", lambda: parallel.draw(lines, f"Settings and results: {data}")
        )


def is_parallel(shown: Sequence[Configuration]) -> bool:
    """Whether a grid is large enough for parallel coordinates."""
    return len(shown) >= MIN_PARALLEL and len(varying_settings(shown)) >= 2


def _ends(shown: Sequence[Configuration], by: Metric) -> tuple[Configuration, Configuration] | None:
    """The worst and the best configuration, if there are two on the same data."""
    same = [c for c in shown if c.records[0].data.sha256 == shown[0].records[0].data.sha256]
    if len(same) < 2:
        return None
    ranked = sorted(same, key=lambda configuration: configuration.mean(by.column) or 0.0)
    ends = (ranked[0], ranked[-1])
    return ends if by.higher_is_better else ends[::-1]


def _title(what: str, data: str, shown: str) -> str:
    return f"{what}: {data}" + (f" ({shown})" if shown else "")
