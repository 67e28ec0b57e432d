"""Some flat rows looked at by column, wherever they are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.columns import Columns, FlatRow, FlatRows, all_names, picker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class View:
    """Some flat rows by column: what `row.get(name)` of each gives, quick where they are stored.

    Rows of several directories, and some that are stored nowhere (points without a record), are
    taken in segments, so that one of them does not make all the others slow.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._segments = [(_Segment(own), places) for own, places in _segments(rows)]
        # Of rows in memory the values themselves are looked at as quickly.
        self._is_stored = any(segment.is_stored for segment, _ in self._segments)

    def names(self) -> list[str]:
        """The names that any of the rows has."""
        return all_names(self._rows)

    def values(self, name: str) -> list[Any]:
        """The value of `name` in each row; None where it has none."""
        if len(self._segments) == 1:
            return self._segments[0][0].values(name)
        found: list[Any] = [None] * len(self._rows)
        for segment, places in self._segments:
            for place, value in zip(places, segment.values(name), strict=True):
                found[place] = value
        return found

    def floats(self, name: str) -> NDArray[np.float64]:
        """The number that `name` is in each row, (n_rows,); NaN where it has none."""
        import numpy as np

        if len(self._segments) == 1:
            return self._segments[0][0].floats(name)
        return np.array(self.values(name), dtype=np.float64)

    def known(self, name: str) -> list[Any]:
        """The value of `name` in each of the rows that have the name, by segments."""
        return [value for segment, _ in self._segments for value in segment.known(name)]

    def repeats(self, name: str, other: str) -> bool:
        """Whether `other` has the same value in each of the rows that have `name`."""
        return all(segment.repeats(name, other) for segment, _ in self._segments)

    def constant(self, name: str) -> bool:
        """Whether all rows certainly have one and the same value; False is no proof."""
        return self._is_stored and _at_most_one(s.looks(name) for s, _ in self._segments)

    def alike(self, name: str) -> bool:
        """The same of those rows that have the name at all."""
        return self._is_stored and _at_most_one(
            segment.looks(name) for segment, _ in self._segments if not segment.lacks(name)
        )


def _segments(
    rows: Sequence[Mapping[str, Any]],
) -> list[tuple[Sequence[Mapping[str, Any]], Sequence[int]]]:
    if isinstance(rows, FlatRows):
        return [(rows, range(len(rows)))]
    with suppress(AttributeError):  # of a row that is not stored
        if len(set(map(id, map(attrgetter("columns"), rows)))) == 1:
            return [(rows, range(len(rows)))]
    places: dict[int | None, list[int]] = {}
    for place, row in enumerate(rows):
        stored = id(row.columns) if isinstance(row, FlatRow) else None
        places.setdefault(stored, []).append(place)
    return [([rows[place] for place in own], own) for own in places.values()]


def _at_most_one(looks: Iterable[frozenset[str] | None]) -> bool:
    seen: set[str] = set()
    for one in looks:
        if one is None:
            return False
        seen |= one
    return len(seen) <= 1


class _Segment:
    """Rows of one `Columns`, or rows that are in none."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows
        self._columns: Columns | None = None
        self._places: Sequence[int] = ()
        self._more: set[str] = set()
        if isinstance(rows, FlatRows) and len(rows) > 1:
            self._columns, self._places = rows.columns, rows.places
            self._pick = picker(rows.places)
            self._kinds: list[Mapping[str, Any]] = []
            return
        if len(rows) > 1 and isinstance(rows[0], FlatRow) and set(map(type, rows)) == {FlatRow}:
            self._columns = rows[0].columns
            self._places = list(map(attrgetter("row"), rows))
            self._pick = picker(self._places)
            # Many rows share one such mapping, see `with_values`.
            self._kinds = list({id(more): more for more in map(attrgetter("more"), rows)}.values())
            self._more = {name for more in self._kinds for name in more}

    @property
    def is_stored(self) -> bool:
        """Whether the rows are read by column."""
        return self._columns is not None

    def values(self, name: str) -> list[Any]:
        if name in self._more and len(self._kinds) == 1:
            return [self._kinds[0][name]] * len(self._rows)
        if self._columns is None or name in self._more:
            return [row.get(name) for row in self._rows]
        return list(self._pick(self._columns.column(name)))

    @cached_property
    def _gather(self) -> NDArray[np.intp]:
        import numpy as np

        return np.array(self._places, dtype=np.intp)

    def floats(self, name: str) -> NDArray[np.float64]:
        import numpy as np

        if self._columns is None or name in self._more:
            return np.array(self.values(name), dtype=np.float64)
        return self._columns.floats(name)[self._gather]

    def known(self, name: str) -> list[Any]:
        if self._is_whole(name):
            return self.values(name)
        return [] if self.lacks(name) else [row[name] for row in self._rows if name in row]

    def repeats(self, name: str, other: str) -> bool:
        if self._is_whole(name):
            return self.values(name) == self.values(other)
        return self.lacks(name) or all(
            row[name] == row.get(other) for row in self._rows if name in row
        )

    def lacks(self, name: str) -> bool:
        """Whether no row has the name."""
        if self._columns is None:
            return not any(name in row for row in self._rows)
        return name not in self._more and self._columns.nowhere(name)

    def looks(self, name: str) -> frozenset[str] | None:
        """What the values look like, at least; None if a row lacks it or it is not known."""
        if self._columns is None:
            if not all(name in row for row in self._rows):
                return None
            return frozenset(repr(row[name]) for row in self._rows)
        if name in self._more:
            whole = all(name in more for more in self._kinds)
            return frozenset(repr(more[name]) for more in self._kinds) if whole else None
        return self._columns.distinct(name) if self._columns.everywhere(name) else None

    def _is_whole(self, name: str) -> bool:
        """Whether every row has it in a column."""
        if self._columns is None or name in self._more:
            return False
        return self._columns.everywhere(name)


def values_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """The value of `name` in each row; see `View` for several names."""
    return View(rows).values(name)
