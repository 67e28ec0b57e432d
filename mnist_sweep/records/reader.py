"""The records of many run directories as one table: what is cached is not read again.

Parsing a record strictly is work for the processor. So from some thousands on, forked processes
read blocks of them. The result does not depend on it: the same function reads every block.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mnist_sweep.cores import cores
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import cache
from mnist_sweep.records.fields import Flat, flat
from mnist_sweep.records.paths import RunPaths, SweepPaths, label_and_run_id
from mnist_sweep.records.reading import Unread, read_record, read_run
from mnist_sweep.records.table import combined, exact, indexed, pick

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    import pandas as pd

BLOCK_ROWS = 2500
"""Records of a block: as Python objects their rows take about 100 MB."""
MIN_PARALLEL = 4000
"""Fewer records are read in about a second by one process."""


class Found(NamedTuple):
    """What run directories hold.

    Attributes:
        table: An exact table (see `records.table`), indexed by the names of the directories.
        unread: Name -> why that directory gave no record.
        keys: Name -> the key of the run's files (see `cache.file_key`), of rows for the cache.
    """

    table: pd.DataFrame
    unread: dict[str, Unread]
    keys: dict[str, str]


def read_runs(paths: SweepPaths, names: Sequence[str]) -> Found:
    """Read the records of run directories, in the order of `names`.

    Args:
        paths: Of the sweep; its cache is used, and updated if that is possible.
        names: Of the run directories.
    """
    if len(names) < cache.MIN_RUNS and not _is_heavy(paths.runs, names):
        return _joined(names, list(_blocks(paths.runs, names, None)))
    now_ns = None if cache.problem() else cache.clock_ns(paths.directory)
    cached, keys = cache.read(paths.cache) or (exact([]), [])
    places = {key: place for place, key in enumerate(keys)}
    known = {name: key for name, key in _keys(paths.runs, names) if key in places}
    rows = cached.iloc[[places[key] for key in known.values()]]
    if len(rows) < len(cached) and not _is_own(paths, rows, known):
        rows, known = rows.iloc[:0], {}
    new = _blocks(paths.runs, [name for name in names if name not in known], now_ns)
    # No name for the list of blocks: they are freed once they are joined.
    found = _joined(names, [Found(indexed(rows, known), {}, known), *new])
    del rows, cached
    if now_ns is not None and set(found.keys.values()) != set(keys):
        settled = [name for name in found.table.index if name in found.keys]
        cache.write(paths.cache, pick(found.table, settled), [found.keys[n] for n in settled])
    return found


def _is_own(paths: SweepPaths, rows: pd.DataFrame, names: Iterable[str]) -> bool:
    """Whether each column of the cached table is one of these rows', now that others are gone."""
    empty = {name for name, column in rows.items() if column.isna().all()}
    with suppress(DirectoryError):
        for name in names:  # one is enough where all runs are of a kind
            empty -= flat(read_record(RunPaths(paths.runs / name).record)).keys()
            if not empty:
                return True
    return False


def _joined(names: Sequence[str], blocks: Sequence[Found]) -> Found:
    """All blocks as one, in the order of `names`."""
    table = combined([block.table for block in blocks])
    read = set(table.index)
    return Found(
        pick(table, [name for name in names if name in read]),
        {name: reason for block in blocks for name, reason in block.unread.items()},
        {name: key for block in blocks for name, key in block.keys.items()},
    )


def _is_heavy(runs: Path, names: Sequence[str]) -> bool:
    """Whether networks and predictions take longer to hash than a cache takes to read."""
    size = 0
    for name in names:
        for status in _statuses(f"{runs}{os.sep}{name}{os.sep}", RunPaths("").artefacts):
            size += status.st_size if status else 0
    return size >= cache.MIN_BYTES


def _keys(runs: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The key of each directory's files as they are now; nothing where there is no record."""
    files = (RunPaths("").record, *RunPaths("").artefacts)
    for name in names:
        statuses = _statuses(f"{runs}{os.sep}{name}{os.sep}", files)
        if statuses[0]:
            yield name, cache.file_key(name, statuses)


def _statuses(parent: str, files: Sequence[Path]) -> list[os.stat_result | None]:
    found: list[os.stat_result | None] = []
    for file in files:
        try:
            found.append(os.stat(f"{parent}{file.name}"))  # noqa: PTH116  (a path costs as much as the call)
        except OSError:
            found.append(None)
    return found


def _blocks(runs: Path, names: Sequence[str], now_ns: int | None) -> Iterator[Found]:
    """Read records, `BLOCK_ROWS` of them at a time, on all cores where there are many.

    Args:
        runs: The directory of the run directories.
        names: Of the run directories.
        now_ns: The time by the clock of the file system; None if nothing is to be cached.
    """
    blocks = [names[start : start + BLOCK_ROWS] for start in range(0, len(names), BLOCK_ROWS)]
    done = 0
    if len(names) >= MIN_PARALLEL and len(blocks) > 1:
        for block in _on_cores(runs, blocks, now_ns, min(_cores(), len(blocks))):
            yield block
            done += 1
    for own in blocks[done:]:
        yield _read(runs, own, now_ns)


def _read(runs: Path, names: Sequence[str], now_ns: int | None) -> Found:
    rows: dict[str, Flat] = {}
    unread: dict[str, Unread] = {}
    keys: dict[str, str] = {}
    for name in names:
        read = read_run(RunPaths(runs / name), label_and_run_id(name)[1])
        if isinstance(read, Unread):
            unread[name] = read
            continue
        record, statuses = read
        rows[name] = flat(record)
        if now_ns is not None and cache.are_settled(statuses, now_ns):
            keys[name] = cache.file_key(name, statuses)
    return Found(exact(list(rows.values()), list(rows)), unread, keys)


def _cores() -> int:
    """How many processes to read with; 1 where forking is impossible or unsafe.

    A forked process has no threads but copies the locks that they hold: TensorFlow's, or Python's.
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return 1
    if threading.active_count() > 1 or "tensorflow" in sys.modules:
        return 1
    return cores()


def _on_cores(
    runs: Path, blocks: Sequence[Sequence[str]], now_ns: int | None, count: int
) -> Iterator[Found]:
    """What the blocks hold, in order; fewer of them where a process could not start, or died."""
    started: list[tuple[BaseProcess, Connection]] = []
    context = multiprocessing.get_context("fork") if count > 1 else None
    if context is None:
        return
    try:
        for number in range(count):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(
                target=_send, args=(reader, writer, runs, blocks[number::count], now_ns),
                daemon=True,
            )  # fmt: skip
            with warnings.catch_warnings():
                # Threads of numerical libraries, which repair themselves after a fork.
                warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
                process.start()
            writer.close()
            started.append((process, reader))
        for number in range(len(blocks)):
            yield started[number % count][1].recv()
    except (OSError, EOFError):
        return
    finally:
        for child, end in started:
            child.kill()
            child.join()
            end.close()


def _send(
    reader: Connection,
    writer: Connection,
    runs: Path,
    blocks: Sequence[Sequence[str]],
    now_ns: int | None,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # With this end open here too, nobody would notice that the other process has died.
    reader.close()
    gc.disable()  # rows hold no cycles, and searching millions of objects for them takes long
    with suppress(OSError):
        for names in blocks:
            writer.send(_read(runs, names, now_ns))
