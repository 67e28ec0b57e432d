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


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _code() -> str:
    """What the answers depend on beside the data; empty in a ZIP file, which has no sources."""
    sources = [path for one in _CODE for path in sorted(_PACKAGE.glob(one))]
    with suppress(OSError, ValueError):
        own = [_sha256(content(path)[0]) for path in sources]
        return _sha256(f"{version('numpy')} {version('scipy')} {own}".encode()) if own else ""
    return ""


# At import, as the code itself: files may be changed or upgraded while a long sweep runs, and what
# the old code answers at its end must not be kept as the new code's.
_IMPORTED = _code()


class Computed:
    """The answer to a question about some runs' predictions, if it is known.

    `question` holds plain values: all options, and all numbers besides predictions that the answer
    depends on. `directories` are those of the runs whose predictions it depends on; their order
    matters. Nothing is kept if `sweep` is None or nothing may be written in its directory.
    """

    # Plain values as they were kept; None if they have to be computed.
    answer: Any = None
    _key = ""

    def __init__(
        self, sweep: Sweep | None, question: Any, directories: Iterable[str | Path]
    ) -> None:
        # The sources of metrics of other packages are not known.
        if not sweep or not sweep.may_keep or sweep.is_external or plugins("metrics"):
            return
        self._path = SweepPaths(sweep.directory).computed
        with suppress(OSError, ValueError):  # predictions that cannot be read
            own = [_sha256(content(RunPaths(one).predictions)[0]) for one in directories]
            self._key = _IMPORTED and _sha256(json.dumps([_IMPORTED, own, question]).encode())
        if not self._key:
            return
        with suppress(LookupError, TypeError, ValueError):
            value, digest = self._kept()[self._key]
            self.answer = value if digest == _sha256(json.dumps(value).encode()) else None

    def keep(self, answer: Any) -> None:
        """Keep an answer of plain values; that it fails changes nothing."""
        if self._key:
            # What other processes kept meanwhile may get lost, which only costs time.
            kept = {**self._kept(), self._key: [answer, _sha256(json.dumps(answer).encode())]}
            latest = dict([*kept.items()][-_MAX_KEPT:])
            with suppress(OSError):
                write_bytes(self._path, json.dumps(latest).encode())

    def _kept(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, RecursionError):
            found = json.loads(content(self._path, _MAX_BYTES)[0])
            if isinstance(found, dict):
                return found
        return {}
