"""What a directory should hold and does not: damaged records, and planned runs without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """A file or directory that could not be read as a record, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class Missing:
    """A planned point without a record, and why: it was not run, or was interrupted."""

    run_id: str
    label: str
    overrides: tuple[str, ...]
    reason: str
