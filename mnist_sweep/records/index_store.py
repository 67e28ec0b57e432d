"""The files of an index: which parts there are, who may write them, and which are of no use."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import index_read
from mnist_sweep.records.columns import Columns, FlatRow
from mnist_sweep.records.index_part import ENDING, Entry, Part
from mnist_sweep.records.index_read import Rows, packed
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import SweepPaths, names_in
from mnist_sweep.records.reading import content
from mnist_sweep.records.store import clean_temporary, write_bytes

MOST_SMALL = 8
"""Parts with less than half of `PART_ROWS` in use, before they are merged into one."""


def read_parts(index: Path) -> tuple[list[Part], list[str]]:
    """The parts that can be used, and the names of those that cannot."""
    parts, useless = [], []
    names: list[str] = []
    with suppress(OSError):
        names = sorted(name for name in names_in(index) if name.endswith(ENDING))
    for name in names:
        try:
            # No `read_bytes`: a pipe of that name would make it wait for ever.
            parts.append(Part(name, content(index / name)[0]))
        except (OSError, ValueError):
            useless.append(name)
    return parts, useless


@contextmanager
def writing(paths: SweepPaths, *, wanted: bool) -> Iterator[int | None]:
    """Be the one process that writes the index, for the block.

    Yields:
        The time by the clock of the directory's file system, in ns, which may be a server's; None
        where the index is not to be written: not wanted, not possible, or another is at it.
    """
    lock = None
    if wanted:
        with suppress(DirectoryError, OSError):
            lock = try_lock(paths.lock("index"))
    if lock is None:
        yield None
        return
    try:
        yield _clock_ns(paths.lock("index"))
    finally:
        release(lock)


def store(index: Path, rows: Rows) -> None:
    """Store a part."""
    # A full disk: the answer is the same without.
    with suppress(DirectoryError):
        write_bytes(index / rows.name, rows.content)


def tidy(
    index: Path,
    stored: Mapping[int, Part],
    useless: Sequence[str],
    used: Collection[tuple[int, int]],
) -> None:
    """Merge small parts where there are many, and remove what is of no use any more.

    Args:
        index: The directory.
        stored: Parts by number, of settled rows alone: a merge must not put others into the index.
        useless: Names of parts that cannot be read.
        used: The rows that stand for a record, by the number of their part and their place in it.
            Of two for one record, which overlapping writers leave, that is one.
    """
    live: dict[int, list[int]] = {number: [] for number in stored}
    for number, row in sorted(used):
        if number in live:
            live[number].append(row)
    part_rows = index_read.PART_ROWS
    small = [number for number, rows in live.items() if 0 < len(rows) < part_rows // 2]
    # A damaged part that was made anew has its old name.
    needed = {stored[number].name for number, rows in live.items() if rows}
    gone = {*useless, *(part.name for part in stored.values())} - needed
    if len(small) > MOST_SMALL:
        places = [(place, row) for place, number in enumerate(small) for row in live[number]]
        made = _merged(index, [stored[number] for number in small], places)
        gone |= {stored[number].name for number in small} - made if made else set()
    clean_temporary(index, below=False)
    for name in gone:
        with suppress(OSError):
            (index / name).unlink()


def _merged(index: Path, parts: Sequence[Part], places: Sequence[tuple[int, int]]) -> set[str]:
    """Store rows of several parts as new ones; their names, or none if not all are stored."""
    columns = Columns(parts, places)
    made = set()
    for start in range(0, len(places), index_read.PART_ROWS):
        block = enumerate(places[start : start + index_read.PART_ROWS], start)
        entries = [
            Entry(parts[part].keys[row], dict(FlatRow(columns, place)))
            for place, (part, row) in block
        ]
        rows = packed(entries, is_settled=True)
        if not rows.name:
            return set()
        store(index, rows)
        if not (index / rows.name).exists():
            return set()
        made.add(rows.name)
    return made


def _clock_ns(path: Path) -> int | None:
    try:
        os.utime(path)
        return path.stat().st_mtime_ns
    except OSError:
        return None
