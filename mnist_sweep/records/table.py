"""Flat rows as the columns of the runs table, with one type per column.

A row is a pair of tuples, its names and their values: rows of one kind share the names, so 100,000
take no more memory than their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mnist_sweep.metrics import is_metric
from mnist_sweep.records.fields import ALWAYS, column_order, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

Row = tuple[tuple[str, ...], tuple[Any, ...]]

_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "str"}


def row_of(values: Mapping[str, Any], kinds: dict[tuple[str, ...], tuple[str, ...]]) -> Row:
    """A flat row; `kinds` keeps the names that rows share."""
    names = tuple(values)
    return kinds.setdefault(names, names), tuple(values.values())


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Each name's value in every row, None where a row lacks it."""
    kinds = {id(names): names for names, _ in rows}
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for names in kinds.values() for name in names):
        place = {key: names.index(name) for key, names in kinds.items() if name in names}
        places = (place.get(id(names)) for names, _ in rows)
        found[name] = [
            None if at is None else row[1][at] for at, row in zip(places, rows, strict=True)
        ]
    return found


def frame_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The runs table of some flat rows."""
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    packed = [row_of(row, kinds) for row in rows]
    return frame(columns_of(packed), len(packed))


def frame(columns: dict[str, list[Any]], n: int) -> pd.DataFrame:
    """The runs table of `n` rows: columns in order, ints beside floats made floats."""
    import pandas as pd

    names = sorted({*columns, *ALWAYS}, key=column_order)
    typed = {name: _typed(columns.get(name) or [None] * n, name) for name in names}
    return pd.DataFrame(typed, index=range(n))


def combined(tables: Sequence[tuple[pd.DataFrame, str]]) -> pd.DataFrame:
    """Runs tables one below the other, each with the name of its sweep as the column `sweep`."""
    tables = [one for one in tables if len(one[0])]
    sweeps = [name for table, name in tables for _ in range(len(table))]
    if len(tables) == 1:
        return tables[0][0].assign(sweep=_typed(sweeps, "sweep"))
    columns = {
        name: [
            value
            for table, _ in tables
            for value in (objects(table[name]) if name in table else [None] * len(table))
        ]
        for name in dict.fromkeys(str(name) for table, _ in tables for name in table)
    }
    return frame({**columns, "sweep": sweeps}, len(sweeps))


def measured(runs: pd.DataFrame) -> list[str]:
    """The columns of metrics that any run has a value of."""
    return [name for name in map(str, runs.columns) if is_metric(name) and runs[name].notna().any()]


def objects(column: pd.Series[Any]) -> list[Any]:
    """A column's values as plain Python, None where one is missing."""
    plain = column.astype(object)
    return plain.where(column.notna(), None).tolist()


def _typed(values: list[Any], name: str) -> Any:
    """An array of the values' one type, or of Python objects."""
    import numpy as np
    import pandas as pd

    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int, float} or (is_number(name) and not kinds):
        kinds = {float}
    kind = _DTYPES.get(next(iter(kinds))) if len(kinds) == 1 else None
    try:
        if kind == "float64":
            return np.array(values, dtype=np.float64)
        if kind:
            return pd.array(values, dtype=cast("Any", kind))
    except (OverflowError, UnicodeEncodeError, TypeError):
        pass  # a whole number of more than 64 bits; a file's name that is not UTF-8
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return pd.Series(made, dtype=object)  # of a bare array pandas would make text
