"""The results of a sweep's methods: each prints as text and is displayed in notebooks."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from mnist_sweep.analysis.compare import Comparison
    from mnist_sweep.analysis.gate import GateResult
    from mnist_sweep.analysis.selection import Selection
    from mnist_sweep.reporting.tables.table import Table


def preformatted(text: str) -> str:
    """Text as HTML with its spaces; Jupyter's own style breaks such lines within words."""
    return f'<pre style="white-space: pre-wrap; word-break: normal">{escape(text)}</pre>'


class _Text:
    """What is shown as text, also in a notebook."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return preformatted(str(self))


@dataclass(frozen=True, repr=False)
class Selected(_Text):
    """A selected configuration. Prints as text; `selection` has the fields.

    Attributes:
        selection: The candidates in order, their values, the uncertainty, and excluded runs.
    """

    selection: Selection

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration's settings, by dotted name, without the seed."""
        return self.selection.chosen.settings

    @property
    def value(self) -> float:
        """The metric's mean over the configuration's runs."""
        return self.selection.chosen.value

    @property
    def run_ids(self) -> tuple[str, ...]:
        """The configuration's finished runs, in order of seed."""
        return self.selection.chosen.run_ids

    def __str__(self) -> str:
        from mnist_sweep.reporting.phrases.selection import sentences

        return "\n".join(sentences(self.selection))


@dataclass(frozen=True, repr=False)
class Tables(_Text):
    """Comparison tables. `str` is aligned text; `text(format)` is any format of `table --format`.

    Attributes:
        tables: The tables: columns, rows, cells with values and marks.
    """

    tables: Sequence[Table]

    def text(self, format_name: str = "text") -> str:
        """The tables as text, md, csv, html, latex or json.

        Raises:
            UsageError: There is no such format.
        """
        from mnist_sweep.reporting.tables.render import render

        return render(self.tables, format_name)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return self.text("html")


class Plots(dict[str, "Figure"]):
    """Matplotlib figures by name; a notebook shows all, or a single one."""

    def __init__(self, figures: dict[str, Figure]) -> None:
        super().__init__(figures)
        for figure in self.values():  # which without pyplot has no picture in a notebook
            vars(figure)["_repr_png_"] = partial(_png, figure)

    def _repr_html_(self) -> str:
        return "".join(
            f'<p><img src="data:image/png;base64,{b64encode(_png(figure)).decode()}" '
            f'alt="{escape(name)}" width="{100 * figure.get_figwidth():.0f}"></p>'
            for name, figure in self.items()
        )


def _png(figure: Figure) -> bytes:
    """PNG, since Jupyter shows SVG only in notebooks that were run on the same machine."""
    from mnist_sweep.reporting.figures import drawing

    dpi, engine, canvas = figure.dpi, figure.get_layout_engine(), figure.canvas
    try:
        with drawing.styled():
            return drawing.rendered(figure, "png")
    finally:
        figure.dpi = dpi
        figure.set_layout_engine(engine)
        figure.set_canvas(canvas)


@dataclass(frozen=True, repr=False)
class Compared(_Text):
    """A comparison of directories. Prints as a short text; `comparison` has the fields."""

    comparison: Comparison

    def text(self, format_name: str = "text") -> str:
        """The comparison as text, md, json or an html page.

        Raises:
            UsageError: There is no such format.
        """
        from mnist_sweep.reporting.comparison import render as comparison_text

        return comparison_text.render(self.comparison, format_name)

    def __str__(self) -> str:
        from mnist_sweep.reporting.comparison import render as comparison_text

        return comparison_text.text(self.comparison)


@dataclass(frozen=True, repr=False)
class Gate(_Text):
    """What the gate found. Prints as text; `result` has the checks as fields."""

    result: GateResult

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return self.result.passed

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        from mnist_sweep.reporting import gate as gate_report

        return gate_report.text(self.result)
