"""What a task of one's own may call while it works: `mnist_sweep.report_epoch`.

A task imports this module, so it imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_REPORT: ContextVar[Callable[[Mapping[str, Any]], None]] = ContextVar("report_epoch")


def report_epoch(metrics: Mapping[str, Any]) -> None:
    """Report that an epoch of this run has ended, for curves, the display and pruning.

    Does nothing outside a sweep, so that the task can be called and tested by itself.

    Args:
        metrics: Name -> number, such as `{"loss": 0.31, "val_accuracy": 0.94}`; best the same names
            after each epoch. Names with `val_`, or without, draw one figure.

    Raises:
        StopRunError: A search stops the run here; let it pass.
    """
    report = _REPORT.get(None)
    if report is not None:
        report(metrics)


class StopRunError(BaseException):
    """A search stops this run early. No `Exception`, so that a task does not catch it unawares."""


@contextmanager
def epochs_to(report: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
    """Within the block, have what `report_epoch` is given."""
    token = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(token)
