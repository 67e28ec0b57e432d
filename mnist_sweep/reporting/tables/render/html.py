"""Tables as plain HTML, for notebooks and other people's pages; the report has its own."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_sweep.reporting.html.embed import templates
from mnist_sweep.reporting.tables.table import LEGEND, Table


def render(tables: Sequence[Table]) -> str:
    """A table element each, the data's notices above and the notes below."""
    notices = dict.fromkeys(notice for table in tables for notice in table.notices)
    notes = list(dict.fromkeys(note for table in tables for note in table.notes))
    notes += [LEGEND] if any(table.has_marks for table in tables) else []
    page = templates().get_template("plain.html.j2")
    return page.render(tables=tables, notices=notices, notes=notes)
