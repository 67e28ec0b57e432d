"""The command line: a module per subcommand; only here results are printed and exit codes set.

A first word that names a subcommand goes to it; anything else is Hydra's own command line.
Exit codes are in `cli.output`.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from mnist_sweep.cli.output import ExitCode, lasting_streams, wrap
from mnist_sweep.command import command
from mnist_sweep.errors import MnistSweepError, UsageError, harmless
from mnist_sweep.sweeping.interrupts import END_SIGNALS, ctrl_c_interrupts

# Subcommand -> the module that holds its Click command; imported only when it is called.
SUBCOMMANDS = {
    "table": "mnist_sweep.cli.results",
    "worst": "mnist_sweep.cli.results",
    "best": "mnist_sweep.cli.results",
    "compare": "mnist_sweep.cli.compare",
    "check": "mnist_sweep.cli.compare",
    "baseline": "mnist_sweep.cli.compare",
    "data": "mnist_sweep.cli.data",
    "report": "mnist_sweep.cli.report",
    "predict": "mnist_sweep.cli.predict",
    "export": "mnist_sweep.cli.report",
    "resume": "mnist_sweep.cli.sweep",
    "status": "mnist_sweep.cli.status",
    "ui": "mnist_sweep.cli.ui",
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with ctrl_c_interrupts(_leave_at_once), lasting_streams():
        try:
            code = _run(words)
        except MnistSweepError as error:
            code = error.exit_code
            if os.environ.get("HYDRA_FULL_ERROR") == "1":
                traceback.print_exception(error, file=sys.stderr)
            else:
                print(wrap(f"mnist-sweep: {error}", err=True), file=sys.stderr)
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            code = ExitCode.INTERRUPTED
    if arguments is None and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, *END_SIGNALS):
            signal.signal(number, signal.SIG_IGN)  # all is done: nothing to interrupt
        gc.freeze()  # all memory is given back: a search of it for cycles takes a tenth of a second
    sys.exit(code)


def _leave_at_once() -> NoReturn:
    """End at a second Ctrl-C: records appear whole or not at all, and locks go with the process."""
    # Where the module was not imported there are no processes either.
    if found := sys.modules.get("mnist_sweep.sweeping.launch.processes"):
        found.kill_fork_server()
    show_cursor = b"\x1b[?25h" if os.isatty(2) else b""
    with suppress(OSError):
        os.write(2, show_cursor + b"\nInterrupted at once. What has finished is kept.\n")
    os._exit(ExitCode.INTERRUPTED)


def _run(words: list[str]) -> int:
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    first = words[0] if words else ""
    if first in SUBCOMMANDS:
        return _subcommand(first, words[1:])
    # A shell asks at each press of Tab: nothing else is imported for it.
    if first in ("--completion", "--complete"):
        from mnist_sweep.cli import help as helping

        if first == "--completion":
            print(helping.script("".join(words[1:2])), end="")
        else:
            for text in helping.complete(words[1], int(words[2]), words[3:], SUBCOMMANDS):
                print(text)
        return ExitCode.DONE
    if words in (["--help"], ["-h"]):
        from mnist_sweep.cli.help import screen

        print(screen())
        return ExitCode.DONE
    if first == "--version":
        from mnist_sweep import __version__

        print(f"mnist-sweep {__version__}")
        return ExitCode.DONE
    if first and "=" not in first and first[0] not in "-+~":
        if Path(first).is_dir():
            shows = command("table", Path(first))
            raise UsageError(f"{first!r} is a directory: `{shows}` shows its results.")
        close = difflib.get_close_matches(first, SUBCOMMANDS, n=1)
        others = f"did you mean {close[0]}?" if close else f"there are {', '.join(SUBCOMMANDS)}."
        raise UsageError(
            f"There is no subcommand {first!r}: {others} Expected key=value for a setting, as "
            f"in layers=1,2; `{command('--help')}` lists all."
        )
    return _hydra(words)


def _subcommand(name: str, words: list[str]) -> int:
    import click

    gc.set_threshold(100_000, 50, 100)  # a plan has many objects and no cycles
    subcommand = getattr(importlib.import_module(SUBCOMMANDS[name]), name)
    try:  # not Click's own way out: errors look alike in the whole program
        result = subcommand.main(words, prog_name=command(name), standalone_mode=False)
    except click.exceptions.Exit as request:
        return int(request.exit_code)
    except click.exceptions.Abort:  # Click's word for Ctrl-C
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print(harmless(shown.getvalue()), end="", file=sys.stderr)
        return ExitCode.NOTHING_RUN
    return int(result or 0)


def _hydra(words: list[str]) -> int:
    from mnist_sweep.sweeping.context import Command, SweepContext, verbosity_of

    verbosity, words = verbosity_of(words)
    with SweepContext(verbosity) as context:
        context.start_processes(words)
        # This import takes a while: the fork server's takes longer, and goes on beside it.
        from mnist_sweep.cli.sweep import sweep

        context.interrupt_if_swallowed()  # some libraries go on whatever is raised in an import
        return sweep(context, [Command(tuple(words))])
