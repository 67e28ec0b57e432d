"""The runs table, and the rows as they were read of which it is made and which the cache keeps.

In the runs table a column has one type: of 1 and 0.5 it makes floats. In `Rows` it has a type only
where all values have this type, so that nothing is lost: once the run with 0.5 is gone, 1 is an int
again. Which names a row has is kept too: a column goes with the last run that has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from mnist_sweep.metrics import is_metric
from mnist_sweep.records.fields import ALWAYS, NUMBERS, Flat, column_order

if TYPE_CHECKING:
    import pandas as pd

# Its type by the domain's name: who only passes one on need not import pandas.
RunsTable: TypeAlias = "pd.DataFrame"
_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "str"}
# Columns of `Rows` alone: the name of a run's directory, what distinguishes the state of its files
# from every other one, when the latest of them was changed, and which columns the row has.
NAME, KEY, LATEST_NS, _KIND = _OWN = ("\0name", "\0key", "\0latest_ns", "\0kind")


@dataclass(frozen=True)
class Rows:
    """Rows of some records."""

    table: pd.DataFrame  # the values; None or missing where a row has none
    kinds: dict[str, tuple[str, ...]]  # the combinations of columns that rows have

    def take(self, places: Sequence[int]) -> Rows:
        """Some of the rows, in that order."""
        if [*places] == [*range(len(self.table))]:
            return self
        kept = self.table.iloc[[*places]]
        kinds = {kind: self.kinds[kind] for kind in kept[_KIND].unique()}
        present = {*_OWN, *chain.from_iterable(kinds.values())}
        columns = [name for name in kept if name in present]
        return Rows(kept[columns].reset_index(drop=True), kinds)

    def frame(self, parent: str) -> pd.DataFrame:
        """The runs table of these rows, whose directories are in `parent`."""
        n, present = len(self.table), self.table.count()
        columns: dict[str, Any] = {name: typed([None] * n, name) for name in ALWAYS}
        for name in map(str, self.table.columns.difference([*_OWN])):
            column = self.table[name]
            has_type = column.dtype != object and present[name]
            columns[name] = column if has_type else typed(plain(column), name)
        directories = [f"{parent}{name}" for name in self.table[NAME]]
        return _table({**columns, "directory": typed(directories, "directory")}, n)


def rows_of(rows: Sequence[Flat]) -> Rows:
    """Flat rows, each with its `NAME`, `KEY` and `LATEST_NS`."""
    names = [*map(tuple, rows)]
    columns = {name: list[Any]() for name in _OWN}
    columns |= {**_columns_of(rows), _KIND: [*map(_kind, names)]}
    table = _table({name: _exact(own, name) for name, own in columns.items()}, len(rows))
    return Rows(table, {_kind(one): one for one in set(names)})


@lru_cache(10_000)
def _kind(names: tuple[str, ...]) -> str:
    # The same in every process, so that rows of several need no numbering.
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16]


def stacked(parts: Sequence[Rows]) -> Rows:
    """Rows one below the other."""
    if len(parts) < 2:
        return parts[0] if parts else rows_of([])
    import pandas as pd

    tables = [part.table for part in parts]
    if all(one.dtypes.equals(tables[0].dtypes) for one in tables):
        table = pd.concat(tables, ignore_index=True)  # in a tenth of the time
    else:
        table = _below(tables, {*map(str, chain.from_iterable(tables))}, _exact)
    return Rows(table, {kind: names for part in parts for kind, names in part.kinds.items()})


def frame_of(rows: Sequence[Flat]) -> pd.DataFrame:
    """The runs table of some flat rows."""
    return frame(_columns_of(rows), len(rows))


def frame(columns: dict[str, list[Any]], n: int) -> pd.DataFrame:
    """The runs table of `n` rows: columns in order, ints beside floats made floats."""
    names = {*columns, *ALWAYS}
    return _table({name: typed(columns.get(name) or [None] * n, name) for name in names}, n)


def combined(tables: Sequence[tuple[pd.DataFrame, str]]) -> pd.DataFrame:
    """Runs tables one below the other, each with the name of its sweep as the column `sweep`."""
    tables = [one for one in tables if len(one[0])] or list(tables[:1])
    parts = [table.assign(sweep=typed([name] * len(table), "sweep")) for table, name in tables]
    if len(parts) == 1:
        return parts[0]
    return _below(parts, {*ALWAYS, "sweep", *map(str, chain.from_iterable(parts))}, typed)


def _exact(values: list[Any], _name: str) -> Any:
    return _array(values, _kinds(values))


def _columns_of(rows: Sequence[Flat]) -> dict[str, list[Any]]:
    kinds = {*map(tuple, rows)}
    if len(kinds) == 1:  # as in most sweeps: in a third of the time
        columns = zip(*(row.values() for row in rows), strict=True)
        return dict(zip(kinds.pop(), map(list, columns), strict=True))
    names = dict.fromkeys(chain.from_iterable(rows))
    return {name: [row.get(name) for row in rows] for name in names}


def _table(columns: Mapping[str, Any], n: int) -> pd.DataFrame:
    import pandas as pd

    ordered = sorted(columns, key=column_order)
    return pd.DataFrame({name: columns[name] for name in ordered}, index=range(n))


def _below(
    tables: Sequence[pd.DataFrame], names: Iterable[str], made: Callable[[list[Any], str], Any]
) -> pd.DataFrame:
    """Tables one below the other; a column is `made` of its values where its types differ."""
    import pandas as pd

    counts, columns = [one.count() for one in tables], {}
    for name in names:
        known = [bool(count.get(name, 0)) for count in counts]
        kinds = {one[name].dtype for one, has in zip(tables, known, strict=True) if has}
        if len(kinds) == 1 and not pd.api.types.is_object_dtype(kind := kinds.pop()):
            parts = [
                one[name] if has else pd.Series(index=one.index, dtype=kind)
                for one, has in zip(tables, known, strict=True)
            ]
            columns[name] = pd.concat(parts, ignore_index=True)
            continue
        values: list[Any] = []
        for one, has in zip(tables, known, strict=True):
            values += plain(one[name]) if has else [None] * len(one)
        columns[name] = made(values, name)
    return _table(columns, sum(map(len, tables)))


def measured(runs: pd.DataFrame) -> list[str]:
    """The columns of metrics that any run has a value of."""
    counts = runs.count()
    return [name for name in map(str, runs.columns) if is_metric(name) and counts[name]]


def plain(values: pd.Series[Any]) -> list[Any]:
    """Plain Python values of a column, None where one is missing."""
    if values.dtype == "float64" and not values.hasnans:
        return values.tolist()
    found: list[Any] = values.astype(object).where(values.notna(), None).tolist()
    return found


def typed(values: list[Any], name: str) -> Any:
    """An array of the values' one type, else of objects, as of names that are not UTF-8."""
    kinds = _kinds(values)
    if kinds == {int, float} or (not kinds and name.partition(".")[0] in NUMBERS):
        kinds = {float}
    return _array(values, kinds)


def _kinds(values: list[Any]) -> set[type]:
    return set(map(type, values)) - {type(None)}


def _array(values: list[Any], kinds: set[type]) -> Any:
    import numpy as np
    import pandas as pd

    kind = _DTYPES.get(next(iter(kinds))) if len(kinds) == 1 else None
    try:
        if kind == "float64":
            return np.array(values, dtype=np.float64)
        if kind:
            return pd.array(values, dtype=cast("Any", kind))
    except (OverflowError, UnicodeEncodeError, TypeError):
        pass  # a whole number of more than 64 bits; a file's name that is not UTF-8
    return object_array(values)


def object_array(values: list[Any]) -> Any:
    """Values of several types, or lists, as a column of objects."""
    import numpy as np
    import pandas as pd

    made = np.empty(len(values), dtype=object)
    made[:] = values
    return pd.Series(made, dtype=object)  # of a bare array pandas would make text
