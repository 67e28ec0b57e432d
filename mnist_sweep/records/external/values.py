"""The value in a file that some program wrote."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.external import csv
from mnist_sweep.records.external.found import number
from mnist_sweep.safe_files import content, strict_yaml

# Columns by which the rows of a table come one after another; other rows are averaged.
_ORDERED = ("epoch", "step")
_INDICES = (*_ORDERED, "fold")


def value_in(file: Path) -> Any:
    """The value in a JSON, YAML or CSV file; of a CSV file its columns' means, or values in order.

    Raises:
        ValueError: It is empty, not UTF-8, or neither.
        OSError: It cannot be read.
    """
    if file.suffix in (".yaml", ".yml"):
        return strict_yaml(file)
    if file.suffix == ".csv":
        return _columns(file)
    text = content(file)[0].decode("utf-8-sig")
    if not text.strip():
        raise ValueError("the file is empty")
    return json.loads(text)  # may hold NaN, as Python writes it; `number` takes it for none


def _columns(file: Path) -> dict[str, float | list[float]]:
    """The columns of numbers of a job's table."""
    try:
        columns = csv.columns_of(file)
    except DirectoryError as error:
        raise ValueError(str(error)) from error
    found: dict[str, float | list[float]] = {}
    is_ordered = not columns.keys().isdisjoint(_ORDERED)
    for name, cells in columns.items():
        present = [cell for cell in cells if cell is not None]
        values = [one for cell in present if (one := number(cell)) is not None]
        if values and len(values) == len(present) and name not in _INDICES:
            found[name] = values if is_ordered and values[1:] else statistics.fmean(values)
    return found
