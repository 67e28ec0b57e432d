"""Runs as readers ask for them: flat values at hand, the whole record when it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from mnist_sweep.records.fields import Flat, FlatValues, flat, flat_settings

if TYPE_CHECKING:
    from pathlib import Path

    from mnist_sweep.records.record import Record


class Run:
    """One run, its record at hand; its directory is None if it came without a place."""

    __slots__ = ("_directory", "_record", "_values")

    def __init__(self, record: Record, directory: Path | None = None) -> None:
        self._record, self._directory = record, directory
        self._values: FlatValues | None = None

    @property
    def directory(self) -> Path | None:
        """Where the run's files are."""
        return self._directory

    @property
    def record(self) -> Record:
        """The whole record."""
        return self._record

    @property
    def values(self) -> FlatValues:
        """The record as a flat row, see `results.fields`."""
        if self._values is None:
            self._values = flat(self._record)
        return self._values

    @property
    def settings(self) -> Flat:
        """Its settings alone, flat."""
        return flat_settings(self._record.config)

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._record.run_id

    @property
    def configuration_id(self) -> str:
        """The id of its configuration."""
        return self._record.configuration_id

    @property
    def label(self) -> str:
        """Its readable name."""
        return self._record.label

    @property
    def status(self) -> str:
        """How it ended."""
        return self._record.status

    @property
    def seed(self) -> int | None:
        """Its seed, or None where its settings hold none."""
        return self._record.seed

    @property
    def error(self) -> tuple[str, str] | None:
        """The type and the message of its error, if it had one."""
        found = self._record.error
        return (found.type, found.message) if found else None


class Runs(Sequence[Run]):
    """Some runs in order; those of a large sweep are made when they are asked for."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        if isinstance(index, slice):
            return self.pick(range(len(self))[index])
        return self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __repr__(self) -> str:
        return f"<{len(self)} runs>"

    @property
    def rows(self) -> Sequence[FlatValues]:
        """The flat values of each."""
        return [run.values for run in self._runs]

    @property
    def run_ids(self) -> Sequence[str]:
        """The id of each."""
        return [run.run_id for run in self._runs]

    def pick(self, places: Sequence[int]) -> Runs:
        """Those at some places, in that order."""
        return Runs([self._runs[place] for place in places])


class Records(Sequence["Record"]):
    """The records of some runs, each read when it is asked for if it was not before."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = runs if isinstance(runs, Runs) else Runs(runs)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Records: ...
    def __getitem__(self, index: int | slice) -> Record | Records:
        if isinstance(index, slice):
            return Records(self.runs[index])
        return self.runs[index].record

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Record]:
        return (run.record for run in self.runs)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Records, tuple, list)):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} records>"


def runs_of(records: Sequence[Record]) -> Runs:
    """The runs that records belong to."""
    return records.runs if isinstance(records, Records) else Runs(map(Run, records))
