"""What a program run owns besides its data: the fork server, its signals, a launcher's connections.

The command line opens one context before anything slow is imported; `app.run` opens one where a
sweep is started from Python. It is handed down as an argument, except to launchers: Hydra makes
them, and they find it by `SweepContext.current`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from mnist_sweep.cores import cores
from mnist_sweep.errors import UsageError
from mnist_sweep.sweeping.interrupts import ctrl_c_counted, end_interrupts
from mnist_sweep.sweeping.launch import processes

if TYPE_CHECKING:
    from mnist_sweep.records.plan_file import Invocation
    from mnist_sweep.sweeping.launch.on_ray.connection import Connection


@dataclass(frozen=True)
class Command:
    """A command line: whether it requests one run, and which earlier command it gives again."""

    words: tuple[str, ...] = ()
    single: bool = False
    repeats: Invocation | None = None


class Verbosity(StrEnum):
    """How much a sweep prints."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def verbosity_of(words: Sequence[str]) -> tuple[Verbosity, list[str]]:
    """How much to print, by --quiet and --verbose, and the other words."""
    options = {f"--{one}": one for one in (Verbosity.QUIET, Verbosity.VERBOSE)}
    chosen = [options[word] for word in words if word in options]
    return (chosen or [Verbosity.NORMAL])[-1], [word for word in words if word not in options]


class SweepContext:
    """A program run that starts processes; a context manager, at whose end nothing is left.

    Within it SIGTERM or SIGHUP raises `Interrupted`, and Ctrl-C is counted: some libraries swallow
    the exception that it raises, which `interrupt_if_swallowed` makes up for.
    """

    _CURRENT: ClassVar[ContextVar[SweepContext]] = ContextVar("SweepContext")

    def __init__(self, verbosity: Verbosity = Verbosity.NORMAL) -> None:
        self.verbosity = verbosity
        self.command = Command()
        """The one that is carried out."""
        self.connection: Connection | None = None
        """To Ray, of which a process has one: of this command or of an earlier one."""
        self._signals = ExitStack()
        self._opened = ExitStack()
        self.while_waiting: Callable[[], None] | None = None
        """Called once, when the first run waits for the fork server, if one does."""
        self._ctrl_c: list[int] = []

    @classmethod
    def current(cls) -> SweepContext:
        """The context of the sweep that is under way."""
        found = cls._CURRENT.get(None)
        if found is None:  # Hydra was entered by another program
            raise UsageError(
                "The sweepers and launchers of mnist_sweep work only with its own command line "
                "and its Python interface."
            )
        return found

    def __enter__(self) -> Self:
        self._signals.enter_context(end_interrupts())
        self._ctrl_c = self._signals.enter_context(ctrl_c_counted())
        # Contexts may be nested: a sweep that starts another one from Python.
        self._signals.callback(self._CURRENT.reset, self._CURRENT.set(self))
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            self.end_processes()
        finally:  # last: a signal during the clean-up must not end it by the default action
            self._signals.close()

    def start_processes(self, words: Sequence[str] = ()) -> None:
        """Start the fork server if a command needs it; it imports in the background."""
        if preload := processes.preload_of(words):
            processes.start_fork_server(preload)

    def end_processes(self) -> None:
        """End the fork server, and close what launchers opened."""
        try:
            self.connection = None
            self._opened.close()
        finally:
            processes.end_fork_server()

    def at_end(self, close: Callable[[], None]) -> None:
        """Have a launcher's connection closed when the processes end."""
        self._opened.callback(close)

    def first_run_waits(self) -> None:
        """Use the time for what is to be done meanwhile."""
        if self.while_waiting and cores() > 1:  # on one core it would delay the run instead
            self.while_waiting()
        self.while_waiting = None

    def interrupt_if_swallowed(self) -> None:
        """Interrupt now if Ctrl-C was typed and some library went on all the same."""
        if self._ctrl_c:
            raise KeyboardInterrupt
