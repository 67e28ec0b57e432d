"""Predicted digits as a file: a submission to the Digit Recognizer competition, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.escape import csv_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS = ("submission", "csv", "json")


def render(
    format_name: str,
    predicted: NDArray[np.uint8],
    probability: NDArray[np.float32],
    *,
    names: Sequence[str] | None = None,
    probabilities: NDArray[np.float32] | None = None,
    about: dict[str, Any] | None = None,
) -> str:
    """Classes, (n,) uint8, and their probabilities, (n,) float32, in one of `FORMATS`.

    `submission` is `ImageId,Label` with ids from 1; `csv` is `image,label,probability`, then
    `probability0`, … of every class if given, (n, classes); `json` the same by name, with `about`.
    Images without names are numbered from 1.
    """
    numbers = range(1, len(predicted) + 1)
    if format_name == "submission":
        return _csv(("ImageId", "Label"), zip(numbers, predicted.tolist(), strict=True))
    of_images = zip(names or numbers, predicted.tolist(), _short(probability), strict=True)
    every = [] if probabilities is None else [*map(_short, probabilities)]
    headings = ("image", "label", "probability")
    if format_name == "json":
        entries: list[dict[str, Any]] = [dict(zip(headings, o, strict=True)) for o in of_images]
        for entry, row in zip(entries, every, strict=False):
            entry["probabilities"] = row
        return _json(entries, about or {})
    rows = [[csv_text(n) if isinstance(n, str) else n, *others] for n, *others in of_images]
    for row, further in zip(rows, every, strict=False):
        row.extend(further)
    classes = range(0 if probabilities is None else probabilities.shape[1])
    return _csv((*headings, *(f"probability{label}" for label in classes)), rows)


def _short(values: NDArray[np.float32]) -> list[float]:
    """Each float32 as the number whose shortest decimals still mean it."""
    return [float(f"{value:.9g}") for value in values.tolist()]


def _csv(headings: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return stream.getvalue()


def _json(entries: Sequence[dict[str, Any]], about: dict[str, Any]) -> str:
    head = {"schema_version": 1, **about}
    fields = "".join(
        f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)},\n" for k, v in head.items()
    )
    # One line an image: a file of thousands stays readable.
    lines = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)
    return "{\n" + fields + '  "predictions": [\n' + lines + "\n  ]\n}\n"
