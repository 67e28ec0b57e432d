"""What every subcommand leaves: an exit code, and output whose reader (`head`, say) may leave."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """The program's exit codes."""

    DONE = 0
    SOME_FAILED = 1
    """Some run has no result."""
    NOTHING_RUN = 2
    """Input that was refused; see `errors`."""
    GATE_FAILED = 3
    INTERRUPTED = 130


@contextmanager
def ignore_broken_pipe() -> Iterator[None]:
    """Within the block, and ever after, what nobody reads any more is dropped."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()


def discard_stdout() -> None:
    """Drop what is still to be written: also what is buffered, when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def shown_path(path: Path) -> str:
    """A path as people write it: relative where it lies below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
