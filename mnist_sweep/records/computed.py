"""Intervals and selections, kept beside the records: with few runs they take most of a command.

The key holds everything that they depend on: the predictions' content, the recorded values, the
options, and the code. A file that is damaged, or that cannot be written, only costs time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_sweep.atomic_files import write_bytes
from mnist_sweep.plugins import plugins
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.safe_files import content

if TYPE_CHECKING:
    from mnist_sweep.records.sweep import Sweep


# A sweep's end asks two or three questions; who tries many options needs the latest again.
_MAX_KEPT = 20
_MAX_BYTES = 2**26
_PACKAGE = Path(__file__).parents[1]
_CODE = (
    "metrics.py", "analysis/*.py", "analysis/statistics/*.py",
    "reporting/tables/intervals.py", "records/predictions.py", "records/computed.py",
)  # fmt: skip


def _code() -> bytes | None:
    """What the answers depend on beside the data; None in a ZIP file, which has no sources."""
    digest = hashlib.sha256(f"{version('numpy')} {version('scipy')}".encode())
    sources = [path for one in _CODE for path in sorted(_PACKAGE.glob(one))]
    try:
        for path in sources:
            digest.update(hashlib.sha256(content(path)[0]).digest())
    except (OSError, ValueError):
        return None
    return digest.digest() if sources else None


# At import, as the code itself: files may be changed or upgraded while a long sweep runs, and what
# the old code answers at its end must not be kept as the new code's.
_IMPORTED = _code()


class Computed:
    """The answer to a question about some runs' predictions, if it is known.

    Attributes:
        answer: Plain values as they were kept; None if they have to be computed.
    """

    def __init__(self, sweep: Sweep | None, question: Any, directories: Iterable[Path]) -> None:
        """Look for an answer.

        Args:
            sweep: Where it is kept; None, or one in which nothing may be written, keeps none.
            question: Plain values: all options, and all numbers beside predictions that count.
            directories: Of the runs whose predictions count, in order.
        """
        self.answer = None
        self._key = self._path = None
        if sweep is None or not sweep.may_keep or sweep.is_external:
            return
        self._path = SweepPaths(sweep.directory).computed
        self._key = _key(question, directories)
        with suppress(LookupError, TypeError, ValueError):
            value, digest = self._kept()[self._key]
            self.answer = value if digest == _digest(value) else None

    def keep(self, answer: Any) -> None:
        """Keep an answer of plain values; that it fails changes nothing."""
        if self._path and self._key:
            # What other processes kept meanwhile may get lost, which only costs time.
            kept = {**self._kept(), self._key: [answer, _digest(answer)]}
            latest = dict([*kept.items()][-_MAX_KEPT:])
            with suppress(OSError):
                write_bytes(self._path, json.dumps(latest).encode())

    def _kept(self) -> dict[str | None, Any]:
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(content(str(self._path), _MAX_BYTES)[0])
            if isinstance(found, dict):
                return found
        return {}


def _key(question: Any, directories: Iterable[Path]) -> str | None:
    """None where something that counts is not known: the code, or a run's predictions."""
    if _IMPORTED is None or plugins("metrics"):  # the sources of which are not known
        return None
    digest = hashlib.sha256(_IMPORTED)
    try:
        for path in (RunPaths(one).predictions for one in directories):
            digest.update(hashlib.sha256(content(path)[0]).digest())
    except (OSError, ValueError):
        return None
    digest.update(json.dumps(question).encode())
    return digest.hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
