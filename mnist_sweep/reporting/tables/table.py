"""What a table is, apart from how it is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mnist_sweep.metrics import Format
from mnist_sweep.records.view import View
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import NOTHING, all_written, with_spread, written
from mnist_sweep.reporting.tables.repeats import ConfigurationRow
from mnist_sweep.reporting.tables.rows import RunRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


class Cell(NamedTuple):
    """A plain value, its text for people (one line, unescaped), and whether it is marked."""

    value: Any
    text: str
    mark: Mark = ""


class Cells(NamedTuple):
    """The cells of one column, in the order of the rows: values, texts and marks."""

    values: Sequence[Any]
    texts: Sequence[str]
    marks: Sequence[Mark]


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
    """One table, ready for any renderer; `notices` are to be shown loudly beside the title.

    Its cells are made when they are asked for: the millions of 100,000 rows column by column, or
    not at all where raw values are wanted. Best and worst are looked for among `among`.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    runs: tuple[RunRow, ...]
    notices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    view: View = field(kw_only=True, repr=False, compare=False)
    among: View = field(kw_only=True, repr=False, compare=False)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows with all their cells."""
        cells = zip(*(map(Cell, *column) for column in self.cells()), strict=True)
        return tuple(Row(run, own) for run, own in zip(self.runs, cells, strict=True))

    @cached_property
    def has_marks(self) -> bool:
        """Whether any cell is marked, so that the marks need an explanation."""
        marked = (column for column in self.columns if column.higher_is_better is not None)
        return any(any(self._cells(column).marks) for column in marked)

    def cells(self) -> Iterator[Cells]:
        """The cells of each column."""
        return map(self._cells, self.columns)

    def _cells(self, column: Column) -> Cells:
        return _cells(column, self.runs, self.view, self.among)


STATUS = Column("status", "Status")
"""The column that says why a run has no values; it is there if any row has a reason."""


def make_table(
    name: str,
    title: str,
    columns: Sequence[Column],
    runs: Sequence[RunRow],
    *,
    view: View,
    among: View,
    notices: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Table:
    """A table of runs or configurations; the status column is added where a row needs it.

    Args:
        name: For files and programs.
        title: For people.
        columns: Of the table.
        runs: The rows.
        view: Of the rows' values; tables of the same rows share it, of 100,000 it is some work.
        among: Of the values among which the best and the worst are to be marked.
        notices: To be shown loudly beside the title.
        notes: Below the table.
    """
    if any(run.status != "finished" for run in runs) and STATUS not in columns:
        columns = [*columns, STATUS]
    aligned = [replace(column, numeric=_is_numeric(column, view)) for column in columns]
    said = (tuple(notices), tuple(notes))
    return Table(name, visible(title), tuple(aligned), tuple(runs), *said, view=view, among=among)


def status_text(run: RunRow) -> str:
    """A run's status with the reason, on one line: 'failed: MemoryError: out of memory'."""
    colon = "" if run.status == "pruned" else ":"  # pruned after epoch 3 of 20
    text = f"{run.status}{colon} {run.reason}" if run.reason else run.status
    return shortened(visible(text), _LONGEST_STATUS)


def _cells(column: Column, runs: Sequence[RunRow], view: View, among: View) -> Cells:
    """A column's cells, those that look like the best and the worst among all marked."""
    if column.key == STATUS.key:
        return _statuses(runs)
    if column.interval_of:
        return _intervals(column, runs)
    values = view.values(column.key)
    plain = all_written(values, column.format)
    texts: Sequence[str] = plain
    if None in values or set(map(type, runs)) != {RunRow}:
        texts = [
            text
            if value is not None and type(run) is RunRow
            else _with_more(column, run, value, text)
            for run, value, text in zip(runs, values, plain, strict=True)
        ]
    if column.key.endswith("sha256"):
        texts = [
            value[:12] if isinstance(value, str) else text
            for value, text in zip(values, texts, strict=True)
        ]
    if max(map(len, texts), default=0) > _LONGEST_SETTING:
        texts = [shortened(text, _LONGEST_SETTING) for text in texts]
    known = _marks(column, among)
    if not known:
        return Cells(values, texts, [""] * len(texts))
    marks = [
        known.get(text, "") if value is not None and run.status != "pruned" else ""
        for value, text, run in zip(values, plain, runs, strict=True)
    ]
    return Cells(values, texts, marks)


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


def _with_more(column: Column, run: RunRow, value: Any, text: str) -> str:
    """A value's text with its spread, or that there is no such value."""
    if value is None and column.key not in run.values:
        return NOTHING
    spread = run.spreads.get(column.key) if isinstance(run, ConfigurationRow) else None
    return text if spread is None else with_spread(value, spread, column.format)


def _statuses(runs: Sequence[RunRow]) -> Cells:
    known: dict[tuple[str, str], str] = {}
    for run in runs:
        if (run.status, run.reason) not in known:
            known[run.status, run.reason] = status_text(run)
    texts = [known[run.status, run.reason] for run in runs]
    return Cells([run.status for run in runs], texts, [""] * len(runs))


def _intervals(column: Column, runs: Sequence[RunRow]) -> Cells:
    found = [
        run.intervals.get(column.interval_of) if isinstance(run, ConfigurationRow) else None
        for run in runs
    ]
    texts = [
        " to ".join(written(end, column.format) for end in (one.low, one.high)) if one else NOTHING
        for one in found
    ]
    return Cells([one.low if one else None for one in found], texts, [""] * len(runs))


def _is_numeric(column: Column, view: View) -> bool:
    if column.format is not Format.SETTING:
        return True
    return set(map(type, view.values(column.key))) <= {int, float, bool, type(None)}
