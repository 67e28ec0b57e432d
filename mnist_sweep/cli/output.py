"""What every subcommand leaves: an exit code, and output whose reader (`head`, say) may leave."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TypedDict


class ExitCode(IntEnum):
    """The program's exit codes."""

    DONE = 0
    SOME_FAILED = 1
    """Some run has no result."""
    NOTHING_RUN = 2
    """Input that was refused; see `errors`."""
    GATE_FAILED = 3
    INTERRUPTED = 130


class Terminal(TypedDict):
    """What text is laid out for; its names are those of `reporting.tables.render.render`."""

    width: int | None
    colour: bool


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


def program() -> str:
    """How this program was started, for the commands that messages name."""
    return "python -m mnist_sweep" if Path(sys.argv[0]).stem == "__main__" else "mnist-sweep"


def command(*words: str | Path) -> str:
    """A command that works in this directory: 'mnist-sweep resume outputs/grid'."""
    shown = (shlex.quote(shown_path(one)) if isinstance(one, Path) else one for one in words)
    return " ".join((program(), *shown))


def terminal() -> Terminal:
    """The width of the terminal and whether to use colour; no width where output is piped."""
    if not sys.stdout.isatty():
        return {"width": None, "colour": False}
    width = max(shutil.get_terminal_size().columns, 20)
    return {"width": width, "colour": not os.environ.get("NO_COLOR")}
