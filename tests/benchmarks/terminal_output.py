"""What a command leaves on a terminal of some width, and how many lines these are.

    python tests/benchmarks/terminal_output.py 80 [--ctrl-c SECONDS] -- mnist-sweep ...

Prints the screen as it is at the end: progress that was drawn over is gone. Run by hand.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
import threading

import pyte


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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("columns", type=int)
    parser.add_argument("--ctrl-c", type=float, metavar="SECONDS")
    parser.add_argument("words", nargs="+", metavar="COMMAND")
    given = parser.parse_args()
    code, left = screen_of(given.words, given.columns, given.ctrl_c)
    print("\n".join(left))
    print(f"exit code {code}, {len(left)} lines of {given.columns} columns", file=sys.stderr)
