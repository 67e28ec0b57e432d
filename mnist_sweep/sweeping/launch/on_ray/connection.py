"""The connection to a Ray cluster, or a Ray of the sweep's own: opened once, closed at the end."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mnist_sweep
from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import MnistSweepError, UsageError
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.sweeping.launch import processes

STORE_BYTES = 100 * 2**20
"""Of the object store of a Ray of our own: it passes results on, a few MB each."""
LOOK_S = 5.0
"""How long the cluster's size is taken to stay the same."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where Linux has it; Ray puts its store there)
TEMPORARY = "mnist-sweep-ray-"
MEGABYTE = 2**20


@dataclass(frozen=True)
class Needs:
    """What Ray sets aside for one run, whether or not the run keeps to it.

    Attributes:
        num_cpus: Processors; may be a fraction.
        num_gpus: GPUs; may be a fraction, then runs share one.
        memory_mb: Memory in 2**20 bytes; None to leave it to Ray.
        resources: Of the cluster's own naming.
    """

    num_cpus: float
    num_gpus: float = 0
    memory_mb: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """As options of a task."""
        memory = {} if self.memory_mb is None else {"memory": self.memory_mb * MEGABYTE}
        return {
            "num_cpus": self.num_cpus, "num_gpus": self.num_gpus,
            "resources": dict(self.resources), **memory,
        }  # fmt: skip

    def fit(self, node: Mapping[str, float]) -> int:
        """How many runs fit on a node of these resources."""
        memory = 0 if self.memory_mb is None else self.memory_mb * MEGABYTE
        asked = {"CPU": self.num_cpus, "GPU": self.num_gpus, "memory": memory, **self.resources}
        rooms = [math.floor(node.get(k, 0) / v + 1e-9) for k, v in asked.items() if v]
        return min(rooms, default=1)

    def __str__(self) -> str:
        words = [f"{self.num_cpus:g} CPU"]
        words += [f"{self.num_gpus:g} GPU"] if self.num_gpus else []
        words += [f"{self.memory_mb} MB of memory"] if self.memory_mb else []
        words += [f"{amount:g} {name}" for name, amount in self.resources.items()]
        return ", ".join(words)


class Connection:
    """An open connection; `open_connection` makes it, `close` ends it.

    Args:
        own_cpus: Processors of a Ray that was started for this sweep, on this machine; None for
            a cluster.
    """

    def __init__(self, own_cpus: int | None) -> None:
        import ray

        from mnist_sweep.sweeping.launch.on_ray import task

        self.own_cpus = own_cpus
        self.task: Any = ray.remote(task.carry_out)
        self._data: dict[str, list[Any]] = {}
        self._nodes: list[dict[str, float]] = []
        self._looked = -math.inf

    @property
    def own(self) -> bool:
        """Whether the Ray was started for this sweep."""
        return self.own_cpus is not None

    @cached_property
    def mailbox(self) -> Any:
        """The actor that runs tell how far they are."""
        from mnist_sweep.sweeping.launch.on_ray import mailbox  # asyncio, which nothing else needs

        return mailbox.start()

    def data(self, info: DatasetInfo) -> list[Any]:
        """The object of a dataset in Ray's store, in a list; none where the files lie here."""
        import ray

        if self.own:
            return []
        if info.sha256 not in self._data:
            from mnist_sweep.sweeping.launch.on_ray.node_data import pack

            self._data[info.sha256] = [ray.put(pack(info))]
        return self._data[info.sha256]

    def nodes(self) -> list[dict[str, float]]:
        """The resources of the nodes that are there now."""
        import ray

        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return self._nodes

    def room(self, needs: Needs) -> int:
        """How many runs fit on the cluster at once, were it empty."""
        return sum(needs.fit(node) for node in self.nodes())


_open: list[tuple[Connection, Path | None, int | None]] = []


def check_installed() -> None:
    """See that there is a Ray.

    Raises:
        UsageError: There is none.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "hydra/launcher=ray needs Ray, which is not installed: pip install 'mnist-sweep[ray]'. "
            "Without it hydra/launcher=pool runs on this machine."
        )


def open_connection(
    address: str | None, own_cpus: int, runtime_env: Mapping[str, Any]
) -> Connection:
    """Connect, or start a Ray of the sweep's own; a connection that is open is used again.

    A Ray of our own that is too small, as for a study's later stage with more threads a run, is
    started anew; nothing may be running on it.

    Args:
        address: The cluster's, as `ray.init` takes it; None starts one on this machine.
        own_cpus: Processors that one of our own must have.
        runtime_env: Ray's, of the user; what this program needs is added.

    Raises:
        UsageError: There is no such cluster, or it does not take this program.
    """
    if _open:
        there = _open[0][0].own_cpus
        if there is None or there >= own_cpus:
            return _open[0][0]
        close()
    # Read when Ray is imported, and when it starts.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    own = not address
    temporary, lock = _temporary() if own else (None, None)
    options: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
    if temporary is not None:
        options |= {
            "num_cpus": own_cpus, "object_store_memory": STORE_BYTES, "include_dashboard": False,
            "_temp_dir": str(temporary),
        }  # fmt: skip
        if not _room_in_shared_memory():
            options["_plasma_directory"] = str(temporary)
    # The fork server is of no use here, and would import TensorFlow while Ray starts.
    processes.cool_down()
    try:
        with _sigterm_kept():
            ray.init(
                **options,
                logging_level=logging.CRITICAL,
                runtime_env=environment_of_runs(runtime_env),
            )
    except Exception as error:  # Ray raises anything where it cannot connect
        _remove(temporary, lock)
        place = "on this machine" if own else f"at hydra.launcher.address={address}"
        raise UsageError(
            f"Expected {'to start Ray' if own else 'a Ray cluster'} {place}, but "
            f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        ) from error
    # Ray would tell of dead nodes on standard output, where the tables go; we tell it ourselves.
    ray._private.worker._worker_logs_enabled = False  # noqa: SLF001  (there is no public way)
    _allow_many_open_files()
    connection = Connection(own_cpus if own else None)
    _open.append((connection, temporary, lock))
    return connection


def close() -> None:
    """Close the connection, if there is one; a Ray of our own ends, with all its processes."""
    while _open:
        import ray

        _, temporary, lock = _open.pop()
        ray.shutdown()
        _remove(temporary, lock)


def environment_of_runs(users: Mapping[str, Any]) -> dict[str, Any]:
    """Ray's `runtime_env` of runs: this program's code, and what the user asks for.

    Modules of the user's that this process finds by its working directory or PYTHONPATH are found
    by the same paths where a node has them; other nodes need them in `py_modules` or `working_dir`.
    """
    paths = [str(Path.cwd()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **users,
        "py_modules": [str(Path(mnist_sweep.__file__).parent), *users.get("py_modules", [])],
        "excludes": ["**/__pycache__", *users.get("excludes", [])],
        "env_vars": {
            "PYTHONPATH": os.pathsep.join(paths),
            # Ray may have been started in a checkout of another version: not to be imported.
            "PYTHONSAFEPATH": "1",
            # A run that asks for no GPU sees none.
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
            **users.get("env_vars", {}),
        },
    }


def _allow_many_open_files() -> None:
    """Each run that is handed out holds a lock, an open file: more than the usual 1,024 may be."""
    with suppress(ImportError, OSError, ValueError):  # Windows; a limit that is not to be raised
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _room_in_shared_memory() -> bool:
    """Whether shared memory holds the store; containers often have 64 MB, and Ray warns then."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free > 2 * STORE_BYTES
    except OSError:
        return False


def _temporary() -> tuple[Path, int | None]:
    """A directory for a Ray of our own, and its lock; those of killed sweeps are removed."""
    # The paths of Ray's sockets may not be longer than 107 characters; a long TMPDIR is too much.
    folder = Path(tempfile.gettempdir())
    if len(str(folder)) > 20 and os.name == "posix":
        folder = Path("/tmp")  # noqa: S108  (mkdtemp makes a directory that is ours alone)
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError, MnistSweepError):
            if path.stat().st_mtime < time.time() - 60:
                lock = try_lock(path / ".used")
                if lock is not None:
                    _remove(path, lock)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
    return temporary, try_lock(temporary / ".used")


def _remove(temporary: Path | None, lock: int | None) -> None:
    if lock is not None:
        release(lock)
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; here it goes on to end a sweep as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
