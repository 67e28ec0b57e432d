"""Flat values of many runs by column, each column read when it is first asked for.

A hundred thousand records as Python objects take gigabytes; what a table or a selection looks at is
a few columns of them. A row is a mapping, as `fields.flat` gives one, that holds nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Layout = tuple[str, ...]
"""The names that a row has, in order: rows of the same kind of network share one."""

_NOTHING: Mapping[str, Any] = {}


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
        numbers: dict[Layout, int] = {}
        self.layout_of = [numbers.setdefault(tuple(row), len(numbers)) for row in rows]
        self.layouts = tuple(numbers)
        # Values alone: each row's own names would take more memory than they do.
        self._rows = [tuple(row.values()) for row in rows]
        self._places = [{name: place for place, name in enumerate(kept)} for kept in numbers]

    def column(self, name: str) -> list[Any]:
        """A column's value for every row; None in rows without it."""
        places = [known.get(name) for known in self._places]
        found = (places[layout] for layout in self.layout_of)
        return [
            None if place is None else row[place]
            for place, row in zip(found, self._rows, strict=True)
        ]

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
        self._distinct: dict[str, frozenset[str]] = {}
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

    def distinct(self, name: str) -> frozenset[str]:
        """What a column's values look like, at least; None among them where rows are without it."""
        known = self._distinct.get(name)
        if known is None:
            known = self._distinct[name] = frozenset(
                repr(value)
                for source in self._sources
                if any(name in layout for layout in source.layouts)
                for value in source.distinct(name)
            )
        return known

    def everywhere(self, name: str) -> bool:
        """Whether all rows have a column."""
        return all(name in names for names in self._names)

    def nowhere(self, name: str) -> bool:
        """Whether no row has a column."""
        return not any(name in names for names in self._names)

    def has(self, row: int, name: str) -> bool:
        """Whether a row has a column."""
        return name in self._names[self.layout_of[row]]


class FlatRow(Mapping[str, Any]):
    """One row of `Columns` as a flat mapping; `more` holds values that are not stored there."""

    __slots__ = ("columns", "more", "row")

    def __init__(self, columns: Columns, row: int, more: Mapping[str, Any] | None = None) -> None:
        self.columns, self.row, self.more = columns, row, more or _NOTHING

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
