"""What stands in the page, apart from how it looks: plain values for the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnist_sweep.analysis.configurations import Configuration, is_setting
from mnist_sweep.metrics import HELD_OUT, of_split
from mnist_sweep.records.record import Record
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import Sweep
from mnist_sweep.reporting.escape import shortened, visible
from mnist_sweep.reporting.figures.confusion import confusion_of
from mnist_sweep.reporting.figures.gallery import Gallery
from mnist_sweep.reporting.html.embed import png_uri
from mnist_sweep.reporting.numbers import setting
from mnist_sweep.reporting.phrases.names import text_of
from mnist_sweep.reporting.tables.table import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

SPLITS = tuple(reversed(HELD_OUT))
"""The test split first: a report is about new images."""
_MAX_VALUE = 300
_ENDS = ("label", "run_id", "status", "reason")
_MAX_TRACEBACK = 4000
_MAX_FAILURES = 200


@dataclass(frozen=True)
class Failure:
    """A run or file without a result: what it is, and why; also a run that was stopped early."""

    label: str
    status: str
    reason: str
    traceback: str


def networks(shown: Sequence[Configuration]) -> list[dict[str, Any]]:
    """The networks of the switch: every configuration, and each run of those with repeats.

    `test` and `validation` hold `counts[predicted][true]`, `runs` how many runs are added.
    """
    made = []
    for configuration in shown:
        several = len(configuration.records) > 1
        name = configuration.name
        suffix = f" ({len(configuration.records)} runs added)" if several else ""
        made.append(_network(name + suffix, configuration.records))
        if several:
            made += [
                _network(f"{name}, seed {record.seed}", [record])
                for record in configuration.records
            ]
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


def failures(rows: pd.DataFrame, sweeps: Sequence[Sweep]) -> list[Failure]:
    """Every run without a result, in the tables' order, then what could not be read.

    Not those that were stopped early, see `stopped`.
    """
    tracebacks = {
        run_id: _traceback(sweep.record(run_id))
        for sweep in sweeps
        for run_id in sweep.frame.loc[sweep.frame["status"] == RunStatus.FAILED, "run_id"]
    }
    found = [
        Failure(
            visible(label),
            status,
            shortened(visible(reason), _MAX_VALUE),
            _lines(tracebacks.get(run_id, "")),
        )
        for label, run_id, status, reason in _ends(rows)
        if status not in (RunStatus.FINISHED, RunStatus.PRUNED)
    ]
    found += [
        Failure(visible(str(problem.path)), "unreadable", visible(problem.reason), "")
        for sweep in sweeps
        for problem in sweep.problems
    ]
    return found[:_MAX_FAILURES]


def stopped(rows: pd.DataFrame) -> list[Failure]:
    """Every run that was stopped early (pruned), in the tables' order: no failures."""
    found = [
        Failure(visible(label), status, shortened(visible(reason), _MAX_VALUE), "")
        for label, _, status, reason in _ends(rows)
        if status == RunStatus.PRUNED
    ]
    return found[:_MAX_FAILURES]


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
        (visible(str(name)), shortened(setting(value), _MAX_VALUE))
        for values in first.to_dict("records")
        for name, value in values.items()
    ]


def environments(sweeps: Sequence[Sweep]) -> list[tuple[str, str]]:
    """Where the runs were carried out: each fact with its values over all records."""
    runs = _together(sweeps).filter(regex=r"^environment\.")
    runs.columns = [name.partition(".")[2] for name in runs.columns]
    known = {name: list(runs[name].dropna().unique()) for name in runs.columns}
    times = known.pop("started_at", [])
    facts = [
        (name, shortened(", ".join(map(setting, values)), _MAX_VALUE))
        for name, values in known.items()
        if values
    ]
    if times:
        facts.append(("started_at", " to ".join(dict.fromkeys((min(times), max(times))))))
    return facts


def thumbnails(
    pictures: Gallery, images: Mapping[str, NDArray[np.uint8]], scale: float
) -> list[dict[str, Any]]:
    """The gallery's images with their captions; empty where the images are not at hand."""
    if pictures.sha256 not in images:
        return []
    source = images[pictures.sha256]
    made = []
    for item in pictures.mistaken:
        several = len(item.predicted) > 1
        answers = ", ".join(
            f"{label} \N{MULTIPLICATION SIGN}{count}" if several else str(label)
            for label, count in item.predicted[:3]
        )
        made.append({
            "uri": png_uri(source[item.row], scale),
            "true": item.true,
            "answers": answers,
            "share": f"{item.wrong} of {pictures.runs} wrong",
            "confidence": f"{100 * item.confidence:.0f} % sure",
            "row": item.row,
        })  # fmt: skip
    return made


def _together(sweeps: Sequence[Sweep]) -> pd.DataFrame:
    """The runs tables of several sweeps as one."""
    import pandas as pd

    return pd.concat([sweep.frame for sweep in sweeps], ignore_index=True)


def _traceback(record: Record) -> str:
    return (record.error.traceback or "") if record.error else ""


def _network(name: str, records: Sequence[Record]) -> dict[str, Any]:
    found = {split: confusion_of(records, split) for split in SPLITS}
    counts = {split: confusion.counts.tolist() for split, confusion in found.items()}
    return {"name": name, "runs": len(records), **counts}


def _ends(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Label, run id, status and reason of each run."""
    return zip(*(map(str, rows[name]) for name in _ENDS), strict=True)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return float(f"{value:.10g}")
    return text_of(value) if not isinstance(value, str) else shortened(visible(value), 120)


def _lines(text: str) -> str:
    """A traceback with its line breaks, everything unseen in it written out, and its end kept."""
    shown = "\n".join(visible(line) for line in text.splitlines())
    return shown if len(shown) <= _MAX_TRACEBACK else f"…{shown[-_MAX_TRACEBACK:]}"
