"""Tables as text in one of several formats; each format has a file of its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mnist_sweep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.tables.table import Table

FORMATS = ("text", "md", "csv", "latex", "json")


def render(
    tables: Sequence[Table],
    format_name: str = "text",
    *,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """The tables in `format_name`, ending with a line break.

    Args:
        tables: Tables over the same runs.
        format_name: One of `FORMATS`.
        width: For text: columns of the terminal, into which the tables are laid out; None is plain
            aligned text of any width, for pipes and files.
        colour: For text on a terminal: whether to style it.

    Raises:
        UsageError: There is no such format.
    """
    if format_name not in FORMATS:
        raise UsageError(f"No format {format_name!r}: expected one of {', '.join(FORMATS)}.")
    if format_name == "text" and width is not None:
        from mnist_sweep.reporting.tables.render.terminal import render_terminal

        return render_terminal(tables, width, colour=colour)
    name = "markdown" if format_name == "md" else format_name
    module = import_module(f"{__name__}.{name}")
    text: str = module.render(tables)
    return text
