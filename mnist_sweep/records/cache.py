"""The records of many run directories as rows, those of a large sweep kept in one Parquet file.

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
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from pkgutil import get_data
from typing import Any

import pydantic

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.cores import on_cores
from mnist_sweep.metrics import definitions
from mnist_sweep.records.fields import Flat, flat
from mnist_sweep.records.paths import CHECKED, RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.record import Record
from mnist_sweep.records.table import (
    KEY,
    LATEST_NS,
    NAME,
    Rows,
    object_array,
    plain,
    rows_of,
    stacked,
)
from mnist_sweep.safe_files import content, identity

MIN_RUNS = 1000  # fewer runs are read in less time than a cache takes
MIN_BYTES = 64 * 2**20  # of networks and predictions: these are hashed in about a tenth of a second
MANY_RUNS = 10_000  # from here on it is worth recommending pyarrow
RACY_NS = 2 * 10**9  # the coarsest clock of file systems in use: FAT's two seconds

MIN_RUNS_ON_CORES = 4000  # fewer are read by one process in about a second
BLOCK_RUNS = 2500

_MAX_BYTES = 2**32
_META, _DIGEST = b"mnist_sweep", b"mnist_sweep_sha256"
# What decides which runs are valid, and what their rows hold.
_CODE = (
    *(f"records/{name}" for name in (
        "record", "status", "fields", "table", "reading", "paths", "cache", "predictions",
        "store",
    )), "safe_files", "settings/identity", "settings/schema",
)  # fmt: skip
_NOT_INSTALLED = "it is not installed"


def read_runs(
    paths: SweepPaths, names: Sequence[str], memory: list[Rows] | None = None
) -> tuple[Rows, dict[str, Unread]]:
    """Read the records of run directories, from the cache as far as it has them.

    `names` are sorted. `memory` takes the place of the cache, and is updated; nothing is written.

    Returns:
        The rows, in the order of the names; and why other directories, by name, gave no record.
    """
    runs = str(paths.runs)  # a Path takes as long to become text as a file's status to be read
    is_large = bool(memory or len(names) >= MIN_RUNS or _bytes_beside(runs, names) >= MIN_BYTES)
    if memory is not None:
        # The file system's own clock cannot be asked without writing.
        now_ns: int | None = time.time_ns()
    else:
        now_ns = clock_ns(paths.directory) if is_large and not problem() else None
    kept = memory[0] if memory else read(paths.cache) if is_large else None
    place_of = {key: place for place, key in enumerate(kept.table[KEY].tolist())} if kept else {}
    old: list[int] = []
    new: list[str] = []
    for name in names:
        place = place_of.get(file_key(name, _statuses(runs, name))) if place_of else None
        if place is None:
            new.append(name)
        else:
            old.append(place)
    size = BLOCK_RUNS if len(new) >= MIN_RUNS_ON_CORES else max(1, len(new))
    blocks = [new[start : start + size] for start in range(0, len(new), size)]
    if len(blocks) > 1:
        # Here once, for all processes.
        import pandas  # noqa: F401, ICN001

        Record.model_rebuild()
    done = on_cores(partial(_read_block, runs), blocks)
    parts = [rows for rows, _ in done if len(rows.table)]
    rows = stacked([*parts, *([kept.take(old)] if kept and old else [])])
    if old and new:
        own = rows.table[NAME].tolist()
        rows = rows.take(sorted(range(len(own)), key=own.__getitem__))
    if now_ns is not None:
        # Files that were read after `now_ns` cannot have changed unnoticed since.
        is_settled = rows.table[LATEST_NS] < now_ns - RACY_NS
        settled = rows.take(is_settled.to_numpy(dtype=bool).nonzero()[0].tolist())
        if {*settled.table[KEY].tolist()} != place_of.keys():
            if memory is None:
                write(paths.cache, settled)
            else:
                memory[:] = [settled]
    return rows, {name: why for _, unread in done for name, why in unread.items()}


def _read_block(runs: str, names: Sequence[str]) -> tuple[Rows, dict[str, Unread]]:
    found: list[Flat] = []
    unread: dict[str, Unread] = {}
    for name in names:
        read = read_run(RunPaths(f"{runs}{os.sep}{name}"), label_and_run_id(name)[1])
        if isinstance(read, Unread):
            unread[name] = read
            continue
        record, statuses = read
        latest_ns = max(max(one.st_mtime_ns, one.st_ctime_ns) for one in statuses if one)
        own = {NAME: name, KEY: file_key(name, statuses), LATEST_NS: latest_ns}
        found.append({**flat(record), **own})
    return rows_of(found), unread


def _bytes_beside(runs: str, names: Sequence[str]) -> int:
    return sum(one.st_size for name in names for one in _statuses(runs, name)[1:] if one)


def _statuses(runs: str, name: str) -> list[os.stat_result | None]:
    """Of a run's record and the files beside it."""
    found: list[os.stat_result | None] = []
    for ending in CHECKED:
        try:
            found.append(os.stat(f"{runs}{os.sep}{name}{ending}"))  # noqa: PTH116  (a path costs as much as the call)
        except OSError:
            found.append(None)
    return found


def file_key(name: str, statuses: Iterable[os.stat_result | None]) -> str:
    """What distinguishes the files of the run directory `name` from every other state of them."""
    # The name is quoted, since it may hold bytes that are not UTF-8.
    return f"{[one and identity(one) for one in statuses]} {name!r}"


def clock_ns(directory: Path) -> int | None:
    """The time by the clock of a directory's file system; None where it cannot be written to."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None


def read(path: Path) -> Rows | None:
    """The rows in a cache file; None if this code wrote no such file."""
    if problem():
        return None
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        # One thread: processes may be forked later, which is unsafe beside threads of Arrow.
        file = parquet.ParquetFile(
            pa.BufferReader(content(path, _MAX_BYTES)[0]),
            page_checksum_verification=True, pre_buffer=False,
        )  # fmt: skip
        known = file.schema_arrow.metadata or {}
        meta = json.loads(known[_META])
        if meta["code"] != code() or known[_DIGEST] != _digest(known[_META]):
            return None
        stored = file.read(use_threads=False)
        dtypes = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
        table = stored.to_pandas(use_threads=False, ignore_metadata=True, types_mapper=dtypes.get)
        columns = {place: table[place] for place in table}
        for place in meta["json"]:
            values: list[Any] = [None] * len(table)
            if stored.column(place).null_count < len(table):  # most are null in all runs
                texts = plain(table[place])
                values = [None if text is None else json.loads(text) for text in texts]
            columns[place] = object_array(values)
        named = dict(zip(meta["names"], columns.values(), strict=True))
        kinds = {kind: tuple(names) for kind, names in meta["kinds"].items()}
        return Rows(pd.DataFrame(named, index=table.index), kinds)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, pa.ArrowException):
        return None


def write(path: Path, rows: Rows) -> None:
    """Store rows; that it fails changes nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    columns, as_json = {}, []
    # Columns are numbered: settings may be called anything.
    for place, (_, column) in enumerate(rows.table.items()):
        if column.dtype == object:  # Arrow has no one type for it
            as_json.append(str(place))
            texts = [None if one is None else json.dumps(one) for one in plain(column)]
            columns[str(place)] = pa.array(texts, pa.string())
        else:
            columns[str(place)] = pa.array(column, from_pandas=True)
    meta = {"code": code(), "names": [*rows.table], "kinds": rows.kinds, "json": as_json}
    text = json.dumps(meta).encode()
    stored = pa.table(columns).replace_schema_metadata({_META: text, _DIGEST: _digest(text)})
    sink = pa.BufferOutputStream()
    parquet.write_table(
        stored, sink, compression="zstd", write_page_checksum=True, write_statistics=False,
    )  # fmt: skip
    with suppress(OSError):
        write_bytes(path, sink.getvalue().to_pybytes())


def _digest(text: bytes) -> bytes:
    """Pages of values have checksums of their own, the metadata has none."""
    return hashlib.sha256(text).hexdigest().encode()


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
