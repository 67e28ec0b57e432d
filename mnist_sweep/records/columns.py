"""Flat values of many runs by column, each column read when it is first asked for.

A hundred thousand records as Python objects take gigabytes; what a table or a selection looks at is
a few columns of them. A row is a mapping, as `fields.flat` gives one, that holds nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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

    def floats(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, (n_rows,); NaN in rows without it."""

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

    def floats(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, (n_rows,); NaN in rows without it."""
        import numpy as np

        return np.array(self.column(name), dtype=np.float64)

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
        first = [0, *accumulate(len(source.layout_of) for source in sources)]
        # All sources one after the other, and where each row is then: no loop for each column.
        self._order = [first[source] + row for source, row in places]
        self._pick = picker(self._order)
        numbers: dict[Layout, int] = {}
        of_row: list[int] = []
        for source in sources:
            known = [numbers.setdefault(layout, len(numbers)) for layout in source.layouts]
            of_row += map(known.__getitem__, source.layout_of)
        self.layouts = tuple(numbers)
        self._names = tuple(frozenset(layout) for layout in self.layouts)
        self.layout_of = self._pick(of_row)

    def column(self, name: str) -> list[Any]:
        """A column's value for every row; None in rows without it."""
        found = self._columns.get(name)
        if found is None:
            parts = (
                source.column(name)
                if any(name in layout for layout in source.layouts)
                else repeat(None, len(source.layout_of))
                for source in self._sources
            )
            found = self._columns[name] = self._pick(list(chain.from_iterable(parts)))
        return found

    @cached_property
    def _gather(self) -> NDArray[np.intp]:
        import numpy as np

        return np.array(self._order, dtype=np.intp)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, (n_rows,), without an object for each; NaN in rows without it."""
        import numpy as np

        return np.concatenate([source.floats(name) for source in self._sources])[self._gather]

    def distinct(self, name: str) -> frozenset[str]:
        """What a column's values look like, at least; of sources that have it."""
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


class FlatRows(Sequence[FlatRow]):
    """Rows of one `Columns` in some order, each made when it is asked for."""

    def __init__(self, columns: Columns, places: Sequence[int]) -> None:
        self.columns, self.places = columns, places

    @overload
    def __getitem__(self, index: int) -> FlatRow: ...
    @overload
    def __getitem__(self, index: slice) -> FlatRows: ...
    def __getitem__(self, index: int | slice) -> FlatRow | FlatRows:
        if isinstance(index, slice):
            return FlatRows(self.columns, self.places[index])
        return FlatRow(self.columns, self.places[index])

    def __len__(self) -> int:
        return len(self.places)

    def pick(self, places: Sequence[int]) -> FlatRows:
        """Those at some places, in that order."""
        return FlatRows(self.columns, picker(places)(self.places))


def picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Any]:
    """What takes the items at `places` out of a sequence, in that order."""
    if isinstance(places, range) and places.step == 1:
        return itemgetter(slice(places.start, places.stop))
    if len(places) < 2:
        return lambda items: [items[place] for place in places]
    pick = itemgetter(*places)
    return lambda items: list(pick(items))


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
    listed = rows if isinstance(rows, Sequence) else list(rows)
    found: dict[str, None] = {}
    for place in first_of_each_layout(listed):
        found |= dict.fromkeys(names_of(listed[place]))
    return list(found)


def first_of_each_layout(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of the first rows with each set of names that there is."""
    places: dict[Any, int] = {}
    if isinstance(rows, FlatRows):
        for place, layout in enumerate(picker(rows.places)(rows.columns.layout_of)):
            places.setdefault(layout, place)
        return list(places.values())
    for place, row in enumerate(rows):
        # Stored rows share their layouts, which need not be walked again for each of them.
        key = (id(row.layout), *row.more) if isinstance(row, FlatRow) else tuple(row)
        places.setdefault(key, place)
    return list(places.values())
