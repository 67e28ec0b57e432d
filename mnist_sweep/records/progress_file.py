"""`progress.jsonl`: the epochs of a run under way, a line each; removed once the run has ended.

A sweep's own process writes it and `mnist-sweep ui` reads it. Nothing else depends on it, so a line
that cannot be written or read is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mnist_sweep.records.external.found import number
from mnist_sweep.safe_files import content, json_text, plain, strict_json

_MAX_BYTES = 32 * 2**20


@dataclass
class Progress:
    """How far a run is."""

    epoch: int = 0  # the last epoch that ended, from 1; 0 before the first
    epochs: int | None = None  # how many there will be at most; None if unknown
    # Name -> epoch -> value, of the epochs that reported it.
    figures: dict[str, dict[int, float]] = field(default_factory=dict)


def add_epoch(path: Path, epoch: int, epochs: int | None, figures: Mapping[str, float]) -> None:
    """Append an epoch; an `epoch` that is not above the last one begins a new attempt."""
    line = json_text(plain({"epoch": epoch, "epochs": epochs, "figures": figures}), indent=None)
    with suppress(OSError):  # a full disk: the run goes on
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def read_progress(path: Path) -> Progress:
    """How far the last attempt of a run is, as far as that was written."""
    found = Progress()
    try:
        lines = content(path, _MAX_BYTES)[0].splitlines()
    except (OSError, ValueError):
        return found
    for line in lines:
        try:
            value = strict_json(line)
            epoch, epochs, figures = int(value["epoch"]), value["epochs"], dict(value["figures"])
        except (ValueError, TypeError, LookupError, OverflowError):
            continue  # half written
        if epoch <= found.epoch:
            found = Progress()
        found.epoch, found.epochs = epoch, epochs if isinstance(epochs, int) else None
        for name, one in figures.items():
            if (figure := number(one)) is not None:
                found.figures.setdefault(name, {})[epoch] = figure
    return found
