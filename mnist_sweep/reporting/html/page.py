"""The report as one HTML text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import Metric
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.reporting.conclusions.summary import ReportSummary
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.figures.gallery import Gallery
from mnist_sweep.reporting.figures.plot import COLOURS, MARKERS, Plot, axis_title
from mnist_sweep.reporting.html import contents, embed
from mnist_sweep.reporting.html.ranking import SHOWN, ranking
from mnist_sweep.reporting.phrases import report as phrases
from mnist_sweep.reporting.phrases.selection import LineKind, selection_lines
from mnist_sweep.reporting.tables.rows import rows_to_compare
from mnist_sweep.reporting.tables.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HERE = Path(__file__).parent
_SHOWN_LINES = (LineKind.ANSWER, LineKind.CONFIDENCE, LineKind.NOTE)
_SCRIPTS = ("core.js", "tables.js", "matrix.js", "plots.js", "start.js")


@dataclass(frozen=True)
class Report:
    """All that a page is made of.

    Attributes:
        sweeps: What was loaded from the directories.
        tables: The comparison tables.
        configurations: The finished runs, grouped.
        answer: What is concluded from them.
        gallery: The most mistaken test images.
        images: Data hash -> test images (n_test, height, width) uint8, where they are at hand.
        objective: The metric by which configurations are best and worst.
        plots: What is plotted.
        directory: Where the page will lie.
        pictures: Name of a plot -> its SVG file, for print and where scripts do not run.
        refresh_s: Seconds after which the page reloads, while a sweep runs; 0 is never.
    """

    sweeps: Sequence[Sweep]
    tables: Sequence[Table]
    configurations: Sequence[Configuration]
    answer: ReportSummary
    gallery: Gallery
    images: Mapping[str, NDArray[np.uint8]]
    objective: Metric
    plots: Sequence[Plot]
    directory: Path
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    refresh_s: int = 0


def render(report: Report) -> str:
    """The page. Everything in it that came from a record is escaped by the template."""
    import pandas as pd
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "axis_title": axis_title,
        "base64": embed.base64_text,
        "json": embed.json_text,
        "lines": selection_lines,
        "png": embed.png_uri,
        "source_hash": embed.source_hash,
        "visible": visible,
    }
    sweeps, shown = report.sweeps, report.configurations
    runs = pd.concat([sweep.frame for sweep in sweeps], ignore_index=True)
    rows = rows_to_compare(all_runs(sweeps), (), runs=True).frame
    ranked = ranking(shown, report.objective, report.directory)
    networks = contents.networks(shown)
    best = shown[ranked.columns["#"][0]].name if shown else ""
    scripts = "".join(map(_static, _SCRIPTS))
    scales = [c.records[0].data.scale for c in shown if c.records[0].data.scale]
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
        # Its own attributes by their names.
        **vars(report),
        said=phrases,
        title=", ".join(visible(one.directory.name or str(one.directory)) for one in sweeps),
        facts=contents.facts(sweeps, runs, shown),
        took=phrases.took(contents.busy_s(runs)),
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
        again=phrases.report_command([str(sweep.directory) for sweep in sweeps]),
        css=_static("report.css"),
        script=f'"use strict";\n(() => {{\n{scripts}}})();\n',
        source=source,
        library=packed,
        payload=payload,
    )


def _static(name: str) -> str:
    try:
        return (_HERE / "static" / name).read_text(encoding="utf-8")
    except OSError as error:
        raise MnistSweepError(
            f"The report's own file {name} cannot be read ({error.strerror}): the installation "
            "is damaged. Install mnist-sweep again."
        ) from error
