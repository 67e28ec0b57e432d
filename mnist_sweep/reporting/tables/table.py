"""What a table is, apart from how it is rendered: rows, columns, cells with their marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mnist_sweep.analysis.varying import is_known, is_setting, used
from mnist_sweep.metrics import Format
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.table import RunsTable, plain
from mnist_sweep.reporting.escape import shortened
from mnist_sweep.reporting.numbers import NOTHING, UNITS, with_spread, written, written_all
from mnist_sweep.reporting.phrases.names import status_text

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics import Interval  # NumPy, which --help does without

Mark = Literal["", "best", "worst"]

LEGEND = "* best, ! worst in column"
_MAX_SETTING = 40


@dataclass(frozen=True)
class Column:
    """One column of the runs table: its key there, a heading without the unit, and a format."""

    key: str
    heading: str
    format: Format = Format.SETTING
    higher_is_better: bool | None = None  # None where no value is better than another
    # The key of the column whose interval this one shows: formats for programs leave it out and
    # carry both ends beside the value itself.
    interval_of: str = ""
    is_numeric: bool = True

    @property
    def unit(self) -> str:
        """s, % or nothing."""
        return UNITS.get(self.format, "")

    @property
    def title(self) -> str:
        """The heading with its unit."""
        return f"{self.heading} [{self.unit}]" if self.unit else self.heading


# The column that says why a run has no values; it is there if any row has a reason.
STATUS = Column("status", "Status", is_numeric=False)


class Cell(NamedTuple):
    """A plain value, its text for people (one line, unescaped), and whether it is marked."""

    value: Any
    text: str
    mark: Mark = ""


class Cells(NamedTuple):
    """The cells of a column, as lists of what `Cell` holds: of 100,000 rows half the memory."""

    values: list[Any]
    texts: list[str]
    marks: list[Mark]


@dataclass(frozen=True)
class Rows:
    """What stands in the rows: runs, or configurations with means over their finished runs."""

    # A row of the runs table each, with `reason`; of a configuration `repeats` too.
    frame: RunsTable
    # The runs that the configurations are made of, and the positions in it of each one's.
    runs: RunsTable
    members: tuple[list[int], ...] = ()
    # Standard deviations of the configurations' results, NaN of fewer than two runs.
    spread: RunsTable | None = None
    # Of each configuration, result -> interval; and why it has none, where some were wanted.
    intervals: tuple[Mapping[str, Interval], ...] = ()
    unknown: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def are_configurations(self) -> bool:
        """Whether the rows are configurations."""
        return self.spread is not None

    def take(self, places: list[int]) -> Rows:
        """Some of the rows, in that order."""
        frame = self.frame.iloc[places].reset_index(drop=True)
        if self.spread is None:
            return replace(self, frame=frame)
        spread = self.spread.iloc[places].reset_index(drop=True)
        members = tuple(self.members[place] for place in places)
        return replace(self, frame=frame, spread=spread, members=members)

    def values(self, key: str) -> list[Any]:
        """The plain value of a column in each row; None where it is missing or not used."""
        if key not in self.frame:
            return [None] * len(self.frame)
        return plain(used(key, self.frame) if is_setting(key) else self.frame[key])

    def spreads(self, key: str) -> list[float | None]:
        """The standard deviation of a result in each row; None where there is none."""
        if self.spread is None or key not in self.spread:
            return [None] * len(self.frame)
        return plain(self.spread[key])

    def cells(self, column: Column, marked: Mapping[str, Mark]) -> Cells:
        """A column's cells; those of settings are made once for all tables of these rows."""
        if marked:
            return _cells(column, self, marked)
        if column not in self._cells:
            self._cells[column] = _cells(column, self, {})
        return self._cells[column]

    @cached_property
    def _cells(self) -> dict[Column, Cells]:
        return {}


class Row(NamedTuple):
    """The cells of one row, and how its run ended."""

    status: str
    reason: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One table, ready for any renderer, which makes those cells that it needs."""

    name: str  # for files and programs; `title` is for people
    title: str
    columns: tuple[Column, ...]
    content: Rows = field(repr=False, compare=False)
    notices: tuple[str, ...] = ()  # to be shown loudly beside the title
    notes: tuple[str, ...] = ()  # to stand below it
    # Of each column what the best and the worst value look like.
    marked: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict, repr=False)
    # The rows that are left out, as a note says; a format without notes has them too.
    left_out: Rows | None = field(default=None, repr=False, compare=False)

    def by_column(self) -> Iterator[Cells]:
        """The cells of each column, in the order of the rows."""
        for one in self.columns:
            yield self.content.cells(one, self.marked.get(one.key, {}))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows with all their cells."""
        cells = zip(*(map(Cell, *own) for own in self.by_column()), strict=True)
        return tuple(map(Row, self.content.values("status"), self.content.values("reason"), cells))

    @property
    def has_marks(self) -> bool:
        """Whether any cell is marked, so that the marks need an explanation."""
        return any(any(own.marks) for own in self.by_column())


def make_columns(columns: Sequence[Column], rows: Rows) -> tuple[Column, ...]:
    """The columns of a table, words aligned left; with the status where a row needs it."""
    needs_status = bool((rows.frame["status"] != RunStatus.FINISHED).any())
    added = [STATUS] if needs_status and STATUS.key not in {one.key for one in columns} else []
    return tuple(replace(one, is_numeric=_is_numeric(one, rows)) for one in (*columns, *added))


def marks_of(columns: Sequence[Column], rows: Rows) -> dict[str, dict[str, Mark]]:
    """Of each column what the best and the worst value among some rows look like, by the mean."""
    found: dict[str, dict[str, Mark]] = {}
    # What was stopped early is no candidate: it took less time, which is no merit.
    candidates = rows.frame[rows.frame["status"] != RunStatus.PRUNED]
    for column in columns:
        if column.higher_is_better is None or column.key not in candidates:
            continue
        known = plain(candidates[column.key].dropna())
        if not known:
            continue
        low, high = (written(end(known), column.format) for end in (min, max))
        # By their looks: a mark must not tell apart what its reader cannot.
        if low != high:
            worst, best = (low, high) if column.higher_is_better else (high, low)
            found[column.key] = {worst: "worst", best: "best"}
    return found


def _cells(column: Column, rows: Rows, marked: Mapping[str, Mark]) -> Cells:
    # A column at a time: tables of very many runs spend their time here.
    key, style, values = column.key, column.format, rows.values(column.key)
    marks: list[Mark] = [""] * len(values)
    if column.interval_of:
        ends = [own.get(column.interval_of) for own in rows.intervals]
        spans = [
            f"{written(one.low, style)} to {written(one.high, style)}" if one else NOTHING
            for one in ends
        ]
        return Cells([one and one.low for one in ends], spans, marks)
    if key == STATUS.key:
        reasons = [*zip(values, rows.values("reason"), strict=True)]
        made = {one: status_text(*one) for one in {*reasons}}
        return Cells(values, [made[one] for one in reasons], marks)
    texts = written_all(values, style)
    if style is Format.SETTING and None in values:
        # Null may be a setting's value; elsewhere there is none.
        may_be_null = is_setting(key) and key in rows.frame
        is_null = is_known(key, rows.frame).tolist() if may_be_null else [False] * len(values)
        texts = [
            text if null or value is not None else NOTHING
            for text, value, null in zip(texts, values, is_null, strict=True)
        ]
    if marked:
        statuses = rows.values("status")
        marks = [
            "" if status == RunStatus.PRUNED else marked.get(text, "")
            for text, status in zip(texts, statuses, strict=True)
        ]
    if rows.spread is not None:
        texts = [
            text if spread is None else with_spread(value, spread, style)
            for text, value, spread in zip(texts, values, rows.spreads(key), strict=True)
        ]
    if key.endswith("sha256"):
        texts = [text[:12] for text in texts]
    elif max(map(len, texts), default=0) > _MAX_SETTING:
        texts = [shortened(text, _MAX_SETTING) for text in texts]
    return Cells(values, texts, marks)


def _is_numeric(column: Column, rows: Rows) -> bool:
    if column.format is not Format.SETTING or column.interval_of:
        return True
    if column.key == STATUS.key or column.key not in rows.frame:
        return False
    if rows.frame[column.key].dtype.kind in "biuf":
        return True
    return {*map(type, rows.values(column.key))} <= {int, float, bool, type(None)}
