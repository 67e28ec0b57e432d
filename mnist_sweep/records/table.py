"""Flat rows as the columns of the runs table, with one type per column.

Large sweeps are read in blocks, some of them from a cache, so a table must not depend on how its
rows were split. Blocks are therefore *exact*: a column whose values have several types keeps them
as Python objects. Only `finished`, on the whole table, settles for one type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from mnist_sweep.metrics import is_metric
from mnist_sweep.records.fields import ALWAYS, column_order, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

_DTYPES = {bool: "boolean", int: "Int64", float: "float64", str: "str"}


def exact(rows: Sequence[Mapping[str, Any]], index: Sequence[str] | None = None) -> pd.DataFrame:
    """Flat rows as a block: each column has the one type of its values, or holds Python objects."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: typed([row.get(name) for row in rows]) for name in names}
    return indexed(columns, range(len(rows)) if index is None else index)


def combined(blocks: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Blocks one below the other, exact again; what a block lacks is missing in its rows."""
    blocks = [block for block in blocks if len(block)]
    if len(blocks) < 2:
        return blocks[0] if blocks else exact([])
    names = dict.fromkeys(name for block in blocks for name in block.columns)
    index = [label for block in blocks for label in block.index]
    return indexed({name: _joined(name, blocks) for name in names}, index)


def finished(table: pd.DataFrame, **more: list[str]) -> pd.DataFrame:
    """The runs table: columns in order, ints beside floats made floats, rows numbered.

    Args:
        table: An exact table.
        **more: Columns to add.
    """
    columns = {name: typed(values) for name, values in more.items()}
    for name in {*table.columns, *ALWAYS} - {*more}:
        column = table.get(name)
        if column is None or column.isna().all():
            columns[name] = _array([None] * len(table), "float64" if is_number(name) else "object")
            continue
        columns[name] = column.array
        if column.dtype == object:
            values = objects(column)
            mixed = {type(value) for value in values if value is not None} == {int, float}
            columns[name] = _array(values, "float64") if mixed else typed(values)
    return indexed(
        {name: columns[name] for name in sorted(columns, key=column_order)}, range(len(table))
    )


def indexed(table: Mapping[str, Any] | pd.DataFrame, index: Iterable[Any]) -> pd.DataFrame:
    """Columns, or a table, with numbers or names of directories for the index."""
    import pandas as pd

    labels = index if isinstance(index, range) else list(index)
    if not isinstance(table, pd.DataFrame):
        table = pd.DataFrame(table, index=range(len(labels)))
    # Names are objects, since they may hold bytes that are not UTF-8.
    return table.set_axis(labels if isinstance(labels, range) else pd.Index(labels, dtype=object))


def pick(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of some directories, in that order."""
    if list(table.index) == list(names):
        return table
    # Not by `loc`, which cannot look up names that are not UTF-8.
    places = {name: place for place, name in enumerate(table.index)}
    return table.iloc[[places[name] for name in names]]


def measured(runs: pd.DataFrame) -> list[str]:
    """The columns of metrics that any run has a value of."""
    return [name for name in map(str, runs.columns) if is_metric(name) and runs[name].notna().any()]


def objects(column: pd.Series[Any]) -> list[Any]:
    """A column's values as plain Python, None where one is missing."""
    plain = column.astype(object)
    return plain.where(column.notna(), None).tolist()


def typed(values: list[Any]) -> Any:
    """An array of the values' one type, or of Python objects."""
    kinds = set(map(type, values)) - {type(None)}
    kind = _DTYPES.get(next(iter(kinds))) if len(kinds) == 1 else None
    try:
        return _array(values, kind or "object")
    except (OverflowError, UnicodeEncodeError, TypeError):
        # A whole number of more than 64 bits; a file's name that is not UTF-8.
        return _array(values, "object")


def _array(values: list[Any], dtype: str) -> Any:
    import numpy as np
    import pandas as pd

    if dtype == "float64":
        return np.array(values, dtype=np.float64)
    if dtype == "object":
        made = np.empty(len(values), dtype=object)
        made[:] = values
        return pd.Series(made, dtype=object)  # of a bare array pandas would make text
    return pd.array(values, dtype=cast("Any", dtype))


def _joined(name: str, blocks: Sequence[pd.DataFrame]) -> Any:
    import pandas as pd

    parts = [block.get(name) for block in blocks]
    kinds = {str(part.dtype) for part in parts if part is not None and part.notna().any()}
    if len(kinds) != 1 or "object" in kinds:
        values: list[Any] = []
        for part, block in zip(parts, blocks, strict=True):
            values += [None] * len(block) if part is None else objects(part)
        return typed(values)
    (kind,) = kinds
    alike = [
        part
        if part is not None and str(part.dtype) == kind
        else pd.Series(_array([None] * len(block), kind))
        for part, block in zip(parts, blocks, strict=True)
    ]
    return pd.concat(alike, ignore_index=True).array
