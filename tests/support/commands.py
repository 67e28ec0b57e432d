"""The program as people run it: one process a command, or many commands in one process.

As a script it reads commands from standard input, runs each as `python -m mnist_sweep` would, and
writes its exit status and output. Many commands share a process because starting Python and
TensorFlow takes most of a small command's time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import process
from pathlib import Path
from types import TracebackType
from typing import Self

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


class Program:
    """A process that runs commands one after the other; they share one fork server."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=dict(environ), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind:
            self._process.kill()
        self._process.communicate()

    def run(self, words: Sequence[str], place: Path) -> Done:
        """Run one command in the directory `place`, which is made."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(words), str(place)]) + "\n")
        self._process.stdin.flush()
        if answer := self._process.stdout.readline():
            return Done(**json.loads(answer))
        raise RuntimeError(f"{' '.join(words)} ended the process with {self._process.wait()}")


def run_all(
    commands: Mapping[str, Sequence[str]], places: Path, environ: Mapping[str, str]
) -> dict[str, Done]:
    """Run many commands in one process, each in a new directory `places`/NAME."""
    with Program(environ) as program:
        return {name: program.run(words, places / name) for name, words in commands.items()}


def _here(words: Sequence[str], place: str) -> Done:
    import mnist_sweep
    from mnist_sweep.cli import main

    Path(place).mkdir(exist_ok=True)
    os.chdir(place)
    process.ORIGINAL_DIR = place  # where its workers start
    sys.argv[:] = [str(Path(str(mnist_sweep.__file__)).with_name("__main__.py")), *words]
    for number in (1, 2):
        os.lseek(number, 0, os.SEEK_SET)
        os.truncate(number, 0)
    try:
        main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:  # noqa: BLE001  (what a shell would show as a traceback)
        code = 1
        print(f"Traceback: {error!r}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    out, err = (os.pread(number, os.fstat(number).st_size, 0).decode() for number in (1, 2))
    return Done(code, out, err)


def _all_here() -> None:
    from mnist_sweep.sweeping.launch import processes

    # The fork server has TensorFlow imported; one serves all commands.
    processes.end_fork_server = lambda: None
    asked, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # Files in place of the streams hold what libraries and workers write, too. They are emptied and
    # not replaced before a command: the fork server of the first one keeps its streams.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        for line in asked:
            print(json.dumps(vars(_here(*json.loads(line)))), file=answers, flush=True)


if __name__ == "__main__":
    _all_here()
