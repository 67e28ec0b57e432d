"""Predicted digits as a file: a submission to the Digit Recognizer competition, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.escape import csv_text

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """Predictions in one of `FORMATS`.

    `submission` is `ImageId,Label` with ids from 1; `csv` is `image,label,probability`, then
    `probability0`, … of every class if given; `json` the same by name, with `about`.

    Args:
        format_name: Which.
        predicted: Classes, (n,) uint8.
        probability: Of the predicted class, (n,) float32.
        names: What images are called; None numbers them from 1.
        probabilities: Of every class, (n, classes) float32.
        about: What else a JSON reader should know, plain values.
    """
    labels = predicted.tolist()
    if format_name == "submission":
        rows = "".join(f"{row},{label}\n" for row, label in enumerate(labels, start=1))
        return "ImageId,Label\n" + rows
    images: Sequence[str | int] = names or range(1, len(labels) + 1)
    sure = [_short(value) for value in probability.tolist()]
    every = None
    if probabilities is not None:
        every = [[_short(value) for value in row] for row in probabilities.tolist()]
    if format_name == "json":
        return _json(images, labels, sure, every, about or {})
    return _csv(images, labels, sure, every)


def _short(value: float) -> float:
    """A float32 as the shortest decimals that still mean it."""
    return float(f"{value:.9g}") if value else 0.0


def _csv(
    images: Sequence[str | int],
    labels: list[int],
    sure: list[float],
    every: list[list[float]] | None,
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    classes = range(len(every[0])) if every else range(0)
    writer.writerow(["image", "label", "probability", *(f"probability{k}" for k in classes)])
    for row, (image, label, value) in enumerate(zip(images, labels, sure, strict=True)):
        name = csv_text(image) if isinstance(image, str) else image
        writer.writerow([name, label, value, *(every[row] if every else ())])
    return text.getvalue()


def _json(
    images: Sequence[str | int],
    labels: list[int],
    sure: list[float],
    every: list[list[float]] | None,
    about: dict[str, Any],
) -> str:
    entries: list[dict[str, Any]] = [
        {"image": image, "label": label, "probability": value}
        for image, label, value in zip(images, labels, sure, strict=True)
    ]
    if every:
        for entry, row in zip(entries, every, strict=True):
            entry["probabilities"] = row
    # One line an image: a file of thousands stays readable.
    head = {"schema_version": 1, **about}
    lines = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)
    fields = "".join(
        f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)},\n" for k, v in head.items()
    )
    return "{\n" + fields + '  "predictions": [\n' + lines + "\n  ]\n}\n"
