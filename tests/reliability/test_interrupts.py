"""Ctrl-C and SIGTERM: no new runs, none left running, tables of what is finished, exit code 130."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl

import pyte
import pytest

from support.real_sweeps import GUARD_S, Place, until
from support.sweep_parts import begun, job_of

CTRL_C = b"\x03"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Terminal:
    """A sweep in a terminal of its own, and what stands on its screen."""

    def __init__(self, place: Place, width: int, *words: str, height: int = 40) -> None:
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self._screen = pyte.HistoryScreen(width, height, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        self._ours = ours
        self.raw = b""
        environment = {**place.environment, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            place.command(*words), cwd=place.path, env=environment, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True, preexec_fn=_take_terminal,  # noqa: PLW1509  (no threads here)
        )  # fmt: skip
        os.close(theirs)

    def look(self) -> str:
        """Read what came in, and say what the screen shows."""
        while select.select([self._ours], [], [], 0.02)[0]:
            try:
                content = os.read(self._ours, 65536)
            except OSError:  # the terminal's other side is closed
                break
            if not content:
                break
            self.raw += content
            self._stream.feed(content)
        return "\n".join(line.rstrip() for line in self._screen.display)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def wait_for(self, condition: Callable[[str], bool]) -> str:
        def look() -> str | None:
            shown = self.look()
            return shown if condition(shown) else None

        return str(until(look, f"on this screen:\n{self.look()}"))

    def end(self) -> int:
        until(lambda: (self.look(), self.process.poll() is not None)[1])
        self.look()
        os.close(self._ours)
        return self.process.wait(GUARD_S)


def _take_terminal() -> None:
    ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize(("width", "by"), [(80, "Ctrl-C"), (200, "SIGTERM")])
def test_a_sweep_stopped_in_a_terminal(place: Place, width: int, by: str):
    words = place.sweep_words("model.kind=fine,raises,endless", "n_jobs=2", "name=stopped")
    terminal = Terminal(place, width, *words)
    shown = terminal.wait_for(lambda s: "1 done, 1 failed, 1 left" in s and "kind=endless" in s)
    print(shown)
    assert "epoch  validation accuracy" in shown
    assert "0/2" in shown
    assert "elapsed, about" in shown
    assert "raises" in shown
    assert all(len(line) <= width for line in shown.splitlines())
    if by == "Ctrl-C":
        terminal.type(CTRL_C)
    else:
        terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 130
    text = terminal.raw.decode()
    assert "interrupted" in text
    assert "1 of 3 runs finished, 1 failed, 1 not run" in text
    assert "mnist_sweep resume outputs/stopped" in text
    assert "Traceback" not in text
    assert "E0000" not in text
    assert "tensorflow" not in text.lower()
    assert text.rindex(SHOW_CURSOR) > text.rindex(HIDE_CURSOR)
    until(place.gone)
    assert len(place.executions()) == 3


def test_ctrl_c_while_the_sweep_is_being_prepared(place: Place):
    terminal = Terminal(place, 80, *place.sweep_words("seed=range(0,300)", "name=early"))
    until(lambda: any("forkserver" in what for what in place.processes().values()))
    terminal.type(CTRL_C)
    assert terminal.end() == 130
    text = terminal.raw.decode()
    assert "Interrupted" in text
    assert "Traceback" not in text
    assert "KeyboardInterrupt" not in text
    until(place.gone)


def test_sigterm_while_the_sweep_is_being_prepared(place: Place):
    process = place.start(*place.sweep_words("seed=range(0,300)", "name=early"))
    until(lambda: any("forkserver" in what for what in place.processes().values()))
    process.send_signal(signal.SIGTERM)
    ended = place.wait(process)
    assert ended.code == 130, ended
    assert ended.err.strip() == "Interrupted."
    until(place.gone)


def test_sigterm_ends_a_sweep_whose_processes_are_stopped(place: Place):
    words = place.sweep_words("model.kind=endless", "seed=1,2,3,4", "n_jobs=4", "name=frozen")
    process = place.start(*words)
    until(lambda: len(place.executions()) == 4)
    for pid, what in place.processes().items():
        if "forkserver" in what:  # the workers have its command line
            os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    ended = place.wait(process)
    assert time.monotonic() - began < 10.0
    assert ended.code == 130, ended
    assert ended.account == "0 of 4 runs finished, 4 not run"
    until(place.gone)


def test_ctrl_c_stops_hydras_own_launcher_too(place: Place):
    words = place.sweep_words(
        "model.kind=fine", "seed=range(0,40)", "hydra/launcher=basic", "name=own"
    )
    process = place.start(*words)
    until(lambda: place.record_files("own"))
    os.killpg(process.pid, signal.SIGINT)
    ended = place.wait(process)
    assert ended.code == 130, ended
    done = len(place.records("own"))
    assert ended.account == f"{done} of 40 runs finished, {40 - done} not run"
    assert "interrupted after" in ended.out
    assert "python -m mnist_sweep resume outputs/own" in ended.out
    until(place.gone)


def test_a_ctrl_c_that_hydra_swallows_is_an_interrupt_all_the_same(tmp_path):
    from mnist_sweep.sweeping.context import SweepContext
    from mnist_sweep.sweeping.launch.stock_launchers import StockLauncher

    class Swallows:
        def launch(self, overrides, initial_job_idx):  # noqa: ARG002  (as Hydra calls it)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt as error:
                raise ValueError("of composing") from error

    launcher = begun(StockLauncher(Swallows()))
    with SweepContext() as launcher.context, pytest.raises(KeyboardInterrupt):
        launcher.run([job_of(tmp_path)])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def ended_as_module(folder, source):
    """A module of this source, run as `python -m` runs the program."""
    (folder / "program.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "program"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_an_interrupt_in_the_middle_of_an_import_ends_with_the_code_too(tmp_path):
    # `exec` of a text is what the import of any dataclass does.
    ended = ended_as_module(
        tmp_path,
        "import signal\n"
        "import mnist_sweep.cli as cli\n"
        "cli._hydra = lambda words: exec('signal.raise_signal(signal.SIGINT)')\n"
        "cli.main([])\n",
    )
    assert ended.returncode == 130
    assert ended.stderr == "\nInterrupted.\n"


@pytest.mark.parametrize("place", ["processes.start_fork_server", "sweep._open_jobs"])
def test_an_interrupt_that_a_library_swallows_ends_the_sweep_all_the_same(tmp_path, place):
    # Before the imports are through, and at the last moment before the first run.
    ended = ended_as_module(
        tmp_path,
        "import os, signal\n"
        "from contextlib import suppress\n"
        "import mnist_sweep.cli as cli\n"
        "from mnist_sweep.sweeping import sweep\n"
        "from mnist_sweep.sweeping.launch import processes\n"
        f"original = {place}\n"
        "def greedy(*arguments):\n"
        "    with suppress(BaseException):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        for _ in range(1000): pass\n"
        "    return original(*arguments)\n"
        f"{place} = greedy\n"
        "if __name__ == '__main__':\n"
        "    cli.main(['-m', 'data=digits', 'epochs=1', 'nodes=4', 'name=greedy'])\n",
    )
    assert ended.returncode == 130
    assert not list((tmp_path / "outputs").glob("*/runs/*"))
