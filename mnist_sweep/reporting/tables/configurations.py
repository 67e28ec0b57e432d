"""Finished runs grouped into configurations, named by what tells them apart.

Figures and the report's plots show configurations; runs that differ only in seed are repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mnist_sweep.records.columns import with_values
from mnist_sweep.records.paths import without_seed
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.tables.rows import SWEEP, RunRow, ordered, varying

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mnist_sweep.records.fields import FlatValues
    from mnist_sweep.records.record import Record
    from mnist_sweep.records.sweep import Sweep

SEED = "seed"
BY = "validation.f1_min"
"""Configurations are ranked by this where only some can be shown."""

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Configuration:
    """One configuration of one sweep with its finished runs, in order of seed.

    Attributes:
        name: What a person calls it: '2 layers x 300 nodes, dropout=0.2'; one line, unescaped.
        key: Letters, digits, `=`, `,`, `.`, `-`; different for every configuration: for file names.
        rows: The runs as flat rows (see `results.fields`).
        records: The runs' records.
        directories: The runs' directories.
    """

    name: str
    key: str
    rows: tuple[RunRow, ...] = field(repr=False)
    records: tuple[Record, ...] = field(repr=False)
    directories: tuple[Path, ...] = field(repr=False)

    @property
    def settings(self) -> FlatValues:
        """The settings and everything else of the first run, flat."""
        return self.rows[0].values

    def values(self, column: str) -> list[float]:
        """A metric of each run that has it."""
        found = [row.values.get(column) for row in self.rows]
        return [float(value) for value in found if value is not None]

    def mean(self, column: str) -> float | None:
        """The mean of a metric over the runs that have it, or None."""
        values = self.values(column)
        return fmean(values) if values else None

    @property
    def data_name(self) -> str:
        """The data, for a title: 'MNIST', or loudly that bundled digits stand in for it."""
        data = self.records[0].data
        if data.name == "digits" and data.notice:
            return "bundled digits (NOT MNIST)"
        return "MNIST" if data.name == "mnist" else visible(data.name)


def configurations(sweeps: Sequence[Sweep]) -> list[Configuration]:
    """All configurations with a finished run, in the order of the tables.

    Args:
        sweeps: What was loaded from one or several directories.
    """
    known: dict[int, tuple[Path, Record, Path]] = {}
    rows = []
    for sweep in sweeps:
        name = {SWEEP: sweep.directory.name or str(sweep.directory)}
        for run in sweep.runs:
            if run.status == "finished":
                row = RunRow(with_values(run.values, name), run.status, "")
                known[id(row)] = (sweep.directory, run.record, run.directory or sweep.directory)
                rows.append(row)
    shown = varying(rows)
    groups: dict[tuple[Path, str], list[RunRow]] = {}
    for row in ordered(rows, None, shown):
        sweep_directory, record, _ = known[id(row)]
        groups.setdefault((sweep_directory, record.configuration_id), []).append(row)
    names = _distinct([_name(group[0], shown) for group in groups.values()])
    keys = _distinct([_key(group[0].values) for group in groups.values()])
    made = []
    for called, key, group in zip(names, keys, groups.values(), strict=True):
        found = [known[id(row)] for row in group]
        records = tuple(record for _, record, _ in found)
        made.append(Configuration(called, key, tuple(group), records, tuple(p for *_, p in found)))
    return made


def has_repeats(shown: Sequence[Configuration]) -> bool:
    """Whether any configuration has more than one run."""
    return any(len(configuration.records) > 1 for configuration in shown)


def extremes(shown: Sequence[Configuration], count: int) -> list[Configuration]:
    """At most `count` configurations: all, or the best and the worst half by `BY`, in order."""
    ranked = [c for c in shown if c.mean(BY) is not None]
    if len(shown) <= count:
        return list(shown)
    ranked.sort(key=lambda configuration: configuration.mean(BY) or 0.0)
    kept = ranked[: count // 2] + ranked[len(ranked) - (count - count // 2) :]
    return [configuration for configuration in shown if configuration in kept]


def extent(part: Sequence[Configuration], whole: Sequence[Configuration]) -> str:
    """Words that say which part is shown; empty if it is all."""
    if len(part) == len(whole):
        return ""
    return f"the best and worst {len(part)} of {len(whole):,} by validation f1_min"


def varying_settings(shown: Sequence[Configuration]) -> list[str]:
    """Names of the settings in which the configurations differ, without the seed."""
    rows = [configuration.rows[0] for configuration in shown]
    names = [name for name in varying(rows) if name not in (SEED, SWEEP)]
    return [name for name in names if len({_text(row, name) for row in rows}) > 1]


def text_of(value: Any) -> str:
    """A setting's value as short text for an axis or a legend."""
    return shortened(setting(value), 24)


def _name(row: RunRow, shown: Sequence[str]) -> str:
    values = row.values
    layers, nodes = values.get("layers"), values.get("nodes")
    size = f"{setting(layers)} layer{'' if layers == 1 else 's'} x {setting(nodes)} nodes"
    others = [name for name in shown if name not in ("layers", "nodes", SEED)]
    parts = [size, *(f"{name}={text_of(values.get(name))}" for name in others)]
    return shortened(visible(", ".join(parts)), _LONGEST_NAME)


def _key(values: FlatValues) -> str:
    label = without_seed(str(values.get("label")))
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "=,.") else "-" for c in label)
    return f"{safe.strip('.-')[:80]}-{str(values.get('configuration_id'))[:12]}".strip("-")


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, repeated ones numbered."""
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        made.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return made


def _text(row: RunRow, name: str) -> str:
    return setting(row.values.get(name))
