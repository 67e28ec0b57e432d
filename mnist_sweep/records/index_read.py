"""Records read in blocks, each as rows that can stand in an index; very many on all cores.

Reading a record is work for the processor: JSON, and a strict look at each value. So from some
thousands on, forked processes read blocks of them and send back the rows as columns, packed. It
makes no difference to what is found: every block is read by the same function.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mnist_sweep.records import index_part
from mnist_sweep.records.columns import Source, Stacked
from mnist_sweep.records.fields import FlatValues, flat
from mnist_sweep.records.index_part import Entry, Key, Part
from mnist_sweep.records.index_run import key_of
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import Unread, try_record
from mnist_sweep.records.runs import Run

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

RACY_NS = 2 * 10**9
"""The coarsest clock of the file systems in use: FAT's two seconds."""
PART_ROWS = 2500
"""Rows of a part while an index is built: as flat rows in memory they take about 100 MB."""
FEWEST_ON_CORES = 4000
"""Records from which on several processes read them: a second and a half on one core."""


class Rows(NamedTuple):
    """Rows that are stored together: a part's name and content, or values that none can hold.

    `is_settled` says that they may be put into the index.
    """

    keys: Sequence[Key]
    is_settled: bool
    name: str
    content: bytes
    values: Sequence[FlatValues]

    def source(self) -> Source:
        """The rows by column, in as little memory as can be."""
        return Part(self.name, self.content) if self.name else Stacked(self.values)


class Block(NamedTuple):
    """What some run directories hold: rows that can stand in an index, and everything else."""

    rows: list[Rows]
    others: dict[str, Run | Unread]


def read_blocks(runs: Path, names: Sequence[str], now_ns: int | None) -> Iterator[Block]:
    """Read records, `PART_ROWS` of them at a time.

    Args:
        runs: The directory of the run directories.
        names: Of the run directories.
        now_ns: The time by the clock of the file system; None settles nothing.
    """
    blocks = [names[start : start + PART_ROWS] for start in range(0, len(names), PART_ROWS)]
    done = 0
    if len(names) >= FEWEST_ON_CORES and len(blocks) > 1:
        for block in _on_cores(runs, blocks, now_ns, min(_cores(), len(blocks))):
            yield block
            done += 1
    for own in blocks[done:]:
        yield _read(runs, own, now_ns)


def packed(entries: Sequence[Entry], *, is_settled: bool) -> Rows:
    """Rows as a part of the index, where Parquet can hold them."""
    keys = [entry.key for entry in entries]
    if not index_part.library_problem():
        # What Parquet cannot hold stays as it is.
        with suppress(ValueError, OverflowError):
            return Rows(keys, is_settled, *index_part.encoded(entries), ())
    return Rows(keys, is_settled, "", b"", [entry.values for entry in entries])


def _read(runs: Path, names: Sequence[str], now_ns: int | None) -> Block:
    entries: list[Entry] = []
    others: dict[str, Run | Unread] = {}
    for name in names:
        directory = runs / name
        read = try_record(RunPaths(directory).record)
        if isinstance(read, Unread):
            others[name] = read
            continue
        record, status = read
        values = flat(record)
        if status is None or not index_part.fits(name, record.config, tuple(values)):
            others[name] = Run(record, directory)
        else:
            entries.append(Entry(key_of(name, status), values))
    return Block(list(_parted(entries, now_ns)), others)


def _parted(entries: Sequence[Entry], now_ns: int | None) -> Iterator[Rows]:
    """The rows that may be stored, and those whose files changed too shortly before."""
    limit = -1 if now_ns is None else now_ns - RACY_NS
    settled = [max(entry.key[2:4]) < limit for entry in entries]
    for wanted in (True, False):
        kept = [entry for entry, one in zip(entries, settled, strict=True) if one is wanted]
        if kept:
            yield packed(kept, is_settled=wanted)


def _cores() -> int:
    """How many processes to read with; 1 where forking is not possible, or not safe.

    A fork has no threads but copies the locks that they hold: TensorFlow's, or another's of Python.
    """
    if sys.platform != "linux" or multiprocessing.current_process().daemon:
        return 1
    if threading.active_count() > 1 or "tensorflow" in sys.modules:
        return 1
    return len(os.sched_getaffinity(0))


def _on_cores(
    runs: Path, blocks: Sequence[Sequence[str]], now_ns: int | None, count: int
) -> Iterator[Block]:
    """What the blocks hold, in order; fewer of them where a process was not to be had, or died."""
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
                # Threads of numerical libraries, which put themselves right after a fork.
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
    # With this end held here too, nobody would notice that the other process has died.
    reader.close()
    with suppress(OSError):
        for names in blocks:
            writer.send(_read(runs, names, now_ns))
