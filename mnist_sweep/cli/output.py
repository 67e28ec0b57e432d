"""What every subcommand leaves: an exit code, and output whose reader (`head`, say) may leave."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypedDict

import click
from rich.cells import cell_len

from mnist_sweep.reporting.escape import wrapped


class ExitCode(IntEnum):
    """The program's exit codes."""

    DONE = 0
    # Some run has no result.
    SOME_FAILED = 1
    # Input that was refused; see `errors`.
    NOTHING_RUN = 2
    GATE_FAILED = 3
    INTERRUPTED = 130


# Places of a label before a paragraph.
LABEL = 8


class Terminal(TypedDict):
    """What text is laid out for; its names are those of `reporting.tables.render.render`."""

    width: int | None
    colour: bool


@contextmanager
def lasting_streams() -> Iterator[None]:
    """Within the block nothing fails because standard output or error cannot be written."""
    # A reader may leave (`head`), the disk may be full, or the stream may be closed from the start:
    # what cannot be written is dropped, and the exit code stays that of what was done.
    before = sys.stdout, sys.stderr
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: else the next file to be opened would get its number
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is sys.__stdout__:  # and not what captures it
        sys.stdout = _LastingStream(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _LastingStream(2, sys.stderr)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = before


class _LastingStream(io.TextIOWrapper):
    """A standard stream that says once that it cannot be written, and goes on."""

    def __init__(self, number: int, like: Any) -> None:
        if like is not None:
            like.flush()
        super().__init__(
            os.fdopen(number, "wb", closefd=False),
            encoding=getattr(like, "encoding", "utf-8"),
            errors=getattr(like, "errors", None),
            line_buffering=number == 2 or getattr(like, "line_buffering", False),
        )

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError) and self.fileno() == 1:
            print(f"mnist-sweep: output was lost: {error.strerror}", file=sys.stderr)


def wrap(text: str, *, err: bool = False) -> str:
    """Each line of a text broken at words where it goes to a terminal, further ones indented."""
    width = terminal(err=err)["width"]
    lines = ((line, len(line) - len(line.lstrip()) + 4) for line in text.splitlines())
    return "\n".join(part for line, n in lines for part in wrapped(line, width, " " * n))


def terminal(*, err: bool = False) -> Terminal:
    """The width of the terminal and whether to use colour; no width where output is piped."""
    if not (sys.stderr if err else sys.stdout).isatty():
        return {"width": None, "colour": False}
    width = max(shutil.get_terminal_size().columns, 20)
    return {"width": width, "colour": not os.environ.get("NO_COLOR")}


@dataclass
class Page:
    """Lines laid out for a terminal, or of any width where output is piped."""

    width: int | None
    colour: bool
    lines: list[str] = field(default_factory=list)

    def add(self, label: str, text: str, *, wrap: bool = True, **style: Any) -> None:
        """A paragraph whose further lines are indented; `style` is the label's, or the text's."""
        # Commands and paths come without `wrap`: they can be copied from a narrow terminal.
        indent = " " * LABEL if label else ""
        whole = f"{label:<{len(indent)}}{text}"
        first, *rest = wrapped(whole, self.width if wrap else None, indent)
        if self.colour and label:
            first = click.style(first[:LABEL], **style) + first[LABEL:]
        elif self.colour and style:
            first, *rest = (click.style(line, **style) for line in (first, *rest))
        self.lines += [first, *rest]

    @property
    def height(self) -> int:
        """Lines of the terminal."""
        width = self.width or sys.maxsize
        return sum(max(1, -(-cell_len(click.unstyle(line)) // width)) for line in self.lines)
