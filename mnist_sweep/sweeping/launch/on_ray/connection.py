"""The connection to a Ray cluster, or to a Ray that is started on this machine for the sweep."""

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
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import mnist_sweep
from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import MnistSweepError, UsageError
from mnist_sweep.records.locks import held
from mnist_sweep.sweeping.launch import processes

STORE_BYTES = 100 * 2**20
"""Of the object store of a Ray of our own: it passes results on, a few MB each."""
LOOK_S = 5.0
"""How long the cluster's size is taken to stay the same."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where Linux has it; Ray puts its store there)
TEMPORARY = "mnist-sweep-ray-"
MAX_FOLDER_LENGTH = 20


class Connection:
    """An open connection, until `close`.

    Args:
        address: The cluster's, as `ray.init` takes it; None starts a Ray on this machine.
        own_cpus: Processors that a Ray on this machine gets.
        runtime_env: Ray's, from the user; what this program needs is added.

    Raises:
        UsageError: There is no such cluster, or it does not take this program.
    """

    def __init__(self, address: str | None, own_cpus: int, runtime_env: Mapping[str, Any]) -> None:
        self.own_cpus = None if address else own_cpus
        self._made_for = (address, dict(runtime_env))
        self._close = ExitStack()
        self._data: dict[str, list[Any]] = {}
        self._nodes: list[dict[str, float]] = []
        self._looked = -math.inf
        # Read when Ray is imported, and when it starts.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # The fork server is of no use here, and would import TensorFlow while Ray starts.
        processes.end_fork_server()
        with ExitStack() as failing:
            failing.callback(self.close)
            self._open(address, runtime_env)
            failing.pop_all()

    def _open(self, address: str | None, runtime_env: Mapping[str, Any]) -> None:
        import ray

        from mnist_sweep.sweeping.launch.on_ray import task

        options: dict[str, Any] = {"address": address, "log_to_driver": False}
        if self.own:
            options = {**options, "address": "local", **self._own_options()}
        try:
            with _sigterm_kept():
                ray.init(
                    **options,
                    logging_level=logging.CRITICAL,
                    runtime_env=environment_of_runs(runtime_env),
                )
        except Exception as error:  # Ray raises anything where it cannot connect
            place = "on this machine" if self.own else f"at hydra.launcher.address={address}"
            raise UsageError(
                f"Expected {'to start Ray' if self.own else 'a Ray cluster'} {place}, but "
                f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            ) from error
        self._close.callback(ray.shutdown)
        # Ray would report dead nodes on standard output, where the tables go; we report them.
        ray._private.worker._worker_logs_enabled = False  # noqa: SLF001  (there is no public way)
        _allow_many_open_files()
        self.task: Any = ray.remote(task.run_job)

    def _own_options(self) -> dict[str, Any]:
        """Options of a Ray on this machine, whose files are in a directory of its own."""
        # The paths of Ray's sockets may not be longer than 107 characters.
        folder = Path(tempfile.gettempdir())
        if len(str(folder)) > MAX_FOLDER_LENGTH and os.name == "posix":
            folder = Path("/tmp")  # noqa: S108  (mkdtemp makes a directory that is ours alone)
        directory = str(self._close.enter_context(locked_directory(TEMPORARY, folder)))
        small = {} if _room_in_shared_memory() else {"_plasma_directory": directory}
        return {
            "num_cpus": self.own_cpus, "object_store_memory": STORE_BYTES,
            "include_dashboard": False, "_temp_dir": directory, **small,
        }  # fmt: skip

    def close(self) -> None:
        """Close it; a Ray on this machine ends, with all its processes."""
        self._close.close()

    def serves(self, address: str | None, cpus: int, runtime_env: Mapping[str, Any]) -> bool:
        """Whether runs of a launcher with these settings can use it."""
        enough = self.own_cpus is None or self.own_cpus >= cpus
        return enough and self._made_for == (address, dict(runtime_env))

    @property
    def own(self) -> bool:
        """Whether the Ray was started for this sweep, on this machine."""
        return self.own_cpus is not None

    @cached_property
    def mailbox(self) -> Any:
        """The actor that runs tell how far they are."""
        from mnist_sweep.sweeping.launch.on_ray import mailbox  # asyncio, which nothing else needs

        return mailbox.start()

    def data(self, info: DatasetInfo) -> list[Any]:
        """The object of a dataset in Ray's store, in a list; none where the files lie here."""
        import ray

        if self.own or not info.sha256:  # a task of the user's own may need no data
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
        """How many runs would fit on the cluster at once if it were empty."""
        return sum(needs.fit(node) for node in self.nodes())


def check_installed() -> None:
    """See that Ray is installed.

    Raises:
        UsageError: It is not.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError(
            "hydra/launcher=ray needs Ray, which is not installed: pip install 'mnist-sweep[ray]'. "
            "Without it hydra/launcher=pool runs on this machine."
        )


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
    """Each run that is handed out holds a lock, an open file; 1,024 are often the limit."""
    with suppress(ImportError, OSError, ValueError):  # Windows; or the limit cannot be raised
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _room_in_shared_memory() -> bool:
    """Whether shared memory holds the store; containers often have 64 MB, and Ray warns then."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free > 2 * STORE_BYTES
    except OSError:
        return False


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; here it must end a sweep as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


MEGABYTE = 2**20


@dataclass(frozen=True)
class Needs:
    """Resources of one run, as Ray books them; it does not hold the run to them.

    Attributes:
        num_cpus: Processors; may be a fraction.
        num_gpus: GPUs; may be a fraction, then runs share one.
        memory_mb: Memory in 2**20 bytes; None to leave it to Ray.
        resources: Resources that the cluster's administrator named.
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
        """How many runs fit on a node with these resources."""
        memory = 0 if self.memory_mb is None else self.memory_mb * MEGABYTE
        needed = {"CPU": self.num_cpus, "GPU": self.num_gpus, "memory": memory, **self.resources}
        # The small sum keeps 0.3 / 0.1 from being rounded down to 2.
        rooms = [math.floor(node.get(k, 0) / v + 1e-9) for k, v in needed.items() if v]
        return min(rooms, default=1)

    def __str__(self) -> str:
        words = [f"{self.num_cpus:g} CPU"]
        words += [f"{self.num_gpus:g} GPU"] if self.num_gpus else []
        words += [f"{self.memory_mb} MB of memory"] if self.memory_mb else []
        words += [f"{amount:g} {name}" for name, amount in self.resources.items()]
        return ", ".join(words)


ABANDONED_AFTER_S = 60.0
"""A younger directory may belong to a process that has not locked it yet."""


@contextmanager
def locked_directory(prefix: str, folder: Path | None = None) -> Iterator[Path]:
    """Make a directory, and remove it at the end of the block.

    Directories of the same prefix that killed processes left are removed first.

    Args:
        prefix: Of the directory's name.
        folder: Where it is made; None for the system's temporary folder.
    """
    folder = folder or Path(tempfile.gettempdir())
    _remove_abandoned(folder, prefix)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        with held(directory / ".used"):
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError, MnistSweepError):
            state = path.lstat()
            mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
            if mine and time.time() - state.st_mtime >= ABANDONED_AFTER_S:
                with held(path / ".used") as free:
                    if free:
                        shutil.rmtree(path, ignore_errors=True)
