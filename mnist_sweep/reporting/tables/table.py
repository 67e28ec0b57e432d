"""What a table is, apart from how it is rendered: rows, columns, cells with their marks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mnist_sweep.analysis.varying import is_known, is_setting, used
from mnist_sweep.analysis.where import plain
from mnist_sweep.metrics import Format
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting.escape import shortened
from mnist_sweep.reporting.numbers import NOTHING, UNITS, with_spread, written, written_all
from mnist_sweep.reporting.phrases.names import status_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from mnist_sweep.analysis.statistics import Interval

Mark = Literal["", "best", "worst"]

LEGEND = "* best, ! worst in column"
_MAX_SETTING = 40


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Its name in the runs table.
        heading: For people, without the unit.
        format: How values are written.
        higher_is_better: None where no value is better than another.
        interval_of: The key of the column whose interval this one shows: formats for programs leave
            it out and carry both ends beside the value itself.
        is_numeric: Whether it is aligned right.
    """

    key: str
    heading: str
    format: Format = Format.SETTING
    higher_is_better: bool | None = None
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
    """What stands in the rows: runs, or configurations with means over their finished runs.

    Attributes:
        frame: A row of the runs table each, with `reason`; of a configuration `repeats` too.
        runs: The runs that the configurations are made of.
        members: Positions in `runs` of each configuration's runs; empty where the rows are runs.
        spread: Standard deviations of the configurations' results, NaN of fewer than two runs.
        intervals: Of each configuration, result -> interval, where there is one.
        unknown: Why a configuration has no intervals; empty if it has, or none were wanted.
    """

    frame: pd.DataFrame
    runs: pd.DataFrame
    members: tuple[list[int], ...] = ()
    spread: pd.DataFrame | None = None
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
        return replace(
            self,
            frame=frame,
            spread=self.spread.iloc[places].reset_index(drop=True),
            members=tuple(self.members[place] for place in places),
        )

    def values(self, key: str) -> list[Any]:
        """The plain value of a column in each row; None where it is missing or not used."""
        if key not in self.frame:
            return [None] * len(self.frame)
        return plain(used(key, self.frame) if is_setting(key) else self.frame[key])

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

    def spreads(self, key: str) -> list[float | None]:
        """The standard deviation of a result in each row; None where there is none."""
        if self.spread is None or key not in self.spread:
            return [None] * len(self.frame)
        return plain(self.spread[key])


class Row(NamedTuple):
    """The cells of one row, and how its run ended."""

    status: str
    reason: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One table, ready for any renderer.

    Its cells are made when they are asked for: not at all where raw values are wanted.

    Attributes:
        name: For files and programs.
        title: For people.
        columns: Its columns.
        content: Its rows.
        notices: To be shown loudly beside the title.
        notes: To stand below it.
        marked: Of each column what the best and the worst value look like.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    content: Rows = field(repr=False, compare=False)
    notices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    marked: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows with all their cells."""
        cells = zip(*self.cells, strict=True)
        return tuple(map(Row, self.content.values("status"), self.content.values("reason"), cells))

    @property
    def has_marks(self) -> bool:
        """Whether any cell is marked, so that the marks need an explanation."""
        return any(any(own.marks) for own in self.by_column())

    def by_column(self) -> Iterator[Cells]:
        """The cells of each column, in the order of the rows."""
        for one in self.columns:
            yield self.content.cells(one, self.marked.get(one.key, {}))

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """As `by_column`, a `Cell` each."""
        return [[*map(Cell, *own)] for own in self.by_column()]


def make_columns(columns: Sequence[Column], rows: Rows) -> tuple[Column, ...]:
    """The columns of a table, words aligned left; with the status where a row needs it."""
    needs_status = bool((rows.frame["status"] != RunStatus.FINISHED).any())
    added = [STATUS] if needs_status and STATUS.key not in {one.key for one in columns} else []
    return tuple(replace(one, is_numeric=_is_numeric(one, rows)) for one in (*columns, *added))


def marks_of(columns: Sequence[Column], rows: Rows) -> dict[str, dict[str, Mark]]:
    """Of each column what the best and the worst value among some rows look like.

    What looks equal is marked alike, and nothing where all look equal: a mark must not tell apart
    what its reader cannot. Marks go by the mean. What was stopped early is no candidate: it took
    less time, which is no merit.
    """
    found: dict[str, dict[str, Mark]] = {}
    candidates = rows.frame[rows.frame["status"] != RunStatus.PRUNED]
    for column in columns:
        if column.higher_is_better is None or column.key not in candidates:
            continue
        known = plain(candidates[column.key].dropna())
        if not known:
            continue
        low, high = (written(end(known), column.format) for end in (min, max))
        if low != high:
            worst, best = (low, high) if column.higher_is_better else (high, low)
            found[column.key] = {worst: "worst", best: "best"}
    return found


def _cells(column: Column, rows: Rows, marked: Mapping[str, Mark]) -> Cells:
    key, style = column.key, column.format
    if column.interval_of:
        ends = [own.get(column.interval_of) for own in rows.intervals]
        lows = [one and one.low for one in ends]
        return Cells(lows, [_interval(one, style) for one in ends], [""] * len(ends))
    values = rows.values(key)
    if key == STATUS.key:
        reasons = [*zip(values, rows.values("reason"), strict=True)]
        made = {one: status_text(*one) for one in {*reasons}}
        return Cells(values, [made[one] for one in reasons], [""] * len(values))
    is_null = [False] * len(values)
    if None in values and is_setting(key) and key in rows.frame:
        is_null = is_known(key, rows.frame).tolist()
    # A column at a time: tables of very many runs spend their time here.
    cells = Cells(values, [NOTHING] * len(values), [""] * len(values))
    places = [k for k, value in enumerate(values) if value is not None or is_null[k]]
    values = [values[k] for k in places]
    texts = written_all(values, style)
    marks = _marks(texts, places, rows, marked)
    if rows.spread is not None:
        spreads = rows.spreads(key)
        texts = [
            text if spread is None else with_spread(value, spread, style)
            for value, spread, text in zip(values, (spreads[k] for k in places), texts, strict=True)
        ]
    if key.endswith("sha256"):
        texts = [text[:12] for text in texts]
    elif max(map(len, texts), default=0) > _MAX_SETTING:
        texts = [shortened(text, _MAX_SETTING) for text in texts]
    if len(places) == len(cells.values):
        return Cells(values, texts, marks)
    for place, text, mark in zip(places, texts, marks, strict=True):
        cells.texts[place], cells.marks[place] = text, mark
    return cells


def _marks(
    texts: list[str], places: list[int], rows: Rows, marked: Mapping[str, Mark]
) -> list[Mark]:
    if not marked:
        return [""] * len(texts)
    marks: list[Mark] = [marked.get(text, "") for text in texts]
    statuses = rows.values("status")
    if RunStatus.PRUNED in statuses:
        for number, place in enumerate(places):
            marks[number] = "" if statuses[place] == RunStatus.PRUNED else marks[number]
    return marks


def _interval(found: Interval | None, style: Format) -> str:
    return f"{written(found.low, style)} to {written(found.high, style)}" if found else NOTHING


def _is_numeric(column: Column, rows: Rows) -> bool:
    if column.format is not Format.SETTING or column.interval_of:
        return True
    if column.key == STATUS.key or column.key not in rows.frame:
        return False
    values = rows.frame[column.key]
    if values.dtype.kind in "biuf":
        return True
    return {*map(type, rows.values(column.key))} <= {int, float, bool, type(None)}
