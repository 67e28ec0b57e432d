"""Predicted digits as a file: a submission to the Digit Recognizer competition, CSV or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mnist_sweep.reporting.escape import csv_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
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
    import numpy as np
    import pandas as pd

    numbers = range(1, len(predicted) + 1)
    if format_name == "submission":
        frame = pd.DataFrame({"ImageId": numbers, "Label": predicted})
        return frame.to_csv(index=False, lineterminator="\n")
    images = pd.Series(names or numbers)
    frame = pd.DataFrame({"image": images, "label": predicted, "probability": _short(probability)})
    every = None if probabilities is None else _short(np.asarray(probabilities))
    if format_name == "json":
        return _json(frame, every, about or {})
    frame["image"] = [csv_text(one) if isinstance(one, str) else one for one in images]
    for label in range(0 if every is None else every.shape[1]):
        frame[f"probability{label}"] = every[:, label]  # type: ignore[index]
    return frame.to_csv(index=False, lineterminator="\n")


def _short(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each float32 as the number whose shortest decimals still mean it."""
    import numpy as np

    shortest = [float(f"{value:.9g}") for value in values.ravel().tolist()]
    return np.array(shortest, dtype=np.float64).reshape(values.shape)


def _json(frame: pd.DataFrame, every: NDArray[np.float64] | None, about: dict[str, Any]) -> str:
    entries: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    if every is not None:
        for entry, row in zip(entries, every.tolist(), strict=True):
            entry["probabilities"] = row
    # One line an image: a file of thousands stays readable.
    head = {"schema_version": 1, **about}
    lines = ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)
    fields = "".join(
        f"  {json.dumps(k)}: {json.dumps(v, allow_nan=False)},\n" for k, v in head.items()
    )
    return "{\n" + fields + '  "predictions": [\n' + lines + "\n  ]\n}\n"
