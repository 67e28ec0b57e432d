"""A sweep's directory as one value for Python users: records, problems, and a data frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.collect import Missing, Problem, collect
from mnist_sweep.records.runs import Run, runs_of
from mnist_sweep.records.view import View

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from mnist_sweep.records.record import Record

_LARGEST_INT64 = 2**63 - 1


@dataclass(frozen=True)
class Sweep:
    """What a directory holds.

    Attributes:
        directory: The sweep's directory, or a single run's.
        records: One per run, finished or not, in the order of their directories' names; those of
            a large sweep are read from disk each time that they are asked for.
        problems: What could not be read, and why.
        missing: Planned points without a record, and why.
    """

    directory: Path
    records: Sequence[Record]
    problems: tuple[Problem, ...]
    missing: tuple[Missing, ...]

    @cached_property
    def runs(self) -> Sequence[Run]:
        """The same runs as flat values, their records read only when asked for."""
        return runs_of(self.records)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per run, failed ones included; columns are named in `results.fields`.

        Numbers that may be absent are NaN (floats) or <NA> (Int64, boolean); a missing point has
        no row, see `missing`.
        """
        return frame(self.records)


def load(directory: str | os.PathLike[str]) -> Sweep:
    """Read a sweep's directory, or a single run's.

    Raises:
        DirectoryError: It does not exist or holds nothing of ours.
    """
    found = collect(directory)
    return Sweep(found.directory, found.records, tuple(found.problems), tuple(found.missing))


def frame(records: Sequence[Record]) -> pd.DataFrame:
    """Records as a tidy data frame, one row per record; see `Sweep.frame`."""
    import pandas as pd

    view = View(runs_of(records).rows)
    columns = {name: view.values(name) for name in view.names()}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=_dtype(values)) for name, values in columns.items()}
    )


def _dtype(values: Sequence[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int} and all(abs(value or 0) <= _LARGEST_INT64 for value in values):
        return "Int64"
    if kinds and kinds <= {int, float}:
        return "float64"
    return "str" if kinds == {str} else object
