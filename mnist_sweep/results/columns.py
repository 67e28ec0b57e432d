"""Flat values of many runs by column, each column read when it is first asked for.

A hundred thousand records as Python objects take gigabytes; what a table or a selection looks at is
a few columns of them. A row is a mapping, as `fields.flat` gives one, that holds nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

Layout = tuple[str, ...]
"""The names that a row has, in order: rows of the same kind of network share one."""

_ABSENT = object()


class Source(Protocol):
    """Rows that are stored together."""

    @property
    def layouts(self) -> Sequence[Layout]:
        """The layouts that its rows have."""

    @property
    def layout_of(self) -> Sequence[int]:
        """For every row the number of its layout."""

    def column(self, name: str) -> Sequence[Any]:
        """A column's value for every row; None in rows without it."""

    def distinct(self, name: str) -> Iterable[Any]:
        """A column's values, each at least once."""


class Stacked:
    """A `Source` of flat rows that are in memory already."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        numbers: dict[Layout, int] = {}
        self.layout_of = [numbers.setdefault(tuple(row), len(numbers)) for row in rows]
        self.layouts = tuple(numbers)

    def column(self, name: str) -> list[Any]:
        """A column's value for every row; None in rows without it."""
        return [row.get(name) for row in self._rows]

    def distinct(self, name: str) -> list[Any]:
        """A column's values."""
        return self.column(name)


class Columns:
    """The rows of several sources in one order.

    Args:
        sources: Where the rows are.
        places: For every row the number of its source and its row there.
    """

    def __init__(self, sources: Sequence[Source], places: Sequence[tuple[int, int]]) -> None:
        self._sources = sources
        self._columns: dict[str, list[Any]] = {}
        self._constants: dict[str, bool] = {}
        self._size = len(places)
        positions: list[list[int]] = [[] for _ in sources]
        rows: list[list[int]] = [[] for _ in sources]
        for position, (source, row) in enumerate(places):
            positions[source].append(position)
            rows[source].append(row)
        self._parts = list(zip(sources, positions, rows, strict=True))
        numbers: dict[Layout, int] = {}
        of_row = [0] * self._size
        for source_, own, inside in self._parts:
            known = [numbers.setdefault(layout, len(numbers)) for layout in source_.layouts]
            for position, row in zip(own, inside, strict=True):
                of_row[position] = known[source_.layout_of[row]]
        self.layouts = tuple(numbers)
        self._names = tuple(frozenset(layout) for layout in self.layouts)
        self.layout_of = of_row

    def column(self, name: str) -> list[Any]:
        """A column's value for every row; None in rows without it."""
        found = self._columns.get(name)
        if found is None:
            found = [None] * self._size
            for source, positions, rows in self._parts:
                if rows and any(name in layout for layout in source.layouts):
                    values = source.column(name)
                    for position, row in zip(positions, rows, strict=True):
                        found[position] = values[row]
            self._columns[name] = found
        return found

    def constant(self, name: str) -> bool:
        """Whether all rows certainly have one and the same value of a column; False is no proof."""
        known = self._constants.get(name)
        if known is None:
            seen = {
                repr(value)
                for source in self._sources
                if any(name in layout for layout in source.layouts)
                for value in source.distinct(name)
            }
            known = len(seen) <= 1 and self.everywhere(name)
            self._constants[name] = known
        return known

    def everywhere(self, name: str) -> bool:
        """Whether all rows have a column."""
        return all(name in names for names in self._names)

    def has(self, row: int, name: str) -> bool:
        """Whether a row has a column."""
        return name in self._names[self.layout_of[row]]


class FlatRow(Mapping[str, Any]):
    """One row of `Columns` as a flat mapping; `more` holds values that are not stored there."""

    __slots__ = ("columns", "more", "row")

    def __init__(self, columns: Columns, row: int, more: Mapping[str, Any] | None = None) -> None:
        self.columns, self.row, self.more = columns, row, more or {}

    def __getitem__(self, name: str) -> Any:
        if name in self.more:
            return self.more[name]
        if not self.columns.has(self.row, name):
            raise KeyError(name)
        return self.columns.column(name)[self.row]

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or `default` where the row has none of that name."""
        if name in self.more:
            return self.more[name]
        if default is not None and not self.columns.has(self.row, name):
            return default
        return self.columns.column(name)[self.row]

    def __contains__(self, name: object) -> bool:
        return name in self.more or self.columns.has(self.row, str(name))

    def __iter__(self) -> Iterator[str]:
        return iter(names_of(self))

    def __len__(self) -> int:
        return len(names_of(self))

    @property
    def layout(self) -> Layout:
        """The names of the row, without `more`."""
        return self.columns.layouts[self.columns.layout_of[self.row]]


def with_values(row: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
    """A flat row with further values."""
    if isinstance(row, FlatRow):
        # One mapping for many rows, so that a view need not look at each.
        return FlatRow(row.columns, row.row, {**row.more, **more} if row.more else more)
    return {**row, **more}


def names_of(row: Mapping[str, Any]) -> Layout:
    """The names of a flat row, in order."""
    if not isinstance(row, FlatRow):
        return tuple(row)
    return (*row.layout, *(name for name in row.more if name not in row.layout))


def all_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names that any of the rows has, in the order of their first appearance."""
    listed = list(rows)
    found: dict[str, None] = {}
    for place in first_of_each_layout(listed):
        found |= dict.fromkeys(names_of(listed[place]))
    return list(found)


def first_of_each_layout(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of the first rows with each set of names that there is."""
    places: dict[Any, int] = {}
    for place, row in enumerate(rows):
        # Stored rows share their layouts, which need not be walked again for each of them.
        key = (id(row.layout), *row.more) if isinstance(row, FlatRow) else tuple(row)
        places.setdefault(key, place)
    return list(places.values())


class View:
    """Some flat rows by column: what `row.get(name)` of each gives, quick where they are stored."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._columns: Columns | None = None
        self._more: set[str] = set()
        first = rows[0] if len(rows) > 1 else None
        if isinstance(first, FlatRow):
            stored = [row for row in rows if isinstance(row, FlatRow)]
            if len(stored) == len(rows) and all(row.columns is first.columns for row in stored):
                self._columns = first.columns
                self._pick = itemgetter(*[row.row for row in stored])
                kinds = {id(row.more): row.more for row in stored}
                self._more = {name for more in kinds.values() for name in more}

    def names(self) -> list[str]:
        """The names that any of the rows has."""
        return all_names(self._rows)

    def values(self, name: str) -> list[Any]:
        """The value of `name` in each row; None where it has none."""
        if self._columns is None or name in self._more:
            return [row.get(name) for row in self._rows]
        return list(self._pick(self._columns.column(name)))

    def known(self, name: str) -> list[Any]:
        """The value of `name` in each of the rows that have the name."""
        if self._columns is not None and self._columns.everywhere(name):
            return self.values(name)
        return [row[name] for row in self._rows if name in row]

    def repeats(self, name: str, other: str) -> bool:
        """Whether `other` has the same value in each of the rows that have `name`."""
        if self._columns is not None and self._columns.everywhere(name):
            return self.values(name) == self.values(other)
        return all(row[name] == row.get(other) for row in self._rows if name in row)

    def constant(self, name: str) -> bool:
        """Whether all rows certainly have one and the same value; False is no proof."""
        stored = self._columns is not None and name not in self._more
        return stored and self._columns is not None and self._columns.constant(name)


def values_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """The value of `name` in each row; see `View` for several names."""
    return View(rows).values(name)
