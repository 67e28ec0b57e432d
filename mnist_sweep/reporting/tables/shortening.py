"""Tables of very many rows cut down to what a person reads, never without saying so."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.tables.rows import RunRow

MOST_ROWS = 200
"""Rows of a table on a terminal: a few screens."""
SHOWN_ENDS = 20
"""Rows from either end where there are more."""


def ends_of(rows: Sequence[RunRow], most: int | None) -> list[RunRow]:
    """All rows, or of more than `most` the first and the last `SHOWN_ENDS`."""
    if most is None or len(rows) <= most:
        return list(rows)
    return [*rows[:SHOWN_ENDS], *rows[-SHOWN_ENDS:]]


def note_on_hidden(rows: Sequence[RunRow], most: int | None) -> list[str]:
    """Which rows `ends_of` leaves out, how many of them have no result, and how to see them."""
    if most is None or len(rows) <= most:
        return []
    hidden = rows[SHOWN_ENDS:-SHOWN_ENDS]
    counts = Counter(row.status for row in hidden if row.status != "finished")
    without = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    among = f" (among them {without})" if without else ""
    note = (
        f"The first {SHOWN_ENDS} and the last {SHOWN_ENDS} of {len(rows):,} rows in this order; "
        f"{len(hidden):,} are not shown{among}. The table command's --all shows every row, --where "
        "fewer, --sort test.accuracy,desc the best first; a pipe or another --format has every row."
    )
    return [note]
