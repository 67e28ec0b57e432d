"""The program as people run it: one process a command, or many commands in one process.

As a script it takes a JSON file of commands, runs each as `python -m mnist_sweep` would, and writes
what came of them: bad input needs hundreds of short commands, and starting Python is most of each.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WITHOUT = ("MNIST_SWEEP_DATA", "MNIST_SWEEP_CACHE", "KERAS_HOME", "CI", "HYDRA_FULL_ERROR")


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment without MNIST and with a cache of its own, below `home`."""
    kept = {key: value for key, value in os.environ.items() if key not in WITHOUT}
    return {
        **kept,
        "MNIST_SWEEP_CACHE": str(home / "cache"),
        "KERAS_HOME": str(home / "keras"),
        "COLUMNS": "200",
        **more,
    }


def run(
    words: Sequence[str], place: Path, environ: Mapping[str, str], program: Sequence[str] = ()
) -> Done:
    """Run one command in a process of its own, in the directory `place`."""
    start = list(program) or [sys.executable, "-m", "mnist_sweep"]
    ended = subprocess.run(
        [*start, *words], cwd=place, env=dict(environ), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    return Done(ended.returncode, ended.stdout, ended.stderr)


def run_all(
    commands: Mapping[str, Sequence[str]], places: Path, environ: Mapping[str, str]
) -> dict[str, Done]:
    """Run many commands in one process, each in a new directory `places`/NAME."""
    asked, told = places / "commands.json", places / "done.json"
    asked.write_text(json.dumps({name: list(words) for name, words in commands.items()}))
    ended = run([str(asked), str(told)], places, environ, [sys.executable, __file__])
    if not told.exists():
        raise RuntimeError(f"the commands were not run to the end: {ended.err}")
    return {name: Done(**done) for name, done in json.loads(told.read_text()).items()}


def _here(name: str, words: Sequence[str], places: Path) -> Done:
    from mnist_sweep.cli import main

    place = places / name
    place.mkdir(exist_ok=True)
    os.chdir(place)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException as error:  # noqa: BLE001  (what a shell would show as a traceback)
            code = 1
            err.write(f"Traceback: {error!r}")
    return Done(code, out.getvalue(), err.getvalue())


def _all_here(asked: Path, told: Path) -> None:
    from mnist_sweep.sweeping.launch import processes

    # The fork server has TensorFlow imported; one serves all commands.
    processes.end_fork_server = lambda: None
    commands = json.loads(asked.read_text())
    done = {name: _here(name, words, asked.parent) for name, words in commands.items()}
    told.write_text(json.dumps({name: vars(ended) for name, ended in done.items()}))


if __name__ == "__main__":
    _all_here(Path(sys.argv[1]), Path(sys.argv[2]))
