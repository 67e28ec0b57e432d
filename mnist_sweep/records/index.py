"""An index beside the records of a large sweep: their flat rows by column, in Parquet files.

The records stay the truth. A row of the index stands for a record only while the record's file has
the name, size, times of change and inode that it had when it was read, so every call looks at every
file's status and reads those that are new or changed. That misses no change, with one care: two
changes within one tick of the file system's clock look alike ("racy" in Git's words). So a record
that was touched in the last `RACY_NS` before it was read is never put into the index; the next call
reads it again. Both times of change count: a copy that keeps the modification time (`cp -p`,
`rsync -t`) has a new time of status change.

The index is parts that are written whole, never changed, and named after their content (see
`index_part`). New rows come as a new part; small and outdated parts are merged when there are many.
One process writes at a time, another then does without; a directory that cannot be written to, or a
pyarrow that is missing or cannot be imported, costs time and nothing else. Problems are not stored:
a damaged record is read again each time and says the same as without an index.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mnist_sweep.records import index_part, index_store
from mnist_sweep.records.columns import Columns, FlatRows, Source
from mnist_sweep.records.gc_paused import gc_paused
from mnist_sweep.records.index_part import Part
from mnist_sweep.records.index_read import read_blocks
from mnist_sweep.records.index_run import IndexedRuns, key_of
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.reading import Unread
from mnist_sweep.records.runs import Run, Runs

if TYPE_CHECKING:
    from mnist_sweep.records.index_part import Key

FEWEST = 1000
"""Runs from which on an index pays: fewer are read in less time than it takes to load pyarrow."""
MANY = 10_000
"""Runs from which on it is worth saying that an index would help."""


class Looked(NamedTuple):
    """What run directories hold: runs with their directories' names, and by name why none."""

    names: Sequence[str]
    runs: Runs
    unread: dict[str, Unread]


def is_worth_it(runs: int) -> bool:
    """Whether of so many runs flat rows alone are kept in memory, and in an index if that can be.

    Without pyarrow too: rows take a fraction of the memory that records take.
    """
    return runs >= FEWEST


def advice(runs: int) -> str:
    """What to say where an index would have helped; empty where there is one, or no need."""
    problem = index_part.library_problem() if is_worth_it(runs) else ""
    if not problem or (problem == index_part.MISSING and runs < MANY):
        return ""
    if problem == index_part.MISSING:
        return (
            f"All {runs:,} records were read. With pip install 'mnist-sweep[index]' an index is "
            "kept beside them, and only new ones are."
        )
    return (
        f"All {runs:,} records were read, without an index: pyarrow is installed but cannot be "
        f"imported ({problem}). Install it anew."
    )


def look(paths: SweepPaths, names: Sequence[str]) -> Looked:
    """What each of these run directories holds, as reading every record would tell.

    Args:
        paths: Of the sweep; the index is read from there, and brought up to date if that can be.
        names: Of the run directories.
    """
    with gc_paused():
        return _look(paths, names)


def _look(paths: SweepPaths, names: Sequence[str]) -> Looked:
    runs = paths.runs
    can_store = not index_part.library_problem()
    parts, useless = index_store.read_parts(paths.index) if can_store else ([], [])
    known = {
        key: (number, row) for number, part in enumerate(parts) for row, key in enumerate(part.keys)
    }
    places: dict[str, tuple[int, int]] = {}
    keys: dict[str, Key] = {}
    changed = []
    for name, key in _keys(runs, names):
        place = known.get(key) if key else None
        if key is None or place is None:
            changed.append(name)
        else:
            places[name], keys[name] = place, key
    sources: list[Source] = [*parts]
    stored = dict(enumerate(parts))
    others: dict[str, Run | Unread] = {}
    idle = len({number for number, _ in places.values()}) < len(parts)
    wanted = can_store and bool(changed or useless or idle)
    with index_store.writing(paths, wanted=wanted) as now_ns:
        for block in read_blocks(runs, changed, now_ns):
            others |= block.others
            for rows in block.rows:
                source = rows.source()
                for row, key in enumerate(rows.keys):
                    places[key[0]], keys[key[0]] = (len(sources), row), key
                if rows.is_settled and isinstance(source, Part):
                    index_store.store(paths.index, rows)
                    stored[len(sources)] = source
                sources.append(source)
        if now_ns is not None:
            index_store.tidy(paths.index, stored, useless, set(places.values()))
    order = [name for name in names if name in places]
    columns = Columns(sources, [places[name] for name in order])
    indexed = IndexedRuns(FlatRows(columns, range(len(order))), [keys[n] for n in order], runs)
    unread = {name: one for name, one in others.items() if isinstance(one, Unread)}
    if len(unread) == len(others):
        return Looked(order, indexed, unread)
    # Some are in memory, as what no index can hold is: then every run is made an object.
    found = {name: one for name, one in others.items() if isinstance(one, Run)}
    found |= zip(order, indexed, strict=True)
    order = [name for name in names if name in found]
    return Looked(order, Runs([found[name] for name in order]), unread)


def _keys(runs: Path, names: Sequence[str]) -> Iterator[tuple[str, Key | None]]:
    """The key of each directory's record as it is now; None where there is no such file."""
    ending = os.sep + RunPaths("").record.name
    for name in names:
        try:
            status = os.stat(f"{runs}{os.sep}{name}{ending}")  # noqa: PTH116  (paths cost as much as this)
        except OSError:
            yield name, None
        else:
            yield name, key_of(name, status) if stat.S_ISREG(status.st_mode) else None
