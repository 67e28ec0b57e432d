"""What a command leaves on a terminal of some width, and how many lines these are.

    python tests/benchmarks/terminal_output.py 80 [--ctrl-c SECONDS] -- mnist-sweep ...
    python tests/benchmarks/terminal_output.py --all FOLDER > tests/benchmarks/terminal_output.md

Prints the screen as it is at the end: progress that was drawn over is gone. `--all` runs the sweeps
of the table in FOLDER at 200 columns, then, with the finished runs, at 80; every screen
is kept there. Run by hand.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import shutil
import signal
import struct
import sys
import termios
import threading
from pathlib import Path

import pyte

PROGRAM = (sys.executable, "-m", "mnist_sweep", "-m")
TASK = '''
import time

def train(lr=0.1, width=1, depth=1, seed=0, wait=0.0, broken=0):
    """Plain Python with predictions of 400 examples, so that 500 runs take little time."""
    time.sleep(wait)
    if width == broken:
        raise ValueError("this width is broken")
    true = [k % 10 for k in range(400)]
    wrong = int(200 * lr / (1 + lr)) + width + 3 * depth + seed
    predicted = [(one + 1) % 10 if k < wrong else one for k, one in enumerate(true)]
    return {"predictions": {"validation": (true, predicted), "test": (true, predicted)}}
'''
NETS = ("data=digits", "epochs=1")
OWN = ("task._target_=task.train",)
CASES: dict[str, tuple[str, ...]] = {
    "4 runs": (*NETS, "layers=1,2", "nodes=10,20"),
    "20 runs": (*NETS, "layers=1,2", "nodes=10,20,30,40,50", "dropout=0,0.2"),
    "100 runs: 20 configurations, 5 seeds":
        (*OWN, "task.lr=0.1,0.2,0.3,0.4", "task.width=1,2,3,4,5", "seed=range(5)"),
    "100 configurations": (*OWN, "task.lr=0.1,0.2,0.3,0.4", "task.width=range(1,26)"),
    "500 configurations":
        (*OWN, "task.lr=0.1,0.2,0.3,0.4", "task.width=range(1,26)", "task.depth=range(1,6)"),
    "study": ("+experiment=study", *NETS),
    "search": ("hydra/sweeper=search", "search.runs=20", *OWN,
               "task.lr=tag(log,interval(0.01,1))", "task.width=range(1,6)"),
    "24 runs, 12 of them failures":
        (*OWN, "task.width=1,2", "task.lr=range(1,13)", "+task.broken=2", "retries=0"),
    "Ctrl-C": (*OWN, "task.width=1,2,3,4,5,6", "+task.wait=4"),
}  # fmt: skip
CTRL_C_S = 12.0


def screen_of(words: list[str], columns: int, interrupt_s: float | None) -> tuple[int, list[str]]:
    """The exit code of a command, and the lines that it leaves on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background job ignores it
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.environ.pop("COLUMNS", None)
        os.execvp(words[0], words)
    if interrupt_s:
        threading.Timer(interrupt_s, os.write, (terminal, b"\x03")).start()
    screen = pyte.Screen(columns, 2000)
    stream = pyte.ByteStream(screen)
    try:
        while part := os.read(terminal, 65536):
            stream.feed(part)
    except OSError:  # the command has closed it
        pass
    _, status = os.waitpid(pid, 0)
    lines = [line.rstrip() for line in screen.display]
    return os.waitstatus_to_exitcode(status), "\n".join(lines).rstrip().split("\n")


def measure_all(folder: Path) -> None:
    """Print the table of line counts; every screen is kept in `folder`."""
    os.chdir(folder)
    Path("task.py").write_text(TASK)
    print("# Lines at a sweep's end\n\nMade by `tests/benchmarks/terminal_output.py --all`.\n")
    print("| sweep | exit code | 80 columns | 200 columns |\n| --- | --- | --- | --- |")
    for number, (name, words) in enumerate(CASES.items()):
        command = [*PROGRAM, *words, f"name=case{number}"]
        counts, codes = {}, {}
        for columns in (200, 80):
            if name == "Ctrl-C":
                shutil.rmtree(f"outputs/case{number}", ignore_errors=True)
            wait = CTRL_C_S if name == "Ctrl-C" else None
            codes[columns], lines = screen_of(command, columns, wait)
            Path(f"{name}-{columns}.txt").write_text("\n".join(lines) + "\n")
            counts[columns] = len(lines)
        print(f"| {name} | {codes[80]} | {counts[80]} | {counts[200]} |", flush=True)
    resume = [*PROGRAM[:-1], "resume", f"outputs/case{len(CASES) - 1}"]
    for columns in (80, 200):
        codes[columns], lines = screen_of(resume, columns, None)
        Path(f"resume-{columns}.txt").write_text("\n".join(lines) + "\n")
        counts[columns] = len(lines)
    print(f"| `resume` after Ctrl-C | {codes[80]} | {counts[80]} | {counts[200]} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("columns", type=int, nargs="?")
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    parser.add_argument("--ctrl-c", type=float, metavar="SECONDS")
    parser.add_argument("words", nargs="*", metavar="COMMAND")
    given = parser.parse_args()
    if given.all:
        measure_all(given.all)
    else:
        code, left = screen_of(given.words, given.columns, given.ctrl_c)
        print("\n".join(left))
        print(f"exit code {code}, {len(left)} lines of {given.columns} columns", file=sys.stderr)
