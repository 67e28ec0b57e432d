"""Nobody reads the output, or it cannot be written: the exit code stays that of what was done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        cwd=place, text=True, check=False, **{"stderr": subprocess.PIPE, **options},
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
