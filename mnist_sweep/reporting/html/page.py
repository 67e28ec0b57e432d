"""The report as one HTML text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from mnist_sweep.reporting.html import contents
from mnist_sweep.reporting.html.bundle import bundle
from mnist_sweep.reporting.html.embed import json_text
from mnist_sweep.reporting.html.plots import plots
from mnist_sweep.reporting.html.policy import content_security_policy
from mnist_sweep.reporting.phrases.names import data_name
from mnist_sweep.reporting.phrases.selection import LineKind, selection_lines
from mnist_sweep.reporting.tables.rows import rows_to_compare
from mnist_sweep.reporting.tables.table import LEGEND, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_HERE = Path(__file__).parent
_MAX_SHOWN = 300
"""Longer sentences of a selection, such as many ties, are folded away."""
_SCRIPTS = ("core.js", "tables.js", "matrix.js", "plots.js", "start.js")


@dataclass(frozen=True)
class Report:
    """All that a page is made of.

    Attributes:
        sweeps: What was loaded from the directories.
        tables: The comparison tables.
        configurations: The finished runs, grouped.
        answer: What the page begins with.
        gallery: The most mistaken test images.
        images: Data hash -> test images (n_test, height, width) uint8, where they are at hand.
        objective: The metric by which configurations are best and worst.
        refresh_s: Seconds after which the page reloads, while a sweep runs; 0 is never.
    """

    sweeps: Sequence[Sweep]
    tables: Sequence[Table]
    configurations: Sequence[Configuration]
    answer: ReportSummary
    gallery: Gallery
    images: Mapping[str, NDArray[np.uint8]]
    objective: Metric
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
    script = "".join(_static(name) for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}}})();\n'
    css = _static("report.css")
    drawn = plots(report.configurations, report.objective)
    library = bundle() if drawn else None
    policy = content_security_policy([script, *([library.source] if library else [])], [css])
    networks = contents.networks(report.configurations)
    payload = {
        "columns": contents.row_columns(report.tables, report.configurations),
        "networks": networks,
        "labels": _labels(report.configurations),
        "plots": [
            {"id": p.id, "height": p.height, "data": p.data, "layout": p.layout} for p in drawn
        ],
        "refresh": report.refresh_s,
    }
    return environment.get_template("report.html.j2").render(
        policy=policy,
        # Our own files and packed bytes: nothing of a record is in them.
        css=Markup(css),  # noqa: S704
        script=Markup(script),  # noqa: S704
        library=library.packed if library else "",
        payload=Markup(json_text(payload)),  # noqa: S704
        plots=drawn,
        networks=networks,
        chosen=_chosen(report),
        legend=LEGEND,
        **_said(report),
    )


def _said(report: Report) -> dict[str, Any]:
    """The texts of the page."""
    rows = rows_to_compare(all_runs(report.sweeps), (), runs=True).frame
    names = [visible(sweep.directory.name or str(sweep.directory)) for sweep in report.sweeps]
    finished = int((rows["status"] == RunStatus.FINISHED).sum())
    scales = [c.records[0].data.scale for c in report.configurations if c.records[0].data.scale]
    return {
        "title": ", ".join(names),
        "data": list(dict.fromkeys(data_name(*c.data) for c in report.configurations)),
        "runs": len(rows),
        "finished": finished,
        "configurations": len(report.configurations),
        "tables": report.tables,
        "notices": list(dict.fromkeys(n for table in report.tables for n in table.notices)),
        "notes": list(dict.fromkeys(n for table in report.tables for n in table.notes)),
        "conclusions": report.answer.conclusions,
        "selections": [_selection(s) for s in report.answer.selections],
        "failures": contents.failures(rows, report.sweeps),
        "stopped": contents.stopped(rows),
        "settings": contents.common_settings(report.sweeps),
        "environment": contents.environments(report.sweeps),
        "thumbnails": contents.thumbnails(
            report.gallery, report.images, scales[0] if scales else 255.0
        ),
        "gallery": report.gallery,
        "refresh": report.refresh_s,
        "command": f"python -m mnist_sweep report {' '.join(names)}",
    }


def _selection(selection: UncertainSelection) -> dict[str, Any]:
    """A selection's lines: the answer, and what can be unfolded."""
    answer, *others = selection_lines(selection)
    shown = [
        line
        for line in others
        if line.kind is LineKind.NOTE
        or (line.kind in (LineKind.TIES, LineKind.WEAKEST) and len(line.text) <= _MAX_SHOWN)
    ]
    return {
        "direction": selection.selection.direction,
        "answer": answer.text,
        "short": [line.text for line in shown],
        "others": [line.text for line in others if line not in shown],
    }


def _chosen(report: Report) -> int:
    """The network that the switch shows first: the one that was selected last, or the first."""
    wanted = [s.chosen.configuration_id for s in report.answer.selections]
    index = 0
    for configuration in report.configurations:
        if wanted and configuration.records[0].configuration_id == wanted[-1]:
            return index
        several = len(configuration.records) > 1
        index += 1 + (len(configuration.records) if several else 0)
    return 0


def _labels(shown: Sequence[Configuration]) -> list[int]:
    classes = max((record.data.classes for c in shown for record in c.records), default=0)
    return list(range(classes))


def _static(name: str) -> str:
    try:
        return (_HERE / "static" / name).read_text(encoding="utf-8")
    except OSError as error:
        raise MnistSweepError(
            f"The report's own file {name} cannot be read ({error.strerror}): the installation "
            "is damaged. Install mnist-sweep again."
        ) from error
