"""A CSV file with a row for each run: a table of one's own, or what MLflow or W&B exports."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external.found import Found, FoundRun, number, split_and_name
from mnist_sweep.records.table import plain
from mnist_sweep.safe_files import content

_METRIC = re.compile(
    r"(^|[^a-z])(acc|accuracy|loss|err|error|f1|auc|auroc|precision|recall|score|rmse|mse|mae|mape"
    r"|r2|bleu|rouge|wer|cer|iou|map|dice|perplexity|ppl|reward|return|elbo|nll|top[15])([^a-z]|$)"
)
_SUFFIXES = (".csv", ".tsv")
_MAX_BYTES = 64 * 2**20
# What W&B and MLflow add to an export, in lower case; also all of `_step`, `tags.x` and so on.
_NO_SETTINGS = (
    "run_id", "run_name", "state", "status", "notes", "user", "tags", "created", "runtime",
    "duration", "sweep", "hostname", "start_time", "end_time", "experiment_id", "artifact_uri",
    "source_name", "source_type",
)  # fmt: skip
_STATES = ("crashed", "failed", "killed", "running", "pending", "scheduled", "preempted")

Columns = dict[str, list[Any]]

if TYPE_CHECKING:
    import pandas as pd


def find(path: Path) -> list[Path]:
    """The file itself, or the only one of a directory."""
    if path.is_file():
        return [path] if path.suffix.lower() in _SUFFIXES else []
    inside = [*path.glob("*.csv"), *path.glob("*.tsv")] if path.is_dir() else []
    return inside if len(inside) == 1 else []


def read(_path: Path, files: list[Path], wanted: Sequence[str] = ()) -> Found:
    """A run a row; columns are metrics if they are `wanted`, or called like one, else settings."""
    (file,) = files
    found = Found("a table of runs")
    table = columns_of(file)
    if not any(table.values()):
        found.problems.append((file, "the table has no rows"))
        return found
    if wanted and table.keys().isdisjoint(wanted):
        known = ", ".join([*table][:20])
        why = f"there is no column {', '.join(wanted)}; there are {known}"
        found.problems.append((file, " ".join(why[:300].split())))
        return found
    metrics = [*wanted] or _metrics_of(table, file)
    found.runs = _runs_of(file, table, metrics)
    found.notes.append(f"metrics are {', '.join(metrics[:8])}; other columns are settings")
    if left := [name for name in table if _is_no_setting(name)]:
        found.notes.append(f"except {', '.join(left[:8])}")
    return found


def _metrics_of(table: Columns, file: Path) -> list[str]:
    """The columns that are called like a metric and hold numbers."""
    metrics = [
        name
        for name, cells in table.items()
        if name.startswith("metrics.")
        or _METRIC.search(name.lower())
        or split_and_name(name, "")[0]
        if all(cell is None or number(cell) is not None for cell in cells)
    ]
    if not metrics:
        raise DirectoryError(
            f"No column of {file} has the name of a known metric; it has "
            f"{', '.join([*table][:20])}. Give the metrics: --metric NAME=COLUMN."
        )
    return metrics


def _runs_of(file: Path, table: Columns, metrics: list[str]) -> list[FoundRun]:
    """A run a row; what W&B and MLflow say of a run besides its parameters is no setting of it."""
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    names = table.get("Name", [None])
    # W&B lets several runs share a name: then their rows are numbered.
    is_named = None not in names and len(set(names)) == len(names)
    left = {name for name in table if _is_no_setting(name)} | set(metrics)
    left |= {"Name"} if is_named else set()
    found = []
    for place, row in enumerate(rows, 1):
        run = FoundRun(str(row["Name"]) if is_named else f"row {place}", file)
        run.settings = {
            name.removeprefix("params."): value
            for name, value in row.items()
            if name not in left and value is not None
        }
        state = str(row.get("State") or row.get("status") or row.get("Status")).lower()
        if state in _STATES:
            run.failed = f"its state is {state}"
        else:
            for name in metrics:
                run.add(name, [row.get(name)])
            run.failed = "" if run.metrics else "the row has no metric"
        found.append(run)
    return found


def _is_no_setting(name: str) -> bool:
    return name.startswith(("_", "tags.")) or name.lower().replace(" ", "_") in _NO_SETTINGS


def columns_of(file: Path) -> Columns:
    """The columns of a CSV file as plain values; None where a cell is empty."""
    from csv import Error

    import pandas as pd

    try:
        data = content(file, _MAX_BYTES)[0]
        # Excel saves "Unicode text" as UTF-16, and marks UTF-8.
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(encoding)
        # Only the slow engine guesses the delimiter.
        table = pd.read_csv(io.StringIO(text), sep=None, engine="python")
        # A comma can be the decimal one only where it is not the delimiter.
        if ";" in text.partition("\n")[0]:
            table = table.apply(_with_decimal_commas)
    except (OSError, ValueError, Error) as error:  # pandas' own are ValueErrors
        raise DirectoryError(f"Expected a CSV table at {file}: {error}.") from error
    # An index that pandas wrote, or a delimiter at the end of each line.
    unnamed = [name for name in table if str(name).startswith("Unnamed:")]
    table = table.drop(columns=unnamed).rename(columns=str)
    return {  # whole numbers with a gap are floats to pandas
        str(name): plain(one.convert_dtypes() if one.hasnans else one)
        for name, one in table.items()
    }


def _with_decimal_commas(column: pd.Series[Any]) -> pd.Series[Any]:
    """The numbers of a column that has them as 0,5; else the column as it is."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return column
    numbers = pd.to_numeric(column.astype("str").str.replace(",", "."), errors="coerce")
    return numbers if numbers.notna().equals(column.notna()) else column
