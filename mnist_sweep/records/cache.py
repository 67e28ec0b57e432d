"""The runs table of a large sweep in one Parquet file beside the records.

The records stay the truth. A row stands for a run only while record, predictions and network have
the size, times of change and inode that they had when they were checked (`file_key`), so every call
looks at every file's status and reads those that are new or changed. Two changes within one tick of
the file system's clock look alike ("racy" in Git's words); so a run with a file that was touched
less than `RACY_NS` before it was read is not stored, and the next call reads it again. Both times
of change count: a copy that keeps the modification time (`cp -p`, `rsync -t`) has a new time of
status change.

A file that is damaged, or that other code wrote, counts as none. Without pyarrow, or in a directory
that cannot be written to, all records are read each time; nothing else changes.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

import pydantic

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.metrics import definitions
from mnist_sweep.records.table import objects
from mnist_sweep.safe_files import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

MIN_RUNS = 1000
"""Fewer runs are read in less time than a cache takes."""
MIN_BYTES = 64 * 2**20
"""Of networks and predictions: these are hashed in about a tenth of a second."""
MANY_RUNS = 10_000
"""From here on it is worth recommending pyarrow."""
RACY_NS = 2 * 10**9
"""The coarsest clock of file systems in use: FAT's two seconds."""

_MAX_BYTES = 2**32
_KEY = "@file"
_META = b"mnist_sweep"
_CODE = (
    *(f"records/{name}" for name in (
        "record", "integrity", "status", "fields", "reading", "table", "cache", "predictions",
    )), "safe_files", "settings/identity", "settings/schema",
)  # fmt: skip
"""What decides which runs are valid, and what their rows hold."""
_NOT_INSTALLED = "it is not installed"


def file_key(name: str, statuses: Sequence[os.stat_result | None]) -> str:
    """What distinguishes the files of the run directory `name` from every other state of them.

    Args:
        name: The directory's.
        statuses: Of the record, and of the files of `RunPaths.artefacts` as far as there are any.
    """
    files = (
        f"{one.st_size} {one.st_mtime_ns} {one.st_ctime_ns} {one.st_ino}" if one else "-"
        for one in statuses
    )
    # The name is quoted, since it may hold bytes that are not UTF-8.
    return f"{' '.join(files)} {name!r}"


def are_settled(statuses: Iterable[os.stat_result | None], now_ns: int) -> bool:
    """Whether files that were read after `now_ns` cannot have changed unnoticed since."""
    latest = now_ns - RACY_NS
    return all(one is None or max(one.st_mtime_ns, one.st_ctime_ns) < latest for one in statuses)


def clock_ns(directory: Path) -> int | None:
    """The time by the clock of a directory's file system; None where it cannot be written to."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def read(path: Path) -> tuple[pd.DataFrame, list[str]] | None:
    """The exact table in a cache file, and each row's key; None if this code wrote no such file."""
    if problem():
        return None
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # One thread: processes may be forked later, which is unsafe beside threads of Arrow.
        file = parquet.ParquetFile(
            pa.BufferReader(content(path, _MAX_BYTES)[0]),
            page_checksum_verification=True, pre_buffer=False,
        )  # fmt: skip
        meta = json.loads((file.schema_arrow.metadata or {})[_META])
        if meta["code"] != code() or list(meta["kinds"]) != file.schema_arrow.names:
            return None
        table = _decoded(file.read(use_threads=False), meta["kinds"])
        return table, table.pop(_KEY).tolist()
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException):
        return None


def write(path: Path, table: pd.DataFrame, keys: list[str]) -> None:
    """Store an exact table and the key of each row; that it fails changes nothing."""
    if _KEY in table:  # a setting of that name: then there is no cache
        return
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {**{name: str(column.dtype) for name, column in table.items()}, _KEY: "str"}
    stored = pa.table(
        [*(_encoded(column) for _, column in table.items()), pa.array(keys, pa.string())],
        names=list(map(str, kinds)),
    ).replace_schema_metadata({_META: json.dumps({"code": code(), "kinds": kinds})})
    sink = pa.BufferOutputStream()
    parquet.write_table(
        stored, sink, compression="zstd", write_page_checksum=True, write_statistics=False,
    )  # fmt: skip
    with suppress(OSError):
        write_bytes(path, sink.getvalue().to_pybytes())


def _encoded(column: pd.Series[Any]) -> Any:
    """A column as Arrow has it; Python objects as JSON text."""
    import pyarrow as pa

    if column.dtype != object:
        return pa.array(column, from_pandas=True)
    texts = [None if value is None else json.dumps(value) for value in objects(column)]
    return pa.array(texts, pa.string())


def _decoded(stored: Any, kinds: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    table: pd.DataFrame = stored.to_pandas(types_mapper=types.get, use_threads=False)
    for name, kind in kinds.items():
        if kind != "object":
            table[name] = table[name].astype(pd.api.types.pandas_dtype(kind))
        elif stored.column(name).null_count == len(table):
            table[name] = pd.Series([None] * len(table), dtype=object)
        else:
            texts = stored.column(name).to_pylist()
            values = [None if text is None else json.loads(text) for text in texts]
            table[name] = pd.Series(values, dtype=object)
    return table


def advice(runs: int) -> str:
    """What would make the next look at so many runs faster; empty where nothing would."""
    why = problem() if runs >= MIN_RUNS else ""
    if not why or (why == _NOT_INSTALLED and runs < MANY_RUNS):
        return ""
    if why == _NOT_INSTALLED:
        way_out = "pip install 'mnist-sweep[index]' keeps them in a cache"
    else:
        way_out = f"There is no cache, since pyarrow cannot be imported ({why}); reinstall it"
    return f"All {runs:,} records were read. {way_out}."


@cache
def problem() -> str:
    """Why pyarrow cannot be used; empty where it can."""
    try:
        import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        return _NOT_INSTALLED if error.name == "pyarrow" else str(error)
    except (ImportError, AttributeError, ValueError) as error:  # as with an unsuitable NumPy
        return " ".join(str(error).split())[:200] or type(error).__name__
    return ""


@cache
def code() -> str:
    """A hash of what makes rows of records; a table that other code wrote is not used."""
    metrics = [(one.name, one.splits, one.format) for one in definitions().values()]
    digest = hashlib.sha256(f"{pydantic.VERSION} {metrics}".encode())
    ending = Path(__file__).suffix  # .pyc where sources are not installed
    for name in _CODE:
        try:
            # Not from the file system: the package may lie in a ZIP file.
            digest.update(get_data("mnist_sweep", name + ending) or b"")
        except OSError:
            digest.update(os.urandom(16))  # unknown: no other process may use the table
    return digest.hexdigest()
