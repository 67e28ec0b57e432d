"""Tables as text in one of several formats: a module each, named after its format.

A module here with a `render(tables) -> str` is a format; so is such a function that another package
declares as an entry point in the group `mnist_sweep.table_formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from mnist_sweep.errors import UsageError
from mnist_sweep.plugins import plugins
from mnist_sweep.reporting.tables.table import Table

_BUILT_IN = tuple(module.name for module in iter_modules(__path__))


def format_names() -> tuple[str, ...]:
    """The formats there are, text first."""
    others = sorted({*_BUILT_IN, *plugins("table_formats")} - {"text"})
    return ("text", *others)


def render(
    tables: Sequence[Table],
    format_name: str = "text",
    *,
    width: int | None = None,
    colour: bool = False,
) -> str:
    """The tables in a format, ending with a line break."""
    if format_name == "text":
        from mnist_sweep.reporting.tables.render import text

        return text.render(tables, width=width, colour=colour)
    if format_name in _BUILT_IN:
        rendered = import_module(f"{__name__}.{format_name}").render(tables)
    elif format_name in plugins("table_formats"):
        rendered = plugins("table_formats")[format_name](tables)
    else:
        names = ", ".join(format_names())
        raise UsageError(f"No format {format_name!r}: expected one of: {names}.")
    return str(rendered)
