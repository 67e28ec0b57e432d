"""Runs as the index knows them: flat values at hand, their records where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.columns import picker
from mnist_sweep.records.fields import settings_names
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.reading import content, parse, reason
from mnist_sweep.records.runs import Run, Runs
from mnist_sweep.records.view import values_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from mnist_sweep.records.columns import FlatRow, FlatRows
    from mnist_sweep.records.fields import Flat, FlatValues
    from mnist_sweep.records.index_part import Key
    from mnist_sweep.records.record import Record

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
        if status is None or key_of(self._key[0], status) != self._key:
            raise DirectoryError(
                f"Expected the record at {path} to stay as it was, but it was changed during this "
                "command; run it again."
            )
        return record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IndexedRun):
            return NotImplemented
        return (self._key, self._runs) == (other._key, other._runs)

    def __hash__(self) -> int:
        return hash(self._key)

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


class IndexedRuns(Runs):
    """Runs as the index knows them: 100,000 objects are made of them only if all are asked for.

    Args:
        rows: Their flat values.
        keys: Of the file of each.
        runs: The directory of the run directories.
    """

    def __init__(self, rows: FlatRows, keys: Sequence[Key], runs: Path) -> None:
        self._rows, self._keys, self._directory = rows, keys, runs

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        if isinstance(index, slice):
            return self.pick(range(len(self))[index])
        return IndexedRun(self._rows[index], self._keys[index], self._directory)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def rows(self) -> FlatRows:
        """The flat values of each."""
        return self._rows

    @property
    def run_ids(self) -> Sequence[str]:
        """The id of each."""
        return values_of(self._rows, "run_id")

    def pick(self, places: Sequence[int]) -> IndexedRuns:
        """Those at some places, in that order."""
        return IndexedRuns(self._rows.pick(places), picker(places)(self._keys), self._directory)


def key_of(name: str, status: os.stat_result) -> Key:
    """What tells the record of the run directory `name` from every other state of it."""
    # Some network file systems number with all 64 bits, Windows with 128; a column holds 63.
    inode = status.st_ino & _LARGEST_INODE
    return (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)
