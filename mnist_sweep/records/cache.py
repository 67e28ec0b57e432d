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
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import get_data
from typing import TYPE_CHECKING, Any

import pydantic

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.cores import on_cores
from mnist_sweep.metrics import definitions
from mnist_sweep.records.fields import Row, columns_of, flat, row_of
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.safe_files import content, identity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MIN_RUNS = 1000
"""Fewer runs are read in less time than a cache takes."""
MIN_BYTES = 64 * 2**20
"""Of networks and predictions: these are hashed in about a tenth of a second."""
MANY_RUNS = 10_000
"""From here on it is worth recommending pyarrow."""
RACY_NS = 2 * 10**9
"""The coarsest clock of file systems in use: FAT's two seconds."""

MIN_RUNS_ON_CORES = 4000
"""Fewer are read by one process in about a second."""
BLOCK_RUNS = 500
_Read = tuple[Row, str, int]
"""A record's row, the key of its files, and when the latest of them was changed (ns)."""

_MAX_BYTES = 2**32
_META, _DIGEST = b"mnist_sweep", b"mnist_sweep_sha256"
_CODE = (
    *(f"records/{name}" for name in (
        "record", "status", "fields", "reading", "paths", "cache", "predictions",
        "store",
    )), "safe_files", "settings/identity", "settings/schema",
)  # fmt: skip
"""What decides which runs are valid, and what their rows hold."""
_NOT_INSTALLED = "it is not installed"


def read_runs(
    paths: SweepPaths, names: Sequence[str], memory: dict[str, Row] | None = None
) -> tuple[dict[str, Row], dict[str, Unread]]:
    """Read the records of run directories, from the cache as far as it has them.

    Args:
        paths: Of the sweep; its cache is updated if that is possible.
        names: Of the run directories.
        memory: Takes the place of the cache, and is updated; nothing is written then.

    Returns:
        By name, in their order: the rows; and why other directories gave no record.
    """
    is_large = bool(
        memory or len(names) >= MIN_RUNS or _bytes_beside(paths.runs, names) >= MIN_BYTES
    )
    if memory is not None:
        # The file system's own clock cannot be asked without writing.
        now_ns: int | None = time.time_ns()
    else:
        now_ns = clock_ns(paths.directory) if is_large and not problem() else None
    kept = dict(memory or {}) or (read(paths.cache) if is_large else {})
    rows: dict[str, Row] = {}
    unread: dict[str, Unread] = {}
    keys: dict[str, str] = {}
    new = []
    for name in names:
        key = file_key(name, _statuses(paths.runs, name)) if kept else ""
        if key in kept:
            keys[key], rows[name] = name, kept[key]
        else:
            new.append(name)
    for name, found in zip(new, _read_all(paths.runs, new), strict=True):
        if isinstance(found, Unread):
            unread[name] = found
            continue
        rows[name], key, latest_ns = found
        # Files that were read after `now_ns` cannot have changed unnoticed since.
        if now_ns is not None and latest_ns < now_ns - RACY_NS:
            keys[key] = name
    if now_ns is not None and keys.keys() != kept.keys():
        found_rows = {key: rows[name] for key, name in keys.items()}
        if memory is None:
            write(paths.cache, found_rows)
        else:
            memory.clear()
            memory.update(found_rows)
    return {name: rows[name] for name in names if name in rows}, unread


def _read_all(runs: Path, names: Sequence[str]) -> Iterator[_Read | Unread]:
    """What `_read_some` finds, of very many records on all cores."""
    size = BLOCK_RUNS if len(names) >= MIN_RUNS_ON_CORES else max(1, len(names))
    blocks = [names[start : start + size] for start in range(0, len(names), size)]
    return chain.from_iterable(on_cores(partial(_read_some, runs), blocks))


def _read_some(runs: Path, names: Sequence[str]) -> list[_Read | Unread]:
    kinds: dict[tuple[str, ...], tuple[str, ...]] = {}
    done: list[_Read | Unread] = []
    for name in names:
        found = read_run(RunPaths(f"{runs}{os.sep}{name}"), label_and_run_id(name)[1])
        if isinstance(found, Unread):
            done.append(found)
            continue
        record, statuses = found
        latest_ns = max(max(one.st_mtime_ns, one.st_ctime_ns) for one in statuses if one)
        done.append((row_of(flat(record), kinds), file_key(name, statuses), latest_ns))
    return done


def _bytes_beside(runs: Path, names: Sequence[str]) -> int:
    return sum(one.st_size for name in names for one in _statuses(runs, name)[1:] if one)


def _statuses(runs: Path, name: str) -> list[os.stat_result | None]:
    """Of a run's record and the files beside it."""
    found: list[os.stat_result | None] = []
    for ending in _ENDINGS:
        try:
            found.append(os.stat(f"{runs}{os.sep}{name}{ending}"))  # noqa: PTH116  (a path costs as much as the call)
        except OSError:
            found.append(None)
    return found


_ENDINGS = [f"{os.sep}{one.name}" for one in (RunPaths("").record, *RunPaths("").artefacts)]


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


def read(path: Path) -> dict[str, Row]:
    """The rows in a cache file by the keys of their files; none if this code wrote no such file."""
    if problem():
        return {}
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
            return {}
        columns = [
            _decoded(column, is_json=is_json)
            for column, is_json in zip(
                file.read(use_threads=False).columns, meta["json"], strict=True
            )
        ]
        kinds = [tuple(meta["names"][place] for place in one) for one in meta["kinds"]]
        *_, keys, numbers = columns
        return {
            key: (kinds[number], tuple(values[place] for place in meta["kinds"][number]))
            for key, number, values in zip(keys, numbers, zip(*columns, strict=True), strict=True)
        }
    except (OSError, ValueError, LookupError, TypeError, pa.ArrowException):
        return {}


def write(path: Path, rows: dict[str, Row]) -> None:
    """Store rows by the keys of their files; that it fails changes nothing."""
    import pyarrow as pa
    from pyarrow import parquet

    values = columns_of(list(rows.values()))
    names = {name: place for place, name in enumerate(values)}
    kinds = {id(own): own for own, _ in rows.values()}
    numbers = {key: number for number, key in enumerate(kinds)}
    columns = [
        _encoded(one)
        for one in (*values.values(), [*rows], [numbers[id(own)] for own, _ in rows.values()])
    ]
    meta = {
        "code": code(),
        "names": [*names],
        "kinds": [[names[name] for name in own] for own in kinds.values()],
        "json": [is_json for _, is_json in columns],
    }
    text = json.dumps(meta).encode()
    # Columns are numbered: settings may be called anything.
    stored = pa.table(
        [column for column, _ in columns], names=[str(place) for place in range(len(columns))]
    ).replace_schema_metadata({_META: text, _DIGEST: _digest(text)})
    sink = pa.BufferOutputStream()
    parquet.write_table(
        stored, sink, compression="zstd", write_page_checksum=True, write_statistics=False,
    )  # fmt: skip
    with suppress(OSError):
        write_bytes(path, sink.getvalue().to_pybytes())


def _digest(text: bytes) -> bytes:
    """Pages of values have checksums of their own, the metadata has none."""
    return hashlib.sha256(text).hexdigest().encode()


def _encoded(values: list[Any]) -> tuple[Any, bool]:
    """A column as Arrow has it, as JSON text where it has no one type for it."""
    import pyarrow as pa

    types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1 and (kind := types.get(next(iter(kinds)))):
        with suppress(OverflowError, UnicodeEncodeError, pa.ArrowException):
            return pa.array(values, kind), False
    texts = [None if value is None else json.dumps(value) for value in values]
    return pa.array(texts, pa.string()), True


def _decoded(column: Any, *, is_json: bool) -> list[Any]:
    values = column.drop_null().to_numpy().tolist()
    if is_json:
        values = list(map(json.loads, values))
    if not column.null_count:
        return values  # type: ignore[no-any-return]  # pyarrow has no types
    present = iter(values)
    return [next(present) if one else None for one in column.is_valid().to_numpy().tolist()]


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
