"""A run as the index knows it: flat values at hand, its record where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnist_sweep.errors import DirectoryError
from mnist_sweep.results.fields import settings_names
from mnist_sweep.results.parse import content, parse, reason
from mnist_sweep.results.paths import RunPaths
from mnist_sweep.results.runs import Run

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from mnist_sweep.results.columns import FlatRow
    from mnist_sweep.results.fields import Flat, FlatValues
    from mnist_sweep.results.index_part import Key
    from mnist_sweep.results.record import Record

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


def key_of(name: str, status: os.stat_result) -> Key:
    """What tells the record of the run directory `name` from every other state of it."""
    # Some network file systems number with all 64 bits, Windows with 128; a column holds 63.
    inode = status.st_ino & _LARGEST_INODE
    return (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)
