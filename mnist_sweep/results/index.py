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
missing pyarrow, costs time and nothing else. Problems are not stored: a damaged record is read
again each time and says the same as without an index.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mnist_sweep.errors import DirectoryError
from mnist_sweep.results.columns import Columns, FlatRow, Source, Stacked
from mnist_sweep.results.fields import flat, settings_names
from mnist_sweep.results.locks import release, try_lock
from mnist_sweep.results.parse import Unread, content, parse, reason, try_record
from mnist_sweep.results.paths import RunPaths, SweepPaths, names_in
from mnist_sweep.results.pause import no_search_for_cycles
from mnist_sweep.results.runs import Run
from mnist_sweep.results.store import clean_temporary, write_bytes

if TYPE_CHECKING:
    from mnist_sweep.results.fields import Flat, FlatValues
    from mnist_sweep.results.index_part import Entry, Key, Part
    from mnist_sweep.results.record import Record

FEWEST = 1000
"""Runs from which on an index pays: fewer are read in less time than it takes to load pyarrow."""
MANY = 10_000
"""Runs from which on it is worth saying that an index would help."""
RACY_NS = 2 * 10**9
"""The coarsest clock of the file systems in use: FAT's two seconds."""
PART_ROWS = 2500
"""Rows of a part while an index is built: as flat rows in memory they take about 100 MB."""
MOST_SMALL = 8
"""Parts with less than half of `PART_ROWS` in use, before they are merged into one."""
_LARGEST_INODE = 2**63 - 1


class IndexedRun(Run):
    """A run as the index knows it; its record is read when it is asked for."""

    __slots__ = ("_key", "_row", "_runs")

    def __init__(self, row: FlatRow, key: Key, runs: Path) -> None:
        self._row, self._key, self._runs = row, key, runs

    @property
    def directory(self) -> Path:
        """Where the run's files are."""
        return self._runs / self._key[0]

    @property
    def record(self) -> Record:
        """The whole record.

        Raises:
            DirectoryError: It was changed or removed since the directory was looked through.
        """
        path = RunPaths(self.directory).record
        try:
            read, status = content(path)
            record = parse(read)
        except (OSError, ValueError) as error:
            raise DirectoryError(
                f"Expected a run's record at {path}: {reason(error)}. It was removed or changed "
                "during this command; run it again."
            ) from error
        if status is None or _key(self._key[0], status) != self._key:
            raise DirectoryError(
                f"Expected the record at {path} to stay as it was, but it was changed during this "
                "command; run it again."
            )
        return record

    @property
    def values(self) -> FlatValues:
        """The record as a flat row."""
        return self._row

    @property
    def settings(self) -> Flat:
        """Its settings alone, flat."""
        return {name: self._row[name] for name in settings_names(self._row.layout)}

    @property
    def run_id(self) -> str:
        """The run's id."""
        return str(self._row["run_id"])

    @property
    def configuration_id(self) -> str:
        """The id of its configuration."""
        return str(self._row["configuration_id"])

    @property
    def label(self) -> str:
        """Its readable name."""
        return str(self._row["label"])

    @property
    def status(self) -> str:
        """How it ended."""
        return str(self._row["status"])

    @property
    def seed(self) -> int | None:
        """Its seed, or None where its settings hold none."""
        seed = self._row.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def error(self) -> tuple[str, str] | None:
        """The type and the message of its error, if it had one."""
        kind = self._row.get("error.type")
        return None if kind is None else (kind, self._row["error.message"])


def is_worth_it(runs: int) -> bool:
    """Whether a directory of so many runs is read through an index."""
    return runs >= FEWEST and is_installed()


def advice(runs: int) -> str:
    """What to say where an index would have helped; empty where there is one, or no need."""
    if runs < MANY or is_installed():
        return ""
    return (
        f"All {runs:,} records were read. With pip install 'mnist-sweep[index]' an index is kept "
        "beside them, and only new ones are."
    )


def is_installed() -> bool:
    """Whether there is the library that indexes need."""
    return importlib.util.find_spec("pyarrow") is not None


def look(paths: SweepPaths, names: Sequence[str]) -> list[tuple[str, Run | Unread]]:
    """What each of these run directories holds, as reading every record would tell.

    Args:
        paths: Of the sweep; the index is read from there, and brought up to date if that can be.
        names: Of the run directories.
    """
    with no_search_for_cycles():
        return _look(paths, names)


def _look(paths: SweepPaths, names: Sequence[str]) -> list[tuple[str, Run | Unread]]:
    runs = paths.runs
    parts, useless = _read_parts(paths.index)
    sources: list[Source] = [*parts]
    stored: list[Source] = [*parts]
    known = {
        key: (number, row) for number, part in enumerate(parts) for row, key in enumerate(part.keys)
    }
    places: dict[str, tuple[int, int]] = {}
    keys: dict[str, Key] = {}
    others: dict[str, Run | Unread] = {}
    changed = []
    for name, key in _keys(runs, names):
        place = known.get(key) if key else None
        if key is None or place is None:
            changed.append(name)
        else:
            places[name], keys[name] = place, key
    with _writing(paths, wanted=bool(changed or useless)) as now_ns:
        for start in range(0, len(changed), PART_ROWS):
            entries, without = _read_entries(runs, changed[start : start + PART_ROWS])
            others |= without
            for kept, is_settled in _parted(entries, now_ns):
                source = _source(kept, paths.index if is_settled else None)
                for row, entry in enumerate(kept):
                    places[entry.key[0]] = (len(sources), row)
                    keys[entry.key[0]] = entry.key
                sources.append(source)
                if is_settled:
                    stored.append(source)
        if now_ns is not None:
            _tidy(paths.index, stored, useless, set(keys.values()))
    order = [name for name in names if name in places]
    columns = Columns(sources, [places[name] for name in order])
    for row, name in enumerate(order):
        others[name] = IndexedRun(FlatRow(columns, row), keys[name], runs)
    return [(name, others[name]) for name in names]


def _keys(runs: Path, names: Sequence[str]) -> Iterator[tuple[str, Key | None]]:
    """The key of each directory's record as it is now; None where there is no such file."""
    ending = os.sep + RunPaths("").record.name
    for name in names:
        try:
            status = os.stat(f"{runs}{os.sep}{name}{ending}")  # noqa: PTH116  (paths cost as much as this)
        except OSError:
            yield name, None
        else:
            yield name, _key(name, status) if stat.S_ISREG(status.st_mode) else None


def _key(name: str, status: os.stat_result) -> Key:
    # Some network file systems number with all 64 bits, Windows with 128; a column holds 63.
    inode = status.st_ino & _LARGEST_INODE
    return (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)


def _read_parts(index: Path) -> tuple[list[Part], list[str]]:
    """The parts that can be used, and the names of those that cannot."""
    from mnist_sweep.results.index_part import ENDING, Part

    parts, useless = [], []
    names: list[str] = []
    with suppress(OSError):
        names = sorted(name for name in names_in(index) if name.endswith(ENDING))
    for name in names:
        try:
            parts.append(Part(name, (index / name).read_bytes()))
        except (OSError, ValueError):
            useless.append(name)
    return parts, useless


def _read_entries(runs: Path, names: Sequence[str]) -> tuple[list[Entry], dict[str, Run | Unread]]:
    """Read records: rows that can stand in an index, and what else the directories hold."""
    from mnist_sweep.results.index_part import Entry, fits

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
        if status is None or not fits(record.config, tuple(values)):
            others[name] = Run(record, directory)
        else:
            entries.append(Entry(_key(name, status), values))
    return entries, others


def _parted(entries: Sequence[Entry], now_ns: int | None) -> Iterator[tuple[Sequence[Entry], bool]]:
    """The rows that may be stored, and those whose files changed too shortly before."""
    limit = -1 if now_ns is None else now_ns - RACY_NS
    settled = [max(entry.key[2:4]) < limit for entry in entries]
    for wanted in (True, False):
        kept = [entry for entry, one in zip(entries, settled, strict=True) if one is wanted]
        if kept:
            yield kept, wanted


def _source(entries: Sequence[Entry], index: Path | None) -> Source:
    """Rows in as little memory as can be, and stored in `index` unless that is None."""
    from mnist_sweep.results.index_part import Part, encoded

    try:
        name, content_ = encoded(entries)
    except (ValueError, OverflowError):  # what Parquet cannot hold
        return Stacked([entry.values for entry in entries])
    if index is not None:
        # A full disk: the answer is the same without.
        with suppress(DirectoryError):
            write_bytes(index / name, content_)
    return Part(name, content_)


@contextmanager
def _writing(paths: SweepPaths, *, wanted: bool) -> Iterator[int | None]:
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


def _clock_ns(path: Path) -> int | None:
    try:
        os.utime(path)
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _tidy(index: Path, stored: Sequence[Source], useless: Sequence[str], current: set[Key]) -> None:
    """Merge small parts where there are many, and remove what is of no use any more.

    `stored` are settled rows alone: a merge must not put others into the index.
    """
    from mnist_sweep.results.index_part import Entry, Part

    parts = {source.name: source for source in stored if isinstance(source, Part)}
    live = {
        name: [row for row, key in enumerate(part.keys) if key in current]
        for name, part in parts.items()
    }
    small = [name for name, rows in live.items() if 0 < len(rows) < PART_ROWS // 2]
    # A damaged part that was made anew has its old name.
    gone = [name for name in (*useless, *live) if not live.get(name)]
    if len(small) > MOST_SMALL:
        merged = [parts[name] for name in small]
        places = [(number, row) for number, name in enumerate(small) for row in live[name]]
        columns = Columns(merged, places)
        for start in range(0, len(places), PART_ROWS):
            block = places[start : start + PART_ROWS]
            rows = [dict(FlatRow(columns, start + offset)) for offset in range(len(block))]
            found = [merged[number].keys[row] for number, row in block]
            made = _source([Entry(*one) for one in zip(found, rows, strict=True)], index)
            if not isinstance(made, Part) or not (index / made.name).exists():
                return  # not stored: the small ones are still needed
        gone += small
    clean_temporary(index, below=False)
    for name in gone:
        with suppress(OSError):
            (index / name).unlink()
