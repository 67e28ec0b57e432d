"""The worst or best configuration by a metric, among those where some conditions hold.

Runs that differ only in seed are repeats of one configuration, which counts with their mean. What
cannot be counted, because it failed, diverged or was never run, is named and never dropped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cache, cached_property, partial
from itertools import takewhile
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mnist_sweep.analysis.varying import SEED, SWEEP, settings_of
from mnist_sweep.analysis.weakest import WeakClass, weakest_classes
from mnist_sweep.analysis.where import check_keys, holding, parse, plain_rows, unmet
from mnist_sweep.errors import SelectionError
from mnist_sweep.metrics import HELD_OUT, Metric, definitions, resolve
from mnist_sweep.records.paths import RunPaths, without_seed
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.table import RunsTable, measured, plain
from mnist_sweep.settings import (
    DEFAULT_LEVEL,
    DEFAULT_MARGIN,
    DEFAULT_OBJECTIVE,
    DEFAULT_REPLICATES,
)

if TYPE_CHECKING:
    from mnist_sweep.analysis.statistics import Covers

Settings = dict[str, Any]

Direction = Literal["worst", "best"]
# Means of equal counts may differ by rounding; a real difference is one example or more.
_TIE = 1e-12
# Neighbours in the order whose settings are read together: of 100,000, twenty are named.
_BLOCK = 64
_REASONS = (
    "label", "status", "error.type", "error.message", "epochs", "epochs_trained",
    "history.val_accuracy",
)  # fmt: skip
# What the statistics of a selection depend on beside the runs.
STATISTICS = ("level", "margin", "replicates", "seed", "questions")


class Note(StrEnum):
    """What a reader of a selection must know."""

    # Its test figures are then no unbiased estimate of what it does on new images.
    SELECTED_ON_TEST = "selected on the test split"
    DIFFERENT_DATA = "the candidates saw different data"
    SINGLE_RUNS = "one run each"
    UNEQUAL_REPEATS = "unequal numbers of runs"


class Unknown(StrEnum):
    """Why the uncertainty of a selection is not known."""

    NOT_FROM_PREDICTIONS = "the metric does not follow from predictions"
    ONE_CANDIDATE = "there is only one candidate"
    TOO_MANY = "there are too many candidates"
    UNREADABLE = "predictions cannot be read or compared"
    MISMATCH = "predictions and records do not belong together"
    NOT_COMPUTED = "it was not computed"


@dataclass(frozen=True)
class Confidence:
    """What is known of one candidate beside the chosen one, see `Comparisons`."""

    probability: float  # that it is the worst (or best); over all candidates they sum to 1
    p_value: float | None  # of no difference from the chosen one; None with single runs
    p_equivalent: float | None  # of a difference beyond the margin
    distinguishable: bool
    equivalent: bool  # one that is neither is undecided


@dataclass(frozen=True)
class Candidate:
    """One configuration with its finished runs, in order of seed; `label` is without it."""

    configuration_id: str
    label: str
    run_ids: tuple[str, ...]
    seeds: tuple[int | None, ...]
    values: tuple[float, ...]
    directories: tuple[str, ...] = field(repr=False)  # where the runs' files are
    _settings: Callable[[], Settings] = field(repr=False, compare=False)
    confidence: Confidence | None = None  # where the selection's uncertainty is known

    @cached_property
    def value(self) -> float:
        """The mean over the configuration's runs."""
        return self.values[0] if len(self.values) == 1 else fmean(self.values)

    @cached_property
    def settings(self) -> Settings:
        """The settings that it uses, by dotted name, without the seed."""
        return {k: value for k, value in self._settings().items() if k not in (SEED, SWEEP)}

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The runs' whole records, read from their files."""
        return tuple(read_record(RunPaths(one).record) for one in self.directories)


class Uncounted(NamedTuple):
    """A run (or a file) without a value that could have counted: its status and the reason."""

    label: str
    status: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """What was chosen, from what, what could not be counted, and how certain that is.

    Each candidate has its confidence, or `unknown` says why there is none.
    """

    metric: Metric
    direction: Direction
    where: tuple[str, ...]
    candidates: tuple[Candidate, ...]  # the chosen one first, then in order
    uncounted: tuple[Uncounted, ...]
    weakest_split: str
    notes: tuple[Note, ...]
    runs: RunsTable = field(repr=False, compare=False)  # the candidates' rows
    unknown: Unknown | None = None
    detail: str = ""  # what exactly could not be read or does not fit
    level: float = DEFAULT_LEVEL
    margin: float = DEFAULT_MARGIN  # the largest difference that counts as none
    replicates: int = DEFAULT_REPLICATES
    seed: int = 0  # of the statistics' randomness, not of a run
    questions: int = 1  # families of tests that its p-values are corrected for, itself included
    images: int = 0
    covers: Covers | None = None
    run_ids: tuple[str, ...] | None = None  # the runs that could count; None for all

    @property
    def chosen(self) -> Candidate:
        """The selected configuration."""
        return self.candidates[0]

    @property
    def ties(self) -> tuple[Candidate, ...]:
        """Other candidates whose value equals the chosen one's."""
        value, others = self.chosen.value, self.candidates[1:]
        return (*takewhile(lambda one: math.isclose(one.value, value, rel_tol=_TIE), others),)

    @property
    def data(self) -> list[dict[str, Any]]:
        """The data the candidates were measured on, each once; `examples` of `weakest_split`."""
        once = self.runs.dropna(subset="dataset.sha256").drop_duplicates("dataset.sha256")
        columns = {f"dataset.{name}": name for name in ("name", "source", "sha256", "notice")}
        columns[f"dataset.n_{self.weakest_split}"] = "examples"
        return plain_rows(once.reindex(columns=[*columns]).rename(columns=columns))

    @cached_property
    def weakest(self) -> tuple[WeakClass, ...]:
        """The chosen configuration's weakest classes, read from its records."""
        return weakest_classes(self.chosen.records, self.weakest_split)

    @property
    def probability(self) -> float | None:
        """The probability that the selected one really is the worst (or best)."""
        return self.chosen.confidence.probability if self.chosen.confidence else None

    @property
    def others(self) -> list[tuple[Candidate, Confidence]]:
        """The other candidates, each with what is known of it."""
        return [(one, one.confidence) for one in self.candidates[1:] if one.confidence]

    @property
    def not_distinguishable(self) -> tuple[Candidate, ...]:
        """Other candidates that are not known to differ from it; with single runs all others."""
        return tuple(candidate for candidate, one in self.others if not one.distinguishable)

    @property
    def equivalent(self) -> tuple[Candidate, ...]:
        """Other candidates that are shown to lie within the margin of the selected one."""
        return tuple(candidate for candidate, one in self.others if one.equivalent)

    def to_json(self) -> dict[str, Any]:
        """The selection as plain values; `select_again` makes the same selection of it."""
        candidates: list[dict[str, Any]] = [
            {
                "configuration_id": one.configuration_id,
                "label": one.label,
                "value": one.value,
                "runs": [
                    {"run_id": run, "seed": seed, "value": value}
                    for run, seed, value in zip(one.run_ids, one.seeds, one.values, strict=True)
                ],
                **(asdict(one.confidence) if one.confidence else {}),
            }
            for one in self.candidates
        ]
        uncertainty = None
        if self.chosen.confidence:
            uncertainty = {
                "probability": self.probability,
                "not_distinguishable": [one.configuration_id for one in self.not_distinguishable],
                "equivalent": [one.configuration_id for one in self.equivalent],
                "covers": self.covers,
                "images": self.images,
                "repeats": len(self.chosen.values),
            }
        return {
            "metric": self.metric.name,
            "split": self.metric.split,
            "higher_is_better": self.metric.higher_is_better,
            "direction": self.direction,
            "where": list(self.where),
            "chosen": candidates[0],
            "candidates": candidates,
            "ties": [tie.configuration_id for tie in self.ties],
            "uncounted": [run._asdict() for run in self.uncounted],
            "weakest_split": self.weakest_split,
            "weakest": [
                {"label": one.label, "f1": one.f1}
                | {
                    name: [{"label": k, "count": n} for k, n in getattr(one, name)]
                    for name in ("mistaken_for", "taken_for_it")
                }
                for one in self.weakest
            ],
            "data": self.data,
            "notes": [str(note) for note in self.notes],
            "configuration_id": self.chosen.configuration_id,
            "run_ids": None if self.run_ids is None else list(self.run_ids),
            **{name: getattr(self, name) for name in STATISTICS},
            "uncertainty": uncertainty,
            "uncertainty_unknown": None if self.unknown is None else str(self.unknown),
        }


def select(
    runs: RunsTable,
    where: Sequence[str] = (),
    by: str = DEFAULT_OBJECTIVE,
    direction: Direction = "worst",
    *,
    split: str = "validation",
) -> Selection:
    """Select a configuration among the runs for which all conditions hold.

    `by` is a metric (see `metrics.resolve`), of a class also by name: `f1.shirt`; `split` counts
    for one that names none. If nothing with a value matches, it is a SelectionError.
    """
    known = runs["dataset.classes"].dropna() if "dataset.classes" in runs else ()
    conditions = parse(where)
    check_keys(conditions, runs.columns)
    matching = runs[holding(conditions, runs)] if conditions else runs
    by = _numbered(by, matching)
    metric = resolve(by, split, int(max(known)) if len(known) else None, measured(runs))
    has_value = matching.reindex(columns=[metric.column])[metric.column].notna()
    is_counted = has_value & (matching["status"] == RunStatus.FINISHED)
    counted = matching if is_counted.all() else matching[is_counted]
    uncounted = tuple(
        Uncounted(row["label"], row["status"], reason_of(row, metric))
        for row in plain_rows(matching[~is_counted].reindex(columns=_REASONS))
    )
    if counted.empty:
        met = f" where {' and '.join(one.text for one in conditions)}" if conditions else ""
        if not uncounted:
            there = unmet(conditions, runs)
            raise SelectionError(
                f"Expected records{met}, but none of {len(runs)} matches{there and ': '}{there}. "
                "Widen --where, or list the runs with the table command."
            )
        label, status, why = uncounted[0]
        raise SelectionError(
            f"Expected a finished run{met} with a value of {metric}, but all that match "
            f"({len(uncounted)}) have none; the first, {label}, is {status}: {why}. Run them "
            "again, or widen --where."
        )
    downward = metric.higher_is_better == (direction == "best")
    candidates = _candidates(counted, metric.column, downward=downward)
    repeats = {len(one.values) for one in candidates}
    notes = {
        Note.SELECTED_ON_TEST: metric.split == "test",
        Note.DIFFERENT_DATA: len(set(counted["dataset.sha256"])) > 1,
        Note.SINGLE_RUNS: len(candidates) > 1 and repeats == {1},
        Note.UNEQUAL_REPEATS: len(repeats) > 1,
    }
    return Selection(
        metric, direction, tuple(where), candidates, uncounted,
        weakest_split=metric.split if metric.split in HELD_OUT else split,
        notes=tuple(note for note, holds in notes.items() if holds), runs=counted,
    )  # fmt: skip


def _numbered(by: str, runs: RunsTable) -> str:
    """A metric of one class with the class's number, where it is given by its name: f1.shirt."""
    of_class = "|".join(name for name, one in definitions().items() if one.class_values)
    split = "|".join(HELD_OUT)
    found = re.fullmatch(
        rf"(?P<metric>((highest|lowest):)?(({split})\.)?({of_class})\.)(?P<name>.+)", by
    )
    if found is None or found["name"].isdecimal():
        return by
    name, finished = found["name"], runs[runs["status"] == RunStatus.FINISHED]
    directories = finished.drop_duplicates("dataset.sha256")["directory"]
    named = {tuple(read_record(RunPaths(one).record).data.class_names) for one in directories}
    if not any(named):
        return by
    numbers = {own.index(name) if name in own else -1 for own in named}
    if len(numbers) == 1 and -1 not in numbers:
        return f"{found['metric']}{numbers.pop()}"
    if len(named) > 1:
        raise SelectionError(
            f"{by!r} is not the same class in all of the data that these runs were trained on. "
            "Choose runs of one dataset, or give the class's number."
        )
    known = ", ".join(named.pop())
    raise SelectionError(f"No metric {by!r}: no class is called {name!r}. The classes are {known}.")


def _candidates(runs: RunsTable, column: str, *, downward: bool) -> tuple[Candidate, ...]:
    """The configurations by their means, equal ones by label."""
    # As lists: a group of pandas' for each of 100,000 configurations takes minutes.
    run_ids, labels, directories, values = (
        plain(runs[name]) for name in ("run_id", "label", "directory", column)
    )
    seeds = plain(runs[SEED]) if SEED in runs else [None] * len(runs)
    places: dict[str, list[int]] = {}
    for place, configuration_id in enumerate(plain(runs["configuration_id"])):
        places.setdefault(configuration_id, []).append(place)
    for own in places.values():
        own.sort(key=lambda place: (seeds[place] or 0, run_ids[place]))
    sign = -1 if downward else 1

    def rank(own: list[int]) -> tuple[float, str]:
        return sign * fmean(float(values[place]) for place in own), without_seed(labels[own[0]])

    ordered = sorted(places.values(), key=rank)

    @cache
    def block(start: int) -> list[Settings]:
        return settings_of(runs.iloc[[own[0] for own in ordered[start : start + _BLOCK]]])

    def setting_of(number: int) -> Settings:
        return block(number - number % _BLOCK)[number % _BLOCK]

    ids = plain(runs["configuration_id"])
    return tuple(
        Candidate(
            ids[own[0]],
            without_seed(labels[own[0]]),
            tuple(run_ids[place] for place in own),
            tuple(seeds[place] for place in own),
            tuple(float(values[place]) for place in own),
            tuple(directories[place] or "" for place in own),
            partial(setting_of, number),
        )
        for number, own in enumerate(ordered)
    )


def error_of(row: Mapping[str, Any]) -> str:
    """'MemoryError: out of memory' of a row of the runs table; empty where it has no error."""
    return ": ".join(str(text) for n in ("type", "message") if (text := row.get(f"error.{n}")))


def reason_of(row: Mapping[str, Any], metric: Metric | None = None) -> str:
    """Why a run has no value, or of a finished one no value of `metric`, in a few words."""
    if row["status"] == RunStatus.PRUNED:
        epochs, accuracy = row.get("epochs"), row.get("history.val_accuracy")
        of_all = f" of {epochs}" if epochs else ""
        reached = f", validation accuracy {100 * accuracy:.1f} %" if accuracy else ""
        return f"after epoch {row.get('epochs_trained')}{of_all}{reached}"
    return error_of(row) or (f"has no finite {metric}" if metric else "no reason recorded")
