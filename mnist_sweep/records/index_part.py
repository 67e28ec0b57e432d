"""A part of the index: the flat rows of some records as one Parquet file.

A column holds one type as Parquet has it, or else, where a setting takes values of several kinds,
JSON text. The file is named after the hash of its content, and what reads it checks that: a
damaged part is as good as none. It says which code made it, so that a later program with other
columns does not use it, and which columns hold one and the same value: most settings do, and need
not be decoded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from itertools import repeat
from pathlib import Path
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

import pydantic

from mnist_sweep.records.columns import Layout
from mnist_sweep.records.fields import settings_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray
    from pyarrow import parquet

ENDING = ".parquet"
_FILE = "file."
_LAYOUT = "layout"
_META = b"mnist_sweep"
_JSON = {b"mnist_sweep": b"json"}
_OF_RESULTS = frozenset((
    "run_id", "configuration_id", "label", "status", "parameters", "dataset", "train", "validation",
    "test", "time", "epochs_trained", "history", "environment", "error",
))  # fmt: skip
_LARGEST_INT64 = 2**63 - 1
MISSING = "it is not installed"
"""What `library_problem` says where nobody asked for the library."""
_CODE = ("record", "fields", "reading", "index_part")
"""What decides whether a record is taken, and which values it then has."""


Key = tuple[str, int, int, int, int]
"""Which file a row was made of: its run's directory's name, its size, its times of change (ns) and
inode. A file of the same key holds the same bytes (see `index`); plain tuples, of which there are
very many."""
_KEY = ("name", "size", "mtime_ns", "ctime_ns", "inode")


@dataclass(frozen=True)
class Entry:
    """A record in the index: its file and its flat row."""

    key: Key
    values: Mapping[str, Any]


class Part:
    """One part that was read; a `columns.Source`.

    Args:
        name: Of its file.
        content: The file's bytes; columns are decoded from them when they are asked for.

    Raises:
        ValueError: The content is not what its name says, or other code made it.
    """

    def __init__(self, name: str, content: bytes) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if name != _name(content):
            raise ValueError("its content is not what its name says")
        self.name = name
        try:
            self._file: parquet.ParquetFile = parquet.ParquetFile(pa.BufferReader(content))
            schema = self._file.schema_arrow
            meta = json.loads((schema.metadata or {})[_META])
            if meta["code"] != code():
                raise ValueError("another version of the program made it")
            self._number = {name: number for number, name in enumerate(schema.names)}
            self._same: dict[str, Any] = meta["same"]
            self._json = {field.name for field in schema if field.metadata == _JSON}
            self.layouts: tuple[Layout, ...] = tuple(map(tuple, meta["layouts"]))
            self.layout_of: list[int] = self._list(_LAYOUT)
            keys = self._table([_FILE + field for field in _KEY])
            columns = [keys.column(number).to_pylist() for number in range(len(_KEY))]
            self.keys: list[Key] = list(zip(*columns, strict=True))
        except (pa.ArrowException, OSError, LookupError, TypeError) as error:
            raise ValueError(str(error)) from error

    def column(self, name: str) -> list[Any]:
        """A column's value for every row; None in rows without it."""
        if name not in self._number or name in self._same:
            return list(repeat(self._same.get(name), len(self.keys)))
        return self._list(name)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, (n_rows,); NaN in rows without it."""
        import numpy as np

        if name in self._number and name not in self._same:
            found = self._column(name)
            if str(found.type) == "double" and not found.null_count:
                # Arrow's own way to NumPy imports pandas, which takes longer than all of this.
                return np.concatenate([np.from_dlpack(chunk) for chunk in found.chunks])
        return np.array(self.column(name), dtype=np.float64)

    def distinct(self, name: str) -> list[Any]:
        """A column's values, each once."""
        if name in self._same:
            return [self._same[name]]
        found = self._column(name)
        values: list[Any] = found.unique().to_pylist()
        return _decoded(values) if name in self._json else values

    def _list(self, name: str) -> list[Any]:
        values: list[Any] = self._column(name).to_pylist()
        return _decoded(values) if name in self._json else values

    def _column(self, name: str) -> pa.ChunkedArray:
        return self._table([name]).column(0)

    def _table(self, names: Sequence[str]) -> pa.Table:
        # By their numbers: a name with a dot would be taken for a path into a nested column.
        numbers = [self._number[name] for name in names]
        return self._file.reader.read_all(numbers, use_threads=False)


def encoded(entries: Sequence[Entry]) -> tuple[str, bytes]:
    """The name and the content of the part that holds these rows.

    Raises:
        ValueError: A row has a value that JSON cannot hold.
    """
    import pyarrow as pa
    from pyarrow import parquet

    numbers: dict[Layout, int] = {}
    layout_of = [numbers.setdefault(tuple(entry.values), len(numbers)) for entry in entries]
    fields, arrays = [pa.field(_LAYOUT, pa.int32())], [pa.array(layout_of, pa.int32())]
    for number, field in enumerate(_KEY):
        kind = pa.int64() if number else pa.string()
        fields.append(pa.field(_FILE + field, kind))
        arrays.append(pa.array([entry.key[number] for entry in entries], kind))
    same = {}
    for name, values in _columns(entries, list(numbers)).items():
        kind = _kind(values)
        if kind is None:
            texts = [None if value is None else json.dumps(value) for value in values]
            fields.append(pa.field(name, pa.string(), metadata=_JSON))
            arrays.append(pa.array(texts, pa.string()))
        else:
            fields.append(pa.field(name, kind))
            arrays.append(pa.array(values, kind))
            if _is_same(values):
                same[name] = values[0]
    notes = {"code": code(), "layouts": list(numbers), "same": same}
    meta = {_META: json.dumps(notes).encode()}
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=meta))
    parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return _name(content), content


def fits(name: str, config: Mapping[str, Any], layout: Layout) -> bool:
    """Whether a record's flat row can stand in the index.

    Not if a name is one of the index's own, or if a setting has a name that is for results: then
    it could not be told from them. Nor if its directory's name is no text: Parquet holds none such.
    """
    return _is_text(name) and _OF_RESULTS.isdisjoint(config) and _is_plain(layout)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@lru_cache
def _is_plain(layout: Layout) -> bool:
    own = any(name == _LAYOUT or name.startswith(_FILE) for name in layout)
    return not own and not any(
        name.partition(".")[0] in _OF_RESULTS for name in settings_names(layout)
    )


def _columns(entries: Sequence[Entry], layouts: Sequence[Layout]) -> dict[str, Sequence[Any]]:
    if len(layouts) == 1:
        columns = zip(*(entry.values.values() for entry in entries), strict=True)
        return dict(zip(layouts[0], columns, strict=True))
    names = dict.fromkeys(name for layout in layouts for name in layout)
    return {name: [entry.values.get(name) for entry in entries] for name in names}


@cache
def code() -> str:
    """Tells apart programs that may take records, or make rows of them, differently."""
    digest = hashlib.sha256(pydantic.VERSION.encode())
    ending = Path(__file__).suffix  # .pyc where sources are not installed
    for name in _CODE:
        try:
            # Not from the file system: the package may lie in a ZIP file.
            digest.update(get_data(__package__, name + ending) or b"")
        except OSError:
            digest.update(os.urandom(16))  # not to be known: no other process takes its parts
    return digest.hexdigest()


@cache
def library_problem() -> str:
    """Why pyarrow cannot be used: `MISSING`, or what its import said; empty where it can."""
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        return MISSING if error.name == "pyarrow" else str(error)
    except (ImportError, AttributeError, ValueError) as error:  # as of an unfitting NumPy
        return " ".join(str(error).split())[:200] or type(error).__name__
    return ""


def _name(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32] + ENDING


def _kind(values: Sequence[Any]) -> pa.DataType | None:
    """The one type of a column's values; None where there are several, or another than these."""
    import pyarrow as pa

    kinds: dict[type, Callable[[], pa.DataType]] = {
        bool: pa.bool_, int: pa.int64, float: pa.float64, str: pa.string, type(None): pa.string,
    }  # fmt: skip
    found = set(map(type, values))
    if len(found) > 1:
        found.discard(type(None))
    if len(found) != 1:
        return None
    (kind,) = found
    if kind is int and any(abs(value) > _LARGEST_INT64 for value in values if value is not None):
        return None
    return kinds[kind]() if kind in kinds else None


def _is_same(values: Sequence[Any]) -> bool:
    """Whether values of one type are all the same one; zeros, which have signs, are not told so."""
    first = values[0]
    signed = isinstance(first, float) and not first
    return not signed and list(values).count(first) == len(values)


def _decoded(texts: Sequence[str | None]) -> list[Any]:
    return [None if text is None else json.loads(text) for text in texts]
