"""Rows of records as they were read: what the runs table is made of, and what the cache keeps.

A column has a type only where all values have this type, so nothing is lost: of 1 and 0.5 the runs
table makes floats, and once the run with 0.5 is gone 1 is an int again. Which names a row has is
kept too: a column goes with the last run that has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from mnist_sweep.records.fields import exact_frame, exactly_stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mnist_sweep.records.fields import Flat


@dataclass(frozen=True)
class Rows:
    """Rows of some records."""

    names: list[str]  # the names of the run directories
    keys: list[str]  # keys that distinguish the state of a run's files from every other one
    # The time at which the latest of these files was changed; 0 for stored rows.
    latest_ns: list[int]
    kinds: list[tuple[str, ...]]  # the combinations of columns that rows have
    kind_of: list[int]  # the place in `kinds` of each row
    table: pd.DataFrame  # the values; None or missing where a row has none

    def take(self, places: Sequence[int]) -> Rows:
        """Some of the rows, in that order."""
        if len(places) == len(self.keys) and all(map(int.__eq__, places, range(len(places)))):
            return self
        used = sorted({self.kind_of[place] for place in places})
        number = {kind: place for place, kind in enumerate(used)}
        kinds = [self.kinds[kind] for kind in used]
        kind_of = [number[self.kind_of[place]] for place in places]
        present = {*chain.from_iterable(kinds)}
        columns = [place for place, name in enumerate(self.table) if name in present]
        return replace(
            self,
            names=[self.names[place] for place in places],
            keys=[self.keys[place] for place in places],
            latest_ns=[self.latest_ns[place] for place in places],
            kinds=kinds,
            kind_of=kind_of,
            table=self.table.iloc[list(places), columns].reset_index(drop=True),
        )


def rows_of(names: list[str], keys: list[str], latest_ns: list[int], rows: list[Flat]) -> Rows:
    """Flat rows, with the other attributes of `Rows`."""
    kinds: dict[tuple[str, ...], int] = {}
    kind_of = [kinds.setdefault(tuple(row), len(kinds)) for row in rows]
    return Rows(names, keys, latest_ns, [*kinds], kind_of, exact_frame(rows))


def stacked(parts: Sequence[Rows]) -> Rows:
    """Rows one below the other."""
    if len(parts) == 1:
        return parts[0]
    kinds: dict[tuple[str, ...], int] = {}
    kind_of = []
    for part in parts:
        own = [kinds.setdefault(kind, len(kinds)) for kind in part.kinds]
        kind_of += [own[kind] for kind in part.kind_of]
    return Rows(
        names=[*chain.from_iterable(part.names for part in parts)],
        keys=[*chain.from_iterable(part.keys for part in parts)],
        latest_ns=[*chain.from_iterable(part.latest_ns for part in parts)],
        kinds=[*kinds],
        kind_of=kind_of,
        table=exactly_stacked([part.table for part in parts]),
    )
