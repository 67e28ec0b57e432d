"""Which figures a report has, and how they become files, on two cores where there are two."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnist_sweep.analysis.configurations import Configuration, extremes, ranked
from mnist_sweep.cores import cores
from mnist_sweep.records.store import write_bytes
from mnist_sweep.reporting.figures import drawing, gallery, matrices
from mnist_sweep.reporting.figures.cost import cost
from mnist_sweep.reporting.figures.curves import curves
from mnist_sweep.reporting.figures.effects import effects, importances
from mnist_sweep.reporting.figures.history import history
from mnist_sweep.reporting.figures.parallel import parallel
from mnist_sweep.reporting.figures.plot import Plot
from mnist_sweep.reporting.figures.spread import MAX_ROWS, spread
from mnist_sweep.reporting.phrases.names import data_name, extent
from mnist_sweep.reporting.phrases.report import FIGURES

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mnist_sweep.metrics import Metric

FORMATS: tuple[Literal["png", "svg"], ...] = ("png", "svg")
MAX_CONFUSIONS = 8
_FEW = 4
"""Fewer figures than this are drawn sooner than a process is worth."""


@dataclass(frozen=True)
class Planned:
    """A figure to be drawn: its file's name without ending, and what draws it from what."""

    name: str
    draw: Callable[..., Figure]
    arguments: tuple[Any, ...]


def plots(shown: Sequence[Configuration], by: Metric) -> list[Plot]:
    """The plots of a report, those of how good the networks are first.

    Args:
        shown: The configurations.
        by: The objective: the best and the worst by it are shown where not all can be.
    """
    if not shown:
        return []
    found = [history(shown, by), importances(shown, by), curves(shown, by), cost(shown)]
    found += [effects(shown, by), parallel(shown, by), spread(shown, by)]
    return [plot for plot in found if plot is not None]


def planned(
    shown: Sequence[Configuration],
    plotted: Sequence[Plot],
    pictures: gallery.Gallery,
    images: Mapping[str, NDArray[np.uint8]],
    by: Metric,
) -> Iterator[Planned]:
    """All figures of a report: its plots, and those of single digits.

    Args:
        shown: The configurations.
        plotted: See `plots`.
        pictures: The most mistaken test images.
        images: Data hash -> (n_test, height, width) uint8; without it there is no gallery.
        by: The objective.
    """
    if not shown:
        return
    data = " and ".join(dict.fromkeys(data_name(*one.data) for one in shown))
    for plot in plotted:
        yield Planned(plot.name, drawing.draw, (plot, f"{plot.title} ({data})"))
    with_classes = [
        one for one in shown if (found := one.records[0].metrics) and found.test.per_class
    ]
    for one in extremes(with_classes, MAX_CONFUSIONS, by):
        title = FIGURES["confusion"].format(name=one.name, data=data_name(*one.data))
        matrix = matrices.confusion_of(one.records)
        yield Planned(f"confusion-{one.key}", matrices.draw_confusion, (matrix, title))
    yield from _difference(with_classes, by)
    rows = extremes(with_classes, MAX_ROWS, by)
    part = extent(rows, with_classes, by)
    title = FIGURES["f1-by-digit"].format(data=data) + (f" ({part})" if part else "")
    if rows:
        yield Planned("f1-by-digit", matrices.draw_f1, (rows, title))
    if pictures.mistaken and pictures.sha256 in images:
        title = FIGURES["gallery"].format(runs=pictures.runs, data=data)
        yield Planned("gallery", gallery.draw, (pictures, images[pictures.sha256], title))


def write_figures(plans: Sequence[Planned], directory: Path) -> dict[str, list[Path]]:
    """Draw figures and write them as PNG and SVG; returns the files of each.

    Forked processes have Matplotlib imported and the records read, so they start at once. Where
    processes cannot be forked (Windows, macOS) or one is killed, or there is one core, it is done
    here.

    Raises:
        DirectoryError: A file cannot be written.
    """
    if len(plans) >= _FEW and _two_cores():
        import matplotlib.figure  # noqa: F401  (imported here once, for both)

        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            # Threads of numerical libraries, which put themselves right after a fork.
            warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
            try:
                with ProcessPoolExecutor(2, context, _leave_signals) as pool:
                    done = pool.map(_write, plans, [directory] * len(plans))
                    return {plan.name: files for plan, files in zip(plans, done, strict=True)}
            except BrokenProcessPool:
                pass
    return {plan.name: _write(plan, directory) for plan in plans}


def _two_cores() -> bool:
    return sys.platform == "linux" and cores() > 1


def _leave_signals() -> None:
    """Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _write(plan: Planned, directory: Path) -> list[Path]:
    written = [directory / f"{plan.name}.{file_format}" for file_format in FORMATS]
    with drawing.styled():
        figure = plan.draw(*plan.arguments)
        for path, file_format in zip(written, FORMATS, strict=True):
            write_bytes(path, drawing.rendered(figure, file_format))
    return written


def _difference(shown: Sequence[Configuration], by: Metric) -> Iterator[Planned]:
    """What the best configuration confuses less often than the worst, on the same data."""
    same = [
        one
        for one in shown
        if one.settings.get("dataset.sha256") == shown[0].settings.get("dataset.sha256")
    ]
    order = [same[k] for k in ranked(same, by) if same[k].mean(by.column) is not None]
    if len(order) < 2:
        return
    best, worst = order[0], order[-1]
    first, second = (matrices.confusion_of(one.records) for one in (worst, best))
    if first.labels == second.labels:
        data = data_name(*best.data)
        title = FIGURES["difference"].format(best=best.name, worst=worst.name, data=data)
        names = (worst.name, best.name)
        yield Planned(
            "confusion-difference", matrices.draw_difference, (first, second, names, title)
        )
