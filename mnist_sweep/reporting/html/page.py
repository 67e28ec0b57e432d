"""The report as one HTML text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_sweep.analysis.configurations import configurations
from mnist_sweep.metrics import resolve
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs, objective_of
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.figures.files import Drawers, figures, plots
from mnist_sweep.reporting.figures.gallery import gallery_of
from mnist_sweep.reporting.figures.plot import COLOURS, MARKERS
from mnist_sweep.reporting.html import contents, embed
from mnist_sweep.reporting.html.ranking import SHOWN, ranking
from mnist_sweep.reporting.numbers import NOTHING, duration
from mnist_sweep.reporting.phrases.names import with_names
from mnist_sweep.reporting.phrases.report import PREDICTED, TRUE
from mnist_sweep.reporting.phrases.selection import LineKind, selection_lines
from mnist_sweep.reporting.phrases.tables import ONE_RUN_EACH, not_shown
from mnist_sweep.reporting.summary import ReportSummary
from mnist_sweep.reporting.tables.rows import rows_to_compare
from mnist_sweep.reporting.tables.table import Table

_SHOWN_LINES = (LineKind.ANSWER, LineKind.CONFIDENCE, LineKind.NOTE)
_SCRIPTS = ("core.js", "tables.js", "matrix.js", "plots.js", "start.js")


class Report:
    """What a report is made of.

    `images` is data hash -> test images (n_test, height, width) uint8, where they are at hand;
    `directory` where the page will lie. It reloads every `refresh_s` seconds; 0 is never.
    """

    def __init__(
        self,
        sweeps: Sequence[Sweep],
        tables: Sequence[Table],
        answer: ReportSummary,
        images: Mapping[str, NDArray[np.uint8]],
        directory: Path,
        refresh_s: int = 0,
    ) -> None:
        self.sweeps, self.tables, self.answer, self.images = sweeps, tables, answer, images
        self.directory, self.refresh_s = directory, refresh_s
        self.objective = resolve(objective_of(sweeps))
        self.configurations = with_names(configurations(all_runs(sweeps)))
        self.gallery = gallery_of(self.configurations)
        plans = [sweep.plan for sweep in sweeps]
        self.plots = plots(self.configurations, self.objective, plans)

    def figures(self) -> Drawers:
        """What is drawn for `figures/`."""
        return figures(self.configurations, self.plots, self.gallery, self.images, self.objective)


def render(report: Report, pictures: Mapping[str, bytes]) -> str:
    """The page. Everything in it that came from a record is escaped by the template."""
    import pandas as pd

    environment = embed.templates()
    environment.filters["lines"] = selection_lines
    sweeps, shown = report.sweeps, report.configurations
    runs = pd.concat([sweep.frame for sweep in sweeps], ignore_index=True)
    rows = rows_to_compare(all_runs(sweeps), (), runs=True).frame
    ranked = ranking(shown, report.objective, report.directory)
    networks = contents.networks(shown)
    best = shown[ranked.columns["#"][0]].name if shown else ""
    directories = [str(sweep.directory) for sweep in sweeps]
    scripts = "".join(map(embed.static, _SCRIPTS))
    scales = [c.records[0].data.scale for c in shown if c.records[0].data.scale]
    busy_s = contents.busy_s(runs)
    # Without plots the page does without Plotly's 2 MB.
    source, packed = embed.library() if report.plots else ("", "")
    payload = {
        "columns": contents.row_columns(report.tables, shown),
        "ranked": ranked.columns,
        "networks": networks,
        "plots": [embed.for_plotly(plot) for plot in report.plots],
        "colours": COLOURS,
        "markers": [*MARKERS],
        "refresh": report.refresh_s,
    }
    return environment.get_template("report.html.j2").render(
        one_run_each=ONE_RUN_EACH,
        not_shown=not_shown,
        true_axis=TRUE,
        predicted_axis=PREDICTED,
        report=report,
        pictures=pictures,
        title=", ".join(visible(one.directory.name or str(one.directory)) for one in sweeps),
        facts=contents.facts(sweeps, runs, shown),
        took=duration(busy_s) if busy_s else NOTHING,
        runs=len(rows),
        finished=int((rows["status"] == RunStatus.FINISHED).sum()),
        notices=contents.notices(rows),
        ranking=ranked,
        top=SHOWN,
        shown_lines=_SHOWN_LINES,
        networks=networks,
        chosen=next((k for k, one in enumerate(networks) if one["of"] == best), 0),
        failures=contents.failures(rows, sweeps),
        stopped=contents.stopped(rows),
        notes=dict.fromkeys(note for table in report.tables for note in table.notes),
        test_images=report.images.get(report.gallery.sha256),
        scale=scales[0] if scales else 255.0,
        settings=contents.common_settings(runs),
        environment=contents.environments(runs),
        directories=directories,
        again=visible(shlex.join(["mnist-sweep", "report", *directories])),
        css=embed.static("report.css"),
        script=f'"use strict";\n(() => {{\n{scripts}}})();\n',
        source=source,
        library=packed,
        payload=payload,
    )
