"""Nobody reads the output, or it cannot be written: the exit code stays that of what was done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_sweep.analysis.gate import write_baseline
from mnist_sweep.records.sweep import load
from mnist_sweep.sweeping.interrupts import END_SIGNALS, Interrupted, end_interrupts
from support.factories import make_run, write_sweep

SAYS_MUCH = (
    "import mnist_sweep.cli as cli\n"
    "cli._hydra = lambda words: (print('x' * 200_000), 3)[1]\n"
    "cli.main(['layers=1'])\n"
)
INTERRUPTED_TWICE = (
    "import signal\n"
    "import mnist_sweep.cli as cli\n"
    "def twice(words):\n"
    "    try:\n"
    "        signal.raise_signal(signal.SIGINT)\n"
    "    finally:\n"
    "        signal.raise_signal(signal.SIGINT)\n"
    "        print('never')\n"
    "cli._hydra = twice\n"
    "cli.main(['layers=1'])\n"
)


def run(program: str, place: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", program],
        cwd=place, text=True, check=False, timeout=120,
        **{"stderr": subprocess.PIPE, **options},
    )  # fmt: skip


@pytest.mark.parametrize("n", [200_000, 1])  # written at once, or when the stream is flushed
def test_a_full_disk_is_said_once(tmp_path: Path, n: int):
    with Path("/dev/full").open("w") as full:
        ended = run(SAYS_MUCH.replace("200_000", str(n)), tmp_path, stdout=full)
    assert ended.returncode == 3
    assert ended.stderr == "mnist-sweep: output was lost: No space left on device\n"


def test_a_reader_that_left_is_no_error(tmp_path: Path):
    read, write = os.pipe()
    os.close(read)
    ended = run(SAYS_MUCH, tmp_path, stdout=write)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (3, "")


@pytest.mark.parametrize("closed", [(1,), (1, 2), (0, 1, 2)])
def test_streams_that_are_closed_from_the_start_are_no_error(tmp_path: Path, closed):
    shell = " ".join(f"{number}>&-" if number else "<&-" for number in closed)
    ended = subprocess.run(
        f'{sys.executable} -c "$P" {shell}', shell=True, cwd=tmp_path, text=True, check=False,
        env={**os.environ, "P": SAYS_MUCH}, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (3, "")


def test_a_second_ctrl_c_ends_at_once_and_without_a_traceback(tmp_path: Path):
    ended = run(INTERRUPTED_TWICE, tmp_path, stdout=subprocess.PIPE)
    assert ended.returncode == 130
    assert ended.stdout == ""
    assert ended.stderr == "\nInterrupted at once. What has finished is kept.\n"


PRESSED_WITHIN = """
import importlib, os, signal
import mnist_sweep.cli as cli
def pressed(*arguments, **options):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
module, _, name = {place!r}.rpartition(".")
setattr(importlib.import_module("mnist_sweep." + module), name, pressed)
cli.main({words!r})
"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """A sweep, and a baseline that it does not reach."""
    folder = tmp_path_factory.mktemp("failing")
    options = {"n_test": 60, "n_validation": 40, "epochs": 2}
    better = write_sweep(folder / "better", [make_run(accuracy=1.0, **options)])
    write_baseline(folder / "b.json", load(better))
    return write_sweep(folder / "sweep", [make_run(accuracy=0.3, **options)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("cli.results.comparison", ["table", "DIR"]),
        ("reporting.html.page.render", ["report", "--no-figures", "DIR"]),
        ("analysis.gate.check", ["check", "DIR", "--baseline", "BASE"]),
        ("sweeping.launch.processes.start_fork_server", ["-m", "layers=1,2"]),
        ("sweeping.launch.processes.end_fork_server", ["-m", "task._target_=nothing.run"]),
    ],
)
def test_further_ctrl_cs_while_the_first_is_handled(tmp_path: Path, failing: Path, place, words):
    names = {"DIR": str(failing), "BASE": str(failing.with_name("b.json"))}
    program = PRESSED_WITHIN.format(place=place, words=[names.get(one, one) for one in words])
    ended = run(program, tmp_path, stdout=subprocess.PIPE)
    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.endswith("\nInterrupted at once. What has finished is kept.\n")
    assert "Traceback" not in ended.stderr
    assert not (failing / "report.html").exists()


def test_ctrl_c_before_the_program_is_imported(tmp_path: Path):
    ended = run(
        "import runpy, signal, sys\n"
        "class Press:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'mnist_sweep.errors': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "runpy.run_module('mnist_sweep', run_name='__main__')\n",
        tmp_path,
    )
    assert (ended.returncode, ended.stderr) == (130, "\nInterrupted.\n")


@pytest.mark.slow
@pytest.mark.parametrize("output", [">/dev/full", ">&- 2>&-", "| true"])
def test_a_failing_check_whose_output_is_lost_fails(failing: Path, output: str):
    words = f"-m mnist_sweep check {failing} --baseline {failing.with_name('b.json')}"
    ended = subprocess.run(
        ["bash", "-c", f"{sys.executable} {words} {output}; exit ${{PIPESTATUS[0]}}"],
        cwd=failing, text=True, check=False, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_to_end_interrupts_and_further_ones_do_not(number: int):
    cleaned = []
    at_start = [signal.signal(one, signal.SIG_DFL) for one in END_SIGNALS]  # not those of nohup

    def interrupted() -> None:
        with end_interrupts():
            try:
                signal.raise_signal(number)
            finally:
                for one in END_SIGNALS:
                    signal.raise_signal(one)
                cleaned.append(number)

    before = [signal.getsignal(one) for one in END_SIGNALS]
    with pytest.raises(Interrupted):
        interrupted()
    assert cleaned
    assert [signal.getsignal(one) for one in END_SIGNALS] == before
    for one, handler in zip(END_SIGNALS, at_start, strict=True):
        signal.signal(one, handler)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal on Windows")
def test_a_program_started_by_nohup_goes_on_when_its_terminal_closes():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with end_interrupts():
            signal.raise_signal(signal.SIGHUP)
    except Interrupted:
        pytest.fail("it was interrupted")
    finally:
        signal.signal(signal.SIGHUP, before)
