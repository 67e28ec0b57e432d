"""The rows of a comparison: every run of some directories, or configurations with their means.

Runs that differ only in seed are repeats of one configuration; where there are any, the rows are
configurations. Runs without a result stay, with the reason: nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from mnist_sweep.analysis.configurations import groups
from mnist_sweep.analysis.selection import reason_of
from mnist_sweep.analysis.varying import SEED, in_order, order
from mnist_sweep.analysis.where import check_keys, holding, parse
from mnist_sweep.errors import DirectoryError, SelectionError, UsageError
from mnist_sweep.metrics import closest, definitions, resolve
from mnist_sweep.records.paths import RunPaths, without_seed
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.table import RunsTable, plain, typed
from mnist_sweep.reporting.phrases.names import class_name, class_word, repeats_reason
from mnist_sweep.reporting.tables.table import Rows

# The column with the number of finished runs of a configuration.
REPEATS = "repeats"
# The status of a configuration of which some runs finished and others did not.
PARTIAL = "partial"

_OF_ONE_RUN = (SEED, "run_id", "directory")
_NO_MEANS = ("error.", "environment.", "training.")
_SPLITS = ("train.", "validation.", "test.", "history.")
_REASONS = (
    "status", "error.type", "error.message", "epochs", "epochs_trained", "history.val_accuracy",
)  # fmt: skip


def rows_to_compare(all_runs: RunsTable, where: Sequence[str], *, runs: bool) -> Rows:
    """The rows for which all conditions hold; those on results hold or not of the means."""
    conditions = parse(where)
    check_keys(conditions, all_runs.columns)
    # Leaving out single repeats by their results would make the mean of the others a wrong one.
    on_settings = [one for one in conditions if not is_result(one.key)]
    on_results = [one for one in conditions if is_result(one.key)]
    found = all_runs
    if on_settings:
        found = all_runs[holding(on_settings, all_runs)].reset_index(drop=True)
    members = [] if runs else groups(found)
    rows = Rows(found.assign(reason=typed(_reasons(found), "reason")), found)
    if any(len(places) > 1 for places in members):
        rows = _configurations(rows.frame, members)
    kept = holding(on_results, rows.frame)
    return rows if all(kept) else rows.take([k for k, holds in enumerate(kept) if holds])


def ordered(rows: Rows, settings: Sequence[str], by: str | None) -> Rows:
    """The rows by some settings, or by `KEY` or `KEY,desc`; rows without the value come last."""
    if not by:
        return rows.take(order(rows.frame, settings))
    frame = in_order(rows.frame, settings)
    key, _, direction = (part.strip() for part in by.partition(","))
    if direction not in ("", "asc", "desc"):
        raise UsageError(f"Expected --sort KEY or --sort KEY,desc, got {by!r}.")
    column = column_of(key, rows, "--sort")
    is_missing = frame[column].isna()
    step = -1 if direction == "desc" else 1  # equal ones stay in the order of their settings
    known = in_order(frame[~is_missing].iloc[::step], [column]).iloc[::step]
    return rows.take([*known.index, *frame.index[is_missing]])


def column_of(key: str, rows: Rows, option: str) -> str:
    """The column that `key` means; a metric without a split is the test split's."""
    known = rows.frame.columns
    if key in known:
        return key
    if key in rows.runs.columns:
        raise UsageError(
            f"Rows are configurations here, and {key} belongs to a single run: add --runs for one "
            "row per run."
        )
    with suppress(SelectionError):
        if (column := resolve(key, "test").column) in known:
            return column
    raise UsageError(f"In {option}: no such setting or metric as {key}; {closest(key, known)}")


def is_result(column: str) -> bool:
    """Whether a column is of a number that a run brought out."""
    metric = definitions().get(column)
    return column.startswith((*_SPLITS, "time.")) or bool(metric and not metric.splits)


def _reasons(runs: RunsTable) -> list[str]:
    names = [name for name in _REASONS if name in runs]

    @cache  # of 100,000 runs there are a few
    def reason(end: tuple[Any, ...]) -> str:
        row = dict(zip(names, end, strict=True))
        return "" if row["status"] == RunStatus.FINISHED else reason_of(row)

    return [*map(reason, zip(*(plain(runs[name]) for name in names), strict=True))]


def _configurations(runs: RunsTable, members: Sequence[list[int]]) -> Rows:
    """One row per configuration of each directory: settings, and means over finished runs."""
    import numpy as np

    seeds, labels, statuses, reasons = (plain(runs[n]) for n in (SEED, "label", "status", "reason"))
    members = [
        sorted(own, key=lambda k: (seeds[k] or 0, labels[k])) if own[1:] else own for own in members
    ]
    is_finished = np.array([status == RunStatus.FINISHED for status in statuses])
    number = np.empty(len(runs), dtype=int)
    for group, places in enumerate(members):
        number[places] = group
    results = [c for c in runs.columns if is_result(c) and runs[c].dtype.kind in "if"]
    by_group = runs.loc[is_finished, results].groupby(number[is_finished])
    every = range(len(members))
    means, spread = by_group.mean().reindex(every), by_group.std().reindex(every)
    first = [next((k for k in places if is_finished[k]), places[0]) for places in members]
    dropped = [c for c in runs if c in (*_OF_ONE_RUN, *results) or str(c).startswith(_NO_MEANS)]
    frame = runs.drop(columns=dropped).iloc[first].reset_index(drop=True)
    ends = [_status_of([(seeds[k], statuses[k], reasons[k]) for k in own]) for own in members]
    for name in results:
        known = means[name].dropna()
        if len(known) and (known % 1 == 0).all() and means[name].dtype == "Float64":
            means[name] = means[name].astype("Int64")  # a mean over equal counts is a count
    # Joined at once: pandas needs a millisecond for every column that is assigned.
    frame = frame.join(means).assign(
        label=typed([without_seed(str(label)) for label in frame["label"]], "label"),
        repeats=np.bincount(number[is_finished], minlength=len(members)),
        status=[status for status, _ in ends],
        reason=typed([reason for _, reason in ends], "reason"),
    )
    return Rows(frame, runs, tuple(members), spread)


def _status_of(runs: Sequence[tuple[Any, str, str]]) -> tuple[str, str]:
    """Finished if all are, the one status they share, or partial; and the reasons of the others."""
    others = [run for run in runs if run[1] != RunStatus.FINISHED]
    if not others:
        return RunStatus.FINISHED, ""
    statuses = {status for _, status, _ in others}
    finished = len(runs) - len(others)
    status = PARTIAL if finished or len(statuses) > 1 else statuses.pop()
    return status, others[0][2] if len(runs) == 1 else repeats_reason(finished, len(runs), others)


class Classes(NamedTuple):
    """'digit' or 'class', and the names by label; numbers where the data have no names."""

    word: str = "class"
    names: tuple[str, ...] = ()

    def name(self, label: int | str) -> str:
        """What the class of a label is called."""
        place = int(label)
        return self.names[place] if place < len(self.names) else str(label)


NUMBERED = Classes()


def classes_of(runs: RunsTable) -> Classes:
    """What the classes of these runs' data are called; numbers if the datasets disagree."""
    if "dataset.sha256" not in runs:
        return NUMBERED
    once = runs.dropna(subset=["dataset.sha256"]).drop_duplicates("dataset.sha256")
    words = {class_word(name) for name in once["dataset.name"]}
    names = set()
    for directory in once["directory"]:
        with suppress(DirectoryError):  # the table has what is known of a run whose record is gone
            data = read_record(RunPaths(directory).record).data
            names.add(tuple(class_name(data, label) for label in range(data.classes)))
    word = words.pop() if len(words) == 1 else "class"
    return Classes(word, names.pop() if len(names) == 1 else ())
