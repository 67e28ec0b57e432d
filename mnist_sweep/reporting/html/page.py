"""The report as one HTML text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.uncertainty import UncertainSelection
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.metrics import Metric
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep, all_runs
from mnist_sweep.reporting.conclusions.summary import ReportSummary
from mnist_sweep.reporting.escape import visible
from mnist_sweep.reporting.figures.gallery import Gallery
from mnist_sweep.reporting.figures.plot import Plot, axis_title
from mnist_sweep.reporting.html import contents, embed
from mnist_sweep.reporting.html.plotly import figure
from mnist_sweep.reporting.html.ranking import SHOWN, Ranking, ranking
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    environment.filters["axis_title"] = axis_title
    script = "".join(map(_static, _SCRIPTS))
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    css = _static("report.css")
    source, packed = embed.library() if report.plots else ("", "")
    policy = embed.content_security_policy([script, *([source] if source else [])], [css])
    shown = report.configurations
    ranked = ranking(shown, report.objective, report.directory)
    networks = contents.networks(shown)
    payload = {
        "columns": contents.row_columns(report.tables, shown),
        "ranked": _sortable(ranked),
        "networks": networks,
        "plots": [figure(plot) for plot in report.plots],
        "refresh": report.refresh_s,
    }
    best = shown[ranked.rows[0].place].name if ranked.rows else ""
    return environment.get_template("report.html.j2").render(
        policy=policy,
        # Our own files and packed bytes: nothing of a record is in them.
        css=Markup(css),  # noqa: S704
        script=Markup(script),  # noqa: S704
        library=packed,
        payload=Markup(embed.json_text(payload)),  # noqa: S704
        plots=report.plots,
        pictures={name: embed.data_uri(svg, "svg+xml") for name, svg in report.pictures.items()},
        networks=networks,
        chosen=next((k for k, one in enumerate(networks) if one["of"] == best), 0),
        ranking=ranked,
        top=SHOWN,
        said=phrases,
        **_said(report),
    )


def _said(report: Report) -> dict[str, Any]:
    """The texts of the page."""
    rows = rows_to_compare(all_runs(report.sweeps), (), runs=True).frame
    names = [visible(sweep.directory.name or str(sweep.directory)) for sweep in report.sweeps]
    scales = [c.records[0].data.scale for c in report.configurations if c.records[0].data.scale]
    thumbnails = contents.thumbnails(report.gallery, report.images, scales[0] if scales else 255.0)
    return {
        "title": ", ".join(names),
        "facts": contents.facts(report.sweeps, report.configurations),
        "took": phrases.took(contents.busy_s(report.sweeps)),
        "runs": len(rows),
        "finished": int((rows["status"] == RunStatus.FINISHED).sum()),
        "tables": report.tables,
        "notices": contents.notices(rows),
        "notes": list(dict.fromkeys(n for table in report.tables for n in table.notes)),
        "conclusions": report.answer.conclusions,
        "selections": [*map(_selection, report.answer.selections)],
        "failures": contents.failures(rows, report.sweeps),
        "stopped": contents.stopped(rows),
        "settings": contents.common_settings(report.sweeps),
        "environment": contents.environments(report.sweeps),
        "thumbnails": thumbnails,
        "gallery": report.gallery,
        "refresh": report.refresh_s,
        "again": phrases.report_command([str(sweep.directory) for sweep in report.sweeps]),
    }


def _selection(selection: UncertainSelection) -> dict[str, Any]:
    """A selection's lines: the answer, and what can be unfolded."""
    lines = selection_lines(selection)
    return {
        "direction": selection.selection.direction,
        "short": [line.text for line in lines if line.kind in _SHOWN_LINES],
        "others": [line.text for line in lines if line.kind not in _SHOWN_LINES],
    }


def _sortable(ranked: Ranking) -> dict[str, list[Any]]:
    """The ranked table's rows by column; `#` is each row's configuration."""
    rows = ranked.rows
    return {
        "#": [row.place for row in rows],
        "name": [row.name for row in rows],
        **{
            metric.column: [row.values[k].number for row in rows]
            for k, metric in enumerate(ranked.metrics)
        },
    }


def _static(name: str) -> str:
    try:
        return (_HERE / "static" / name).read_text(encoding="utf-8")
    except OSError as error:
        raise MnistSweepError(
            f"The report's own file {name} cannot be read ({error.strerror}): the installation "
            "is damaged. Install mnist-sweep again."
        ) from error
