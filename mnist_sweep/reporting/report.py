"""The report of one or several sweep directories: page, figures and tables, from records alone."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.errors import UsageError
from mnist_sweep.records.paths import TABLE_FORMATS, SweepPaths
from mnist_sweep.records.status import MAX_MISSING
from mnist_sweep.records.store import check_no_link, write_text
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.summary import ReportSummary, default_summary
from mnist_sweep.reporting.tables.render import render as render_tables
from mnist_sweep.reporting.tables.tables import comparison

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mnist_sweep.records.sweep import Sweep
    from mnist_sweep.reporting.tables.table import Table


# These take most of a second to import. A sweep's parent does so while it waits for the fork
# server, since at the sweep's end somebody waits for the report.
_NEEDED = (
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.font_manager",
    "scipy.sparse",
    "scipy.special",
    "mnist_sweep.reporting.figures.files",
    "mnist_sweep.reporting.html.page",
)
_threads: list[threading.Thread] = []


@dataclass(frozen=True)
class Written:
    """What was written, how many planned runs have no record yet, and how long it took."""

    page: Path
    figures: tuple[Path, ...]
    missing: int
    seconds: float


def write_report(
    directories: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    *,
    answer: ReportSummary | None = None,
    images: Mapping[str, NDArray[np.uint8]] | None = None,
    figures: bool = True,
    refresh_s: int = 0,
    loaded: Sequence[Sweep] | None = None,
    tables: Sequence[Table] | None = None,
) -> Written:
    """Write report.html, figures/ and tables/ into `output`, or into the one directory itself.

    `answer` is what the page begins with; None selects the best and the worst. `images` is data
    hash -> test images (n_test, height, width) uint8, for the gallery. The page reloads every
    `refresh_s` seconds unless this is 0. What was `loaded` before, and `tables` that were written
    before, are not made again.

    Raises:
        DirectoryError: A directory holds nothing of ours, or `output` cannot be written.
        UsageError: Several directories, and no output.
    """
    from mnist_sweep.reporting.figures.files import write_figures
    from mnist_sweep.reporting.html.page import Report, render

    started = time.perf_counter()
    if output is None and len(directories) != 1:
        raise UsageError(
            f"Expected --output DIR, because the report is about {len(directories)} directories "
            "and belongs to none of them. For example: --output outputs/together."
        )
    if output is None and Path(directories[0]).is_file():  # another program's
        raise UsageError(f"Expected --output DIR, because {directories[0]} is a file.")
    paths = SweepPaths(directories[0] if output is None else output)
    sweeps = [load(directory) for directory in directories] if loaded is None else loaded
    compared = comparison(sweeps, most_missing=MAX_MISSING) if tables is None else tables
    for place in (paths.tables, paths.figures):
        check_no_link(place)
    for name in TABLE_FORMATS if tables is None else ():
        write_text(paths.comparison(name), render_tables(compared, name))
    answer = default_summary(sweeps) if answer is None else answer
    report = Report(sweeps, compared, answer, images or {}, paths.directory, refresh_s)
    finish_imports()  # the figures are drawn by forked processes
    drawn = write_figures(report.figures(), paths.figures) if figures else {}
    pictures = {plot.name: drawn[plot.name][-1].read_bytes() for plot in report.plots if drawn}
    # Last: it shows the figures, and whoever watches it reloads.
    write_text(paths.report, render(report, pictures))
    return Written(
        paths.report,
        tuple(path for own in drawn.values() for path in own),
        sum(len(sweep.missing) for sweep in sweeps),
        time.perf_counter() - started,
    )


def start_imports() -> None:
    """Import in a thread, once, what a report needs."""
    if not _threads:
        _threads.append(threading.Thread(target=_import_all, daemon=True))
        _threads[0].start()


def finish_imports() -> None:
    """Wait until the thread is through: a process forked in the middle would never be."""
    for thread in _threads:
        thread.join()


def _import_all() -> None:
    for module in _NEEDED:
        # Whatever is wrong with it is told where it is used.
        with suppress(Exception):
            importlib.import_module(module)
