"""Which figures a report has, and how they become files, on all cores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mnist_sweep.analysis.configurations import Configuration, extremes, ranked, varying_settings
from mnist_sweep.analysis.importance import is_continuous
from mnist_sweep.atomic_files import clean_temporary
from mnist_sweep.cores import on_cores
from mnist_sweep.records.plan_file import PlanFile
from mnist_sweep.records.store import write_bytes
from mnist_sweep.reporting.figures import drawing, gallery, matrices
from mnist_sweep.reporting.figures.plot import Plot
from mnist_sweep.reporting.figures.plots import (
    MAX_ROWS,
    cost,
    curves,
    effects,
    history,
    importances,
    parallel,
    spread,
)
from mnist_sweep.reporting.phrases.names import data_name, extent
from mnist_sweep.reporting.phrases.report import FIGURES

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mnist_sweep.metrics import Metric

FORMATS: tuple[Literal["png", "svg"], ...] = ("png", "svg")
MAX_CONFUSIONS = 5
# Fewer figures than this are drawn sooner than a process is worth.
_FEW = 4

# Figures to be drawn: the file's name without ending -> what draws it.
Drawers = Mapping[str, "Callable[[], Figure]"]


def plots(
    shown: Sequence[Configuration], by: Metric, plans: Sequence[PlanFile | None] = ()
) -> list[Plot]:
    """The plots of a report, those of how good the networks are first."""
    if not shown:
        return []
    found = [history(shown, by)] if is_search(shown, plans) else []
    found += [importances(shown, by), curves(shown, by), cost(shown)]
    found += [effects(shown, by), parallel(shown, by), spread(shown, by)]
    return [plot for plot in found if plot is not None]


def figures(
    shown: Sequence[Configuration],
    plotted: Sequence[Plot],
    pictures: gallery.Gallery,
    images: Mapping[str, NDArray[np.uint8]],
    by: Metric,
) -> dict[str, Callable[[], Figure]]:
    """All figures of a report: its plots, and those of single digits; see `Drawers`.

    `images` is data hash -> (n_test, height, width) uint8; without it there is no gallery.
    """
    data = " and ".join(dict.fromkeys(data_name(*one.data) for one in shown))
    found: dict[str, Callable[[], Figure]] = {
        plot.name: partial(drawing.draw, plot, f"{plot.title} ({data})") for plot in plotted
    }
    with_classes = matrices.with_classes(shown)
    for one in extremes(with_classes, MAX_CONFUSIONS, by):
        title = FIGURES["confusion"].format(name=one.name, data=data_name(*one.data))
        found[f"confusion-{one.key}"] = partial(matrices.draw_confusion, one.records, title)
    data_of = [one.settings.get("dataset.sha256") for one in with_classes]
    same = [one for one, own in zip(with_classes, data_of, strict=True) if own == data_of[0]]
    order = [same[k] for k in ranked(same, by) if same[k].mean(by.column) is not None]
    if len(order) > 1:
        best, worst = order[0], order[-1]
        names, data_of_both = (worst.name, best.name), data_name(*best.data)
        title = FIGURES["difference"].format(best=best.name, worst=worst.name, data=data_of_both)
        draw = partial(matrices.draw_difference, worst.records, best.records, names, title)
        found["confusion-difference"] = draw
    if with_classes:
        rows = extremes(with_classes, MAX_ROWS, by)
        part = extent(rows, with_classes, by)
        title = FIGURES["f1-by-digit"].format(data=data) + (f" ({part})" if part else "")
        found["f1-by-digit"] = partial(matrices.draw_f1, rows, title)
    if pictures.mistaken and pictures.sha256 in images:
        title = FIGURES["gallery"].format(runs=pictures.runs, data=data)
        found["gallery"] = partial(gallery.draw, pictures, images[pictures.sha256], title)
    return found


def write_figures(drawers: Drawers, directory: Path) -> dict[str, list[Path]]:
    """Draw figures and write them as PNG and SVG; returns the files of each."""
    clean_temporary(directory)
    import matplotlib.figure  # noqa: F401  (imported here once, for all processes)

    write, names = partial(_write, directory, drawers), [*drawers]
    few = len(names) < _FEW
    return dict(zip(names, map(write, names) if few else on_cores(write, names), strict=True))


def is_search(shown: Sequence[Configuration], plans: Sequence[PlanFile | None]) -> bool:
    """Whether runs follow each other in a search, as their plan says.

    Where none does: whether some setting is continuous, and the points are far from a grid.
    """
    commands = [one.config for plan in plans if plan for one in plan.invocations]
    sweepers = [config["sweeper"] for config in commands if "sweeper" in config]
    if sweepers:
        return "search" in sweepers
    columns = [[one.settings.get(name) for one in shown] for name in varying_settings(shown)]
    whole = math.prod(len({repr(value) for value in values}) for values in columns)
    return any(map(is_continuous, columns)) and 2 * len(shown) < whole


def _write(directory: Path, drawers: Drawers, name: str) -> list[Path]:
    written = [directory / f"{name}.{file_format}" for file_format in FORMATS]
    with drawing.styled():
        figure = drawers[name]()
        for path, file_format in zip(written, FORMATS, strict=True):
            write_bytes(path, drawing.rendered(figure, file_format))
    return written
