"""A CSV file with a row for each run: a table of one's own, or what MLflow or W&B exports."""

from __future__ import annotations

import io
import re
from pathlib import Path

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external.found import Found, FoundRun, number, split_and_name
from mnist_sweep.safe_files import content

_METRIC = re.compile(
    r"(^|[^a-z])(acc|accuracy|loss|err|error|f1|auc|auroc|precision|recall|score|rmse|mse|mae|mape"
    r"|r2|bleu|rouge|wer|cer|iou|map|dice|perplexity|ppl|reward|return|elbo|nll|top[15])([^a-z]|$)"
)
_MAX_BYTES = 64 * 2**20


def recognises(path: Path) -> bool:
    """Whether it is a CSV file, or a directory with exactly one."""
    return _file(path) is not None


def read(path: Path) -> Found:
    """A run a row; a column is a metric if it is called like one, and a setting otherwise.

    Raises:
        DirectoryError: The file is no table, or no column is called like a metric.
    """
    file = _file(path) or path
    table = rows_of(file)
    metrics = metrics_of(table, file)
    found = Found("a table of runs")
    for place, row in enumerate(table, 1):
        found.runs.append(run_of(file, place, row, metrics))
    found.notes.append(f"metrics are {', '.join(metrics[:8])}; other columns are settings")
    return found


def metrics_of(table: list[dict[str, object]], file: Path) -> list[str]:
    """The columns that are called like a metric and hold numbers.

    Raises:
        DirectoryError: There is none.
    """
    names = list(table[0]) if table else []
    called = [
        name
        for name in names
        if name.startswith("metrics.")
        or _METRIC.search(name.lower())
        or split_and_name(name, "")[0]
    ]
    metrics = [
        name
        for name in called
        if all(row[name] is None or number(row[name]) is not None for row in table)
    ]
    if not metrics:
        raise DirectoryError(
            f"No column of {file} has the name of a known metric; it has {', '.join(names[:20])}. "
            "Give the metrics: --metric NAME=COLUMN."
        )
    return metrics


def run_of(file: Path, place: int, row: dict[str, object], metrics: list[str]) -> FoundRun:
    """One row as a run."""
    settings = {name.removeprefix("params."): v for name, v in row.items()
                if name not in metrics and v is not None}  # fmt: skip
    values = {name: value for name in metrics if (value := number(row[name])) is not None}
    failed = "" if values else "the row has no metric"
    return FoundRun(f"row {place}", file, settings, values, failed=failed)


def rows_of(file: Path) -> list[dict[str, object]]:
    """The rows of a CSV file as plain values; None where a cell is empty.

    Raises:
        DirectoryError: It cannot be read as a table.
    """
    import pandas as pd

    try:
        text = io.BytesIO(content(file, _MAX_BYTES)[0])
        table = pd.read_csv(text, sep=None, engine="python", encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # pandas' own are ValueErrors
        raise DirectoryError(f"Expected a CSV table at {file}: {error}.") from error
    unnamed = [name for name in table if str(name).startswith("Unnamed:")]
    table = table.drop(columns=unnamed).rename(columns=str)
    plain = table.astype(object).where(table.notna(), None)
    return [
        {
            str(name): getattr(value, "item", lambda value=value: value)()
            for name, value in row.items()
        }
        for row in plain.to_dict("records")
    ]


def _file(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() == ".csv" else None
    inside = sorted(path.glob("*.csv")) if path.is_dir() else []
    return inside[0] if len(inside) == 1 else None
