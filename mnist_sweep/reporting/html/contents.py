"""What stands in the page, apart from how it looks: plain values for the template."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.varying import MODEL, is_setting
from mnist_sweep.metrics import HELD_OUT, of_split
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.records.table import RunsTable, plain
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.figures.matrices import class_names, confusion_of, with_classes
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases import report as phrases
from mnist_sweep.reporting.phrases.names import data_name, text_of
from mnist_sweep.reporting.phrases.tables import data_warning
from mnist_sweep.reporting.tables.table import Table

# The test split first: a report is about new images.
SPLITS = tuple(reversed(HELD_OUT))
_STARTED = "environment.started_at"
_MAX_TRACEBACK = 4000
_MAX_FAILURES = 200


class Failure(NamedTuple):
    """A run or file without a result: what it is, and why; also a run that was stopped early."""

    label: str
    status: str
    reason: str
    traceback: str = ""


class Failures(NamedTuple):
    """The first of some failures, and how many there are."""

    shown: Sequence[Failure]
    total: int


def facts(
    sweeps: Sequence[Sweep], runs: RunsTable, shown: Sequence[Configuration]
) -> list[tuple[str, str]]:
    """Date, data and commands, as (name, text)."""
    times = runs[_STARTED].dropna() if _STARTED in runs else ()
    data = dict.fromkeys(data_name(*one.data) for one in shown)
    found = [("Date", phrases.date(min(times)))] if len(times) else []
    found.append(("Data", " and ".join(data) or "unknown"))
    commands = [sweep.plan.last for sweep in sweeps if sweep.plan]
    words = [[*last.hydra_overrides, *last.overrides] for last in commands if last]
    return found + [
        ("Command", visible(f"mnist-sweep -m {shlex.join(own)}")) for own in words if own
    ]


def busy_s(runs: RunsTable) -> float:
    """Seconds in which at least one run was at work; days between two commands do not count."""
    import pandas as pd

    known = runs.reindex(columns=[_STARTED, "time.total_s"]).dropna()
    starts = [datetime.fromisoformat(at).timestamp() for at in known[_STARTED]]
    spans = pd.DataFrame({"start": starts, "took": known["time.total_s"].to_numpy(float)})
    spans = spans.sort_values("start")
    end = spans["start"] + spans["took"]
    begun = np.maximum(spans["start"], end.cummax().shift(fill_value=-np.inf))
    return float((end - begun).clip(lower=0).sum())


def networks(shown: Sequence[Configuration]) -> list[dict[str, Any]]:
    """The networks of the switch: every configuration, and each run of those with repeats.

    `test` and `validation` hold `counts[true][predicted]`, `runs` how many runs are added.
    """

    def network(name: str, records: Sequence[Record], configuration: str = "") -> dict[str, Any]:
        counts = {split: confusion_of(records, split).tolist() for split in SPLITS}
        names = class_names(records[0])
        return {"name": name, "runs": len(records), "of": configuration, "names": names, **counts}

    made = []
    for one in with_classes(shown):
        count = len(one.records)
        name = f"{one.name} ({count} runs added)" if count > 1 else one.name
        made.append(network(name, one.records, one.name))
        if count > 1:
            made += [network(f"{one.name}, seed {run.seed}", [run]) for run in one.records]
    return made


def row_columns(tables: Sequence[Table], shown: Sequence[Configuration]) -> dict[str, list[Any]]:
    """The tables' rows by column, to sort and filter; `#` is the row's place in `shown`, or -1."""
    if not tables:
        return {}
    rows = tables[0].content
    keys = dict.fromkeys(("label", "run_id", "status", "parameters", "time.total_s"))
    keys |= dict.fromkeys(f"{split}.{one.name}" for split in SPLITS for one in of_split(split))
    columns = {key: [*map(_plain, rows.values(key))] for key in keys}
    for table in tables:
        for column, cells in zip(table.columns, table.by_column(), strict=True):
            columns[column.key] = [*map(_plain, cells.values)]
    place = {(c.sweep, c.configuration_id): index for index, c in enumerate(shown)}
    own = zip(rows.values("sweep"), rows.values("configuration_id"), strict=True)
    return {**columns, "#": [place.get(key, -1) for key in own]}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}")  # a page of many runs is half as large
    return text_of(value) if not isinstance(value, str) else shortened(visible(value), 120)


def notices(rows: RunsTable) -> list[tuple[str, str]]:
    """What has to be known of each dataset: in a line, and in full where that says more."""
    data = rows.reindex(columns=["dataset.name", "dataset.notice"]).dropna().drop_duplicates()
    full = [visible(str(notice)) for notice in data["dataset.notice"]]
    short = [
        data_warning(str(name), notice, "mnist-sweep data mnist")  # for any machine
        for name, notice in zip(data["dataset.name"], full, strict=True)
    ]
    return [(a, "" if a == b else b) for a, b in zip(short, full, strict=True)]


def failures(rows: RunsTable, sweeps: Sequence[Sweep]) -> Failures:
    """Runs without a result, in the tables' order, and files that cannot be read; missing last."""
    problems = [
        Failure(visible(str(problem.path)), RunStatus.UNREADABLE, visible(problem.reason))
        for sweep in sweeps
        for problem in sweep.problems
    ]
    status = rows["status"]
    is_missing = status == RunStatus.MISSING
    others = rows[~(status.isin((RunStatus.FINISHED, RunStatus.PRUNED)) | is_missing)]
    shown = [*_ends(others, sweeps), *problems, *_ends(rows[is_missing], ())][:_MAX_FAILURES]
    return Failures(shown, len(others) + len(problems) + int(is_missing.sum()))


def stopped(rows: RunsTable) -> Failures:
    """Runs that were stopped early (pruned), in the tables' order: no failures."""
    pruned = rows[rows["status"] == RunStatus.PRUNED]
    return Failures(_ends(pruned, ()), len(pruned))


def _ends(rows: RunsTable, sweeps: Sequence[Sweep]) -> list[Failure]:
    """How runs ended, fit to be shown; a traceback with its line breaks, and its end kept."""
    found = []
    # Very many failures make a page that no browser shows; the table command has them all.
    columns = rows[["label", "run_id", "status", "reason"]].head(_MAX_FAILURES)
    for values in columns.itertuples(index=False):
        label, run_id, status, reason = map(str, values)  # pandas' own text is UTF-8
        traceback = ""
        if status == RunStatus.FAILED:
            sweep = next(one for one in sweeps if run_id in one.frame["run_id"].to_numpy())
            error = sweep.record(run_id).error
            text = error.traceback if error else None
            traceback = "\n".join(map(visible, (text or "").splitlines()))
        if len(traceback) > _MAX_TRACEBACK:
            traceback = f"…{traceback[-_MAX_TRACEBACK:]}"
        why = shortened(visible(reason), phrases.MAX_VALUE)
        found.append(Failure(visible(label), status, why, traceback))
    return found


def common_settings(runs: RunsTable) -> list[tuple[str, str]]:
    """Settings that all records share, as (name, value); what varies stands in the tables."""
    common = {
        name: plain(runs[name])[0]
        for name in map(str, runs)
        if is_setting(name) and len(runs[name].astype(str).unique()) == 1
    }
    # Those that a network takes over from the top (model.layers) are told once.
    twice = {f"{MODEL}.{name}" for name, value in common.items()
             if common.get(f"{MODEL}.{name}", ...) == value}  # fmt: skip
    return [
        (phrases.setting_name(name), shortened(setting(value), phrases.MAX_VALUE))
        for name, value in common.items()
        if name not in twice
    ]


def environments(runs: RunsTable) -> list[tuple[str, str]]:
    """Where the runs were carried out: each fact with its values over all records."""
    own = runs.filter(regex=r"^environment\.")
    known = {str(n).partition(".")[2]: own[n].dropna().unique().tolist() for n in own}
    return [phrases.environment_fact(name, values) for name, values in known.items() if values]
