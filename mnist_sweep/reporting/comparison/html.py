"""A comparison as one self-contained HTML page: no script, nothing loaded, styles by hash."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.comparison.page import page
from mnist_sweep.reporting.html.embed import source_hash

if TYPE_CHECKING:
    from jinja2 import Template

    from mnist_sweep.analysis.compare.comparison import Comparison

N_SHADES = 4
"""Of red and of green."""


def html(comparison: Comparison) -> str:
    """The page: verdict, sections, and every shared configuration's confusion difference."""
    style = _resource("comparison.css")
    hashed = source_hash(style)
    policy = f"default-src 'none'; style-src {hashed}; base-uri 'none'; form-action 'none'"
    return _template().render(
        page=page(comparison), style=style, policy=policy, matrices=_matrices(comparison)
    )


def _matrices(comparison: Comparison) -> list[dict[str, Any]]:
    """Confusion differences with a shade for each cell: red is more mistakes, green fewer."""
    found = []
    for pair in comparison.pairs:
        for one in pair.changes:
            if one.confusion is None or not any(map(any, one.confusion)):
                continue
            largest = max(abs(value) for row in one.confusion for value in row)
            rows = [
                [_cell(value, largest, diagonal=i == j) for j, value in enumerate(row)]
                for i, row in enumerate(one.confusion)
            ]
            title = f"{pair.second.name} minus {pair.first.name}: {one.shared.name}"
            found.append({"title": title, "rows": rows, "largest": largest})
    return found


def _cell(value: float, largest: float, *, diagonal: bool) -> dict[str, str]:
    if not value:
        return {"text": "", "shade": ""}
    strength = max(1, round(N_SHADES * abs(value) / largest))
    better = (value > 0) == diagonal
    return {"text": f"{value:+.3g}", "shade": f"{'good' if better else 'bad'}{strength}"}


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_resource("comparison.html.j2"))


def _resource(name: str) -> str:
    return (resources.files("mnist_sweep.reporting.comparison") / name).read_text("utf-8")
