"""Real sweeps in real processes, with networks that misbehave as they are told.

Used by the tests of reliability and by the benchmarks: a `Place` is a working directory with an
environment of its own, from which sweeps are started, killed and looked at.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GUARD_S = 120.0
"""Guards against hanging for ever; no test depends on how long anything takes."""

TROUBLE = '''
"""A builder of networks that misbehaves in a run, and not where it is checked before any run."""
import ctypes, os, resource, signal, sys, time
from pathlib import Path

def _in_a_run():
    return any(Path(f"/proc/self/fd/{n}").exists() and os.readlink(f"/proc/self/fd/{n}").endswith(
        "/job.log") for n in (1, 2))

def build(input_shape, classes, nodes, kind="fine", mark=0):
    if _in_a_run():
        line = f"{kind},{nodes},{mark} {os.getpid()} {time.time()}\\\\n".encode()
        log = os.open(os.environ["TROUBLE_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, line)
        os.close(log)
        misbehave(kind)
        wait(kind, mark)
    import keras  # here, since a task of this module needs none
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Flatten(),
        keras.layers.Dense(nodes, activation="relu"),
        keras.layers.Dense(classes, activation="softmax"),
    ])

def log(kind, nodes, mark):
    line = f"{kind},{nodes},{mark} {os.getpid()} {time.time()}\\n".encode()
    file = os.open(os.environ["TROUBLE_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line)
    os.close(file)

def wait(kind, mark):
    here = Path(os.environ["TROUBLE_LOG"]).parent
    while kind == "waits" and not ((here / "go").exists() or (here / f"go_{mark}").exists()):
        time.sleep(0.05)

def misbehave(kind):
    here = Path(os.environ["TROUBLE_LOG"]).parent
    if kind == "raises":
        raise ValueError("this network [raises] on purpose")
    if kind == "raises_at_first" and not (here / "mended").exists():
        raise ValueError("not mended yet")
    if kind == "exits":
        sys.exit("leaving early")
    if kind == "leaves":
        print("these were the last words", flush=True)
        os._exit(3)
    if kind == "segfaults":
        ctypes.string_at(0)
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "killed_once" and not (here / "killed_once").exists():
        (here / "killed_once").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "eats":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))
        bytearray(2**30)
    if kind == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if kind == "leaves_a_child" and os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    if kind == "leaves_a_child":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "slow":
        time.sleep(1.5)
    if kind == "endless":
        time.sleep(600)
'''.replace("\\\\", "\\")
CONF = (
    "_target_: trouble.build\nnodes: ${nodes}\nkind: fine\n"
    "mark: ${seed}  # seeds are not handed to builders otherwise\n"
)


@dataclass(frozen=True)
class Ended:
    """A sweep that came to its end."""

    code: int
    out: str
    err: str

    @property
    def account(self) -> str:
        """What the summary says was done, skipped, run and failed."""
        return account(self.out)


def account(out: str) -> str:
    """How many runs finished, as the summary's first line says it."""
    (text,) = re.findall(r"^.* · (\d+ of \d+ runs? finished.*) · .*$", out, re.MULTILINE)
    return str(text)


@dataclass
class Place:
    """Where sweeps are started.

    Attributes:
        path: The working directory.
        cache: Of prepared data and compiled programs.
        changes: Of the environment.
    """

    path: Path
    cache: Path
    changes: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        modules, conf = self.path / "modules", self.path / "conf" / "model"
        modules.mkdir(parents=True, exist_ok=True)
        conf.mkdir(parents=True, exist_ok=True)
        (modules / "trouble.py").write_text(TROUBLE)
        (conf / "trouble.yaml").write_text(CONF)

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "CI"}
        paths = [str(self.path / "modules"), os.environ.get("PYTHONPATH", "")]
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "MNIST_SWEEP_CACHE": str(self.cache),
            "TROUBLE_LOG": str(self.path / "trouble.log"),
            "MARK_OF_TEST": self.mark,
            **self.changes,
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "mnist_sweep", *words]

    def sweep_words(self, *words: str) -> list[str]:
        """A sweep over tiny networks on the bundled digits."""
        usual = ("data=digits", "model=trouble", "nodes=4", "epochs=2", "report=false")
        given = {word.partition("=")[0] for word in words}
        kept = [word for word in usual if word.partition("=")[0] not in given]
        return ["-m", "--config-dir", str(self.path / "conf"), *kept, *words]

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start a sweep in a process group of its own."""
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        return subprocess.Popen(
            self.command(*words), cwd=self.path, env=self.environment, start_new_session=True,
            **more,
        )  # fmt: skip

    def run(self, *words: str) -> Ended:
        """Start a command and wait for its end."""
        return self.wait(self.start(*words))

    def sweep(self, *words: str) -> Ended:
        """Run a sweep over tiny networks; see `sweep_words`."""
        return self.run(*self.sweep_words(*words))

    def wait(self, process: subprocess.Popen[str]) -> Ended:
        out, err = process.communicate(timeout=GUARD_S)
        return Ended(process.returncode, out, err)

    def directory(self, name: str) -> Path:
        return self.path / "outputs" / name

    def records(self, name: str) -> dict[str, dict[str, Any]]:
        """Records of a sweep by the label of their run."""
        found = self.directory(name).glob("runs/*/record.json")
        records = [json.loads(path.read_bytes()) for path in found]
        return {record["label"]: record for record in records}

    def record_files(self, name: str) -> dict[str, tuple[int, int, bytes]]:
        """Of every finished run's record: its inode, time and content."""
        found = {}
        for path in self.directory(name).glob("runs/*/record.json"):
            content, state = path.read_bytes(), path.stat()
            if json.loads(content)["status"] == "finished":
                found[path.parent.name] = (state.st_ino, state.st_mtime_ns, content)
        return found

    def executions(self) -> list[tuple[str, int, float]]:
        """What the builder's own log holds: (kind,nodes,seed), process id and time of each run."""
        log = self.path / "trouble.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(w[0], int(w[1]), float(w[2])) for w in map(str.split, lines)]

    def processes(self) -> dict[int, str]:
        """Processes started from here that still run, by id."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                marked = f"MARK_OF_TEST={self.mark}".encode() in (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if marked and state != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
        return found

    def gone(self) -> bool:
        return not self.processes()


def until(what: Callable[[], Any], why: str = "") -> Any:
    """Wait for something to be true, and return it."""
    deadline = time.monotonic() + GUARD_S
    while not (value := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {GUARD_S} s in vain {why}")
        time.sleep(0.02)
    return value


def kill_group(process: subprocess.Popen[str]) -> None:
    """kill -9 of a sweep and all its processes at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=GUARD_S)


def table(place: Place, name: str) -> list[dict[str, Any]]:
    """The tables that a sweep wrote, without what is a time."""
    content = json.loads((place.directory(name) / "tables" / "comparison.json").read_bytes())
    return [without_times(entry) for entry in content["tables"]]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not str(k).startswith("time.")}
    if isinstance(value, list):
        kept = [v for v in value if not (isinstance(v, dict) and _is_time(v))]
        return [without_times(v) for v in kept]
    return value


def _is_time(value: dict[str, Any]) -> bool:
    return str(value.get("key", "")).startswith("time.")
