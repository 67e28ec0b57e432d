"""What a table is, apart from how it is rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import NOTHING, Format, with_spread, written
from mnist_sweep.reporting.repeats import ConfigurationRow
from mnist_sweep.reporting.rows import column_values
from mnist_sweep.results.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_sweep.reporting.rows import RunRow

Mark = Literal["", "best", "worst"]

LEGEND = "best and worst of a column"
_LONGEST_SETTING = 40
_LONGEST_STATUS = 100


@dataclass(frozen=True)
class Column:
    """One column.

    `key` is its name in `results.fields`, `unit` stands in the heading (s, %), `higher_is_better`
    is None where no value is better than another, `numeric` says that it is set flush right.
    `interval_of` is the key of the column whose interval this one shows: formats for programs pass
    it over and carry both ends beside the value itself.
    """

    key: str
    heading: str
    format: Format = Format.SETTING
    unit: str = ""
    higher_is_better: bool | None = None
    numeric: bool = True
    interval_of: str = ""

    @property
    def title(self) -> str:
        """The heading with its unit."""
        return f"{self.heading} [{self.unit}]" if self.unit else self.heading


@dataclass(frozen=True)
class Cell:
    """A plain value, its text for people (one line, unescaped), and whether it is marked."""

    value: Any
    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Row:
    """The cells of one run or configuration; `data` names the data it was evaluated on."""

    run: RunRow
    cells: tuple[Cell, ...]

    @property
    def data(self) -> str:
        """The data's name and content hash, or nothing if the run left no record."""
        values = self.run.values
        return str(values.get("dataset.name") or "")


@dataclass(frozen=True)
class Table:
    """One table, ready for any renderer; `notices` are to be shown loudly beside the title."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_marks(self) -> bool:
        """Whether any cell is marked, so that the marks need an explanation."""
        return any(cell.mark for row in self.rows for cell in row.cells)


STATUS = Column("status", "Status")
"""The column that says why a run has no values; it is there if any row has a reason."""


def make_table(
    name: str,
    title: str,
    columns: Sequence[Column],
    runs: Sequence[RunRow],
    *,
    among: Sequence[RunRow] = (),
    notices: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """A table of runs or configurations; the status column is added where a row needs it.

    Args:
        name: For files and programs.
        title: For people.
        columns: Of the table.
        runs: The rows.
        among: More rows than the table's own, of which the best and the worst are to be marked.
        notices: To be shown loudly beside the title.
        notes: Below the table.
    """
    if any(run.status != "finished" for run in runs) and STATUS not in columns:
        columns = [*columns, STATUS]
    aligned = [replace(column, numeric=_is_numeric(column, runs)) for column in columns]
    # What was stopped early took less time, which is no merit.
    counting = View([run.values for run in among or runs if run.status != "pruned"])
    by_column = [_cells(column, runs, counting) for column in aligned]
    cells = zip(*by_column, strict=True)
    return Table(
        name,
        visible(title),
        tuple(aligned),
        tuple(Row(run, own) for run, own in zip(runs, cells, strict=True)),
        tuple(notices),
        tuple(notes),
    )


def status_text(run: RunRow) -> str:
    """A run's status with the reason, on one line: 'failed: MemoryError: out of memory'."""
    colon = "" if run.status == "pruned" else ":"  # pruned after epoch 3 of 20
    text = f"{run.status}{colon} {run.reason}" if run.reason else run.status
    return shortened(visible(text), _LONGEST_STATUS)


def _cells(column: Column, runs: Sequence[RunRow], among: View) -> list[Cell]:
    """A column's cells, those that look like the best and the worst among all marked."""
    cells = [_cell(column, run) for run in runs]
    marks = _marks(column, among)
    if not marks:
        return cells
    return [
        replace(cell, mark=marks.get(written(cell.value, column.format), ""))
        if cell.value is not None and run.status != "pruned"
        else cell
        for cell, run in zip(cells, runs, strict=True)
    ]


def _marks(column: Column, among: View) -> dict[str, Mark]:
    """What the best and the worst value of a column look like.

    What looks equal is marked alike, and nothing is where all look equal: a mark must not tell
    apart what its reader cannot. The spread stands beside a mean, not in it: marks go by the mean.
    """
    if column.higher_is_better is None:
        return {}
    known = [value for value in among.values(column.key) if value is not None]
    if not known:
        return {}
    low, high = (written(end(known, key=float), column.format) for end in (min, max))
    if low == high:
        return {}
    return {low: "worst", high: "best"} if column.higher_is_better else {low: "best", high: "worst"}


def _cell(column: Column, run: RunRow) -> Cell:
    if column.key == STATUS.key:
        return Cell(run.status, status_text(run))
    if column.interval_of:
        return _interval(column, run)
    if column.key not in run.values:
        return Cell(None, NOTHING)
    value = run.values[column.key]
    text = written(value, column.format)
    if isinstance(run, ConfigurationRow) and column.key in run.spreads:
        text = with_spread(value, run.spreads[column.key], column.format)
    if column.key.endswith("sha256") and isinstance(value, str):
        text = value[:12]
    return Cell(value, shortened(text, _LONGEST_SETTING))


def _interval(column: Column, run: RunRow) -> Cell:
    found = run.intervals.get(column.interval_of) if isinstance(run, ConfigurationRow) else None
    if found is None:
        return Cell(None, NOTHING)
    ends = (written(end, column.format) for end in (found.low, found.high))
    return Cell(found.low, " to ".join(ends))


def _is_numeric(column: Column, runs: Sequence[RunRow]) -> bool:
    values = column_values(runs, column.key)
    return column.format is not Format.SETTING or all(
        value is None or isinstance(value, (int, float)) for value in values
    )
