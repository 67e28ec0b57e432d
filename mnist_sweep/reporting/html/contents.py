"""What stands in the page, apart from how it looks: plain values for the template."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.varying import is_setting
from mnist_sweep.errors import DirectoryError
from mnist_sweep.metrics import HELD_OUT, of_split
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.figures.gallery import Gallery
from mnist_sweep.reporting.figures.matrices import confusion_of
from mnist_sweep.reporting.html.embed import png_uri
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases import report as phrases
from mnist_sweep.reporting.phrases.names import data_name, text_of
from mnist_sweep.reporting.phrases.overview import data_warning
from mnist_sweep.reporting.tables.table import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPLITS = tuple(reversed(HELD_OUT))
"""The test split first: a report is about new images."""
_ENDS = ("label", "run_id", "status", "reason")
_MAX_TRACEBACK = 4000
_MAX_FAILURES = 200


@dataclass(frozen=True)
class Failure:
    """A run or file without a result: what it is, and why; also a run that was stopped early."""

    label: str
    status: str
    reason: str
    traceback: str = ""


def facts(sweeps: Sequence[Sweep], shown: Sequence[Configuration]) -> list[tuple[str, str]]:
    """Date, data and command, as (name, text)."""
    runs = _together(sweeps)
    started = "environment.started_at"
    times = sorted(runs[started].dropna()) if started in runs else []
    data = list(dict.fromkeys(data_name(*one.data) for one in shown))
    found = [("Date", phrases.date(times[0]))] if times else []
    found.append(("Data", " and ".join(data) or "unknown"))
    for sweep in sweeps:
        try:
            last = read_plan(sweep.directory).last
        except (OSError, ValueError, DirectoryError):
            continue  # the problems say so
        words = [*last.hydra_overrides, *last.overrides] if last else []
        if words:
            found.append(("Command", phrases.command(words)))
    return found


def busy_s(sweeps: Sequence[Sweep]) -> float:
    """Seconds in which at least one run was at work; days between two commands do not count."""
    runs = _together(sweeps)
    columns = ["environment.started_at", "time.total_s"]
    if not {*columns} <= {*runs}:
        return 0.0
    rows = runs[columns].dropna().itertuples(index=False)
    spans = sorted(
        (start, start + float(total))
        for start, total in ((datetime.fromisoformat(at).timestamp(), s) for at, s in rows)
    )
    busy, until = 0.0, float("-inf")
    for start, end in spans:
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy


def networks(shown: Sequence[Configuration]) -> list[dict[str, Any]]:
    """The networks of the switch: every configuration, and each run of those with repeats.

    `test` and `validation` hold `counts[true][predicted]`, `runs` how many runs are added.
    """
    made = []
    for configuration in shown:
        records = [
            one for one in configuration.records if one.metrics and one.metrics.test.confusion
        ]
        if not records:
            continue  # a task of one's own without predictions
        name = configuration.name
        made.append(_network(phrases.network(name, len(records)), records, name))
        if len(records) > 1:
            made += [_network(f"{name}, seed {one.seed}", [one]) for one in records]
    return made


def row_columns(tables: Sequence[Table], shown: Sequence[Configuration]) -> dict[str, list[Any]]:
    """The tables' rows by column, for sorting and filtering in the page.

    `#` is the index of the row's configuration among `shown`, or -1.
    """
    if not tables:
        return {}
    rows = tables[0].content
    keys = dict.fromkeys(("label", "run_id", "status", "parameters", "time.total_s"))
    keys |= dict.fromkeys(f"{split}.{one.name}" for split in SPLITS for one in of_split(split))
    columns = {key: [*map(_plain, rows.values(key))] for key in keys}
    for table in tables:
        for index, column in enumerate(table.columns):
            columns[column.key] = [_plain(row.cells[index].value) for row in table.rows]
    place = {(c.sweep, c.configuration_id): index for index, c in enumerate(shown)}
    own = zip(rows.values("sweep"), rows.values("configuration_id"), strict=True)
    columns["#"] = [place.get(key, -1) for key in own]
    return columns


def notices(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """What has to be known of each dataset: in a line, and in full where that says more."""
    data = rows.reindex(columns=["dataset.name", "dataset.notice"]).dropna().drop_duplicates()
    pairs = ((str(name), visible(str(notice))) for name, notice in data.to_numpy())
    shown = (
        (data_warning(name, notice, "mnist-sweep data mnist"), notice) for name, notice in pairs
    )
    return [(line, "" if line == notice else notice) for line, notice in shown]


def failures(rows: pd.DataFrame, sweeps: Sequence[Sweep]) -> list[Failure]:
    """Runs without a result, in the tables' order, then what could not be read; at most 200.

    Not those that were stopped early, see `stopped`.
    """
    problems = (
        Failure(visible(str(problem.path)), RunStatus.UNREADABLE, visible(problem.reason))
        for sweep in sweeps
        for problem in sweep.problems
    )
    known = (RunStatus.FINISHED, RunStatus.PRUNED)
    found = (
        Failure(label, status, reason, _traceback(sweeps, run_id, status))
        for label, run_id, status, reason in _ends(rows)
        if status not in known
    )
    return [*itertools.islice(itertools.chain(found, problems), _MAX_FAILURES)]


def stopped(rows: pd.DataFrame) -> list[Failure]:
    """Runs that were stopped early (pruned), in the tables' order: no failures; at most 200."""
    found = (
        Failure(label, status, reason)
        for label, _, status, reason in _ends(rows)
        if status == RunStatus.PRUNED
    )
    return [*itertools.islice(found, _MAX_FAILURES)]


def common_settings(sweeps: Sequence[Sweep]) -> list[tuple[str, str]]:
    """Settings that all records share, as (name, value); what varies stands in the tables."""
    runs = _together(sweeps)
    shared = [
        name
        for name in runs.columns
        if is_setting(name) and len(runs[name].astype(str).unique()) == 1
    ]
    first = runs[shared].astype(object).where(runs[shared].notna(), None).head(1)
    return [
        (phrases.setting_name(str(name)), shortened(setting(value), phrases.MAX_VALUE))
        for values in first.to_dict("records")
        for name, value in values.items()
    ]


def environments(sweeps: Sequence[Sweep]) -> list[tuple[str, str]]:
    """Where the runs were carried out: each fact with its values over all records."""
    runs = _together(sweeps).filter(regex=r"^environment\.")
    known = {str(n).partition(".")[2]: runs[n].dropna().unique().tolist() for n in runs}
    return [phrases.environment_fact(name, values) for name, values in known.items() if values]


def thumbnails(
    pictures: Gallery, images: Mapping[str, NDArray[np.uint8]], scale: float
) -> list[dict[str, Any]]:
    """The gallery's images with their captions; empty where the images are not at hand."""
    if pictures.sha256 not in images:
        return []
    source = images[pictures.sha256]
    return [
        {
            "uri": png_uri(source[item.row], scale),
            "true": item.true,
            "answers": phrases.answers(item.predicted),
            "share": f"{item.wrong} of {pictures.runs}",
            "confidence": f"{100 * item.confidence:.0f} %",
            "row": item.row,
        }
        for item in pictures.mistaken
    ]


def _together(sweeps: Sequence[Sweep]) -> pd.DataFrame:
    """The runs tables of several sweeps as one."""
    import pandas as pd

    return pd.concat([sweep.frame for sweep in sweeps], ignore_index=True)


def _traceback(sweeps: Sequence[Sweep], run_id: str, status: str) -> str:
    """A failed run's traceback with its line breaks, all else written out, and its end kept."""
    if status != RunStatus.FAILED:
        return ""
    sweep = next(one for one in sweeps if run_id in one.frame["run_id"].to_numpy())
    error = sweep.record(run_id).error
    lines = ((error.traceback or "") if error else "").splitlines()
    shown = "\n".join(map(visible, lines))
    return shown if len(shown) <= _MAX_TRACEBACK else f"…{shown[-_MAX_TRACEBACK:]}"


def _network(name: str, records: Sequence[Record], configuration: str = "") -> dict[str, Any]:
    counts = {split: confusion_of(records, split).counts.tolist() for split in SPLITS}
    return {"name": name, "runs": len(records), "of": configuration, **counts}


def _ends(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Label, run id, status and reason of each run, fit to be shown."""
    for label, run_id, status, reason in zip(*(map(str, rows[n]) for n in _ENDS), strict=True):
        yield visible(label), run_id, status, shortened(visible(reason), phrases.MAX_VALUE)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}")
    return text_of(value) if not isinstance(value, str) else shortened(visible(value), 120)
