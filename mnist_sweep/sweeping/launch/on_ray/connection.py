"""The connection to a Ray cluster, or to a Ray that is started on this machine for the sweep."""

from __future__ import annotations

import logging
import math
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import mnist_sweep
from mnist_sweep.data import DatasetInfo
from mnist_sweep.errors import MnistSweepError, UsageError
from mnist_sweep.records.locks import held
from mnist_sweep.sweeping.launch import processes
from mnist_sweep.sweeping.launch.job import Job

# The object store of a Ray of our own only passes results on, a few MB each.
STORE_BYTES = 100 * 2**20
LOOK_S = 5.0  # how long the cluster's size is taken to stay the same
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where Linux has it; Ray puts its store there)
TEMPORARY = "mnist-sweep-ray-"
MAX_FOLDER_LENGTH = 20
# A younger directory may belong to a process that has not locked it yet.
ABANDONED_AFTER_S = 60.0

Needs = Mapping[str, float]
"""Resources of a run by Ray's names: CPU, GPU, memory (bytes), and what an administrator named.
Ray books them; it does not hold the run to them."""


class Connection:
    """An open connection, until `close`; UsageError where there is no such cluster.

    Without an address, a Ray with `own_cpus` processors runs on this machine until then.
    """

    close: Callable[[], None]

    def __init__(self, address: str | None, own_cpus: int, runtime_env: Mapping[str, Any]) -> None:
        self.own = not address
        self._own_cpus = own_cpus
        self._made_for = (address, dict(runtime_env))
        self._data: dict[str, list[Any]] = {}
        self._nodes: list[dict[str, float]] = []
        self._looked = -math.inf
        # Read when Ray is imported, and when it starts.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # The fork server is of no use here, and would import TensorFlow while Ray starts.
        processes.end_fork_server()
        import ray

        from mnist_sweep.sweeping.launch.on_ray.node import run_job

        # Ray takes SIGTERM for itself; here it must end a sweep as Ctrl-C does.
        on_sigterm = signal.getsignal(signal.SIGTERM)
        with ExitStack() as opened:  # a directory of our own is removed where Ray does not start
            options = _own_options(own_cpus, opened) if self.own else {"address": address}
            try:
                ray.init(
                    **options,
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    runtime_env=environment_of_runs(runtime_env),
                )
            except Exception as error:  # Ray raises anything where it cannot connect
                cluster = f"a Ray cluster at hydra.launcher.address={address}"
                raise UsageError(
                    f"Expected {'to start Ray on this machine' if self.own else cluster}, but "
                    f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
                ) from error
            finally:
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, on_sigterm)
            opened.callback(ray.shutdown)
            self.close = opened.pop_all().close
        self._run_job = ray.remote(run_job)  # once: each such object sends the function again
        # Ray would report dead nodes on standard output, where the tables go; we report them.
        ray._private.worker._worker_logs_enabled = False  # noqa: SLF001  (there is no public way)
        # Each run that is handed out holds a lock, an open file; 1,024 are often the limit.
        with suppress(ImportError, OSError, ValueError):  # Windows; or it cannot be raised
            import resource

            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def serves(self, address: str | None, own_cpus: int, runtime_env: Mapping[str, Any]) -> bool:
        """Whether runs of a launcher with these settings can use it."""
        enough = not self.own or self._own_cpus >= own_cpus
        return enough and self._made_for == (address, dict(runtime_env))

    @cached_property
    def mailbox(self) -> Any:
        """The actor that runs tell how far they are; it takes no CPU from them."""
        import ray

        from mnist_sweep.sweeping.launch.on_ray import node

        remote: Any = ray.remote(node.Mailbox)
        options = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": node.MAX_CALLS}
        return remote.options(**options).remote()

    def data(self, info: DatasetInfo) -> list[Any]:
        """The object of a dataset in Ray's store, in a list; none where the files lie here."""
        import ray

        from mnist_sweep.sweeping.launch.on_ray import node

        if self.own or not info.sha256:  # a task of the user's own may need no data
            return []
        if info.sha256 not in self._data:
            self._data[info.sha256] = [ray.put(node.pack(info))]
        return self._data[info.sha256]

    def hand_out(self, job: Job, ticket: str, needs: Needs) -> Any:
        """Give a run to Ray, which starts it when there is room; refers to its `TaskResult`."""
        data = self.data(job.data)
        # Ray's own retries would repeat a run without our count of them.
        task = self._run_job.options(max_retries=0, **options_of(needs))
        return task.remote(replace(job, hydra={}), ticket, data, self.mailbox)

    def nodes(self) -> list[dict[str, float]]:
        """The resources of the nodes that are there now."""
        import ray

        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        return self._nodes

    def room(self, needs: Needs) -> int:
        """How many runs would fit on the cluster at once if it were empty."""
        return sum(fit(needs, node) for node in self.nodes())


def _own_options(cpus: int, opened: ExitStack) -> dict[str, Any]:
    """Options of a Ray on this machine, whose files are in a directory of its own."""
    # The paths of Ray's sockets may not be longer than 107 characters.
    folder = Path(tempfile.gettempdir())
    if len(str(folder)) > MAX_FOLDER_LENGTH and os.name == "posix":
        folder = Path("/tmp")  # noqa: S108  (mkdtemp makes a directory that is ours alone)
    directory = str(opened.enter_context(locked_directory(TEMPORARY, folder)))
    options = {
        "address": "local", "num_cpus": cpus, "object_store_memory": STORE_BYTES,
        "include_dashboard": False, "_temp_dir": directory,
    }  # fmt: skip
    # Containers often have 64 MB of shared memory, about which Ray would warn.
    if not SHARED_MEMORY.exists() or shutil.disk_usage(SHARED_MEMORY).free <= 2 * STORE_BYTES:
        options["_plasma_directory"] = directory
    return options


def environment_of_runs(users: Mapping[str, Any]) -> dict[str, Any]:
    """Ray's `runtime_env` of runs: this program's code, and what the user asks for."""
    # Modules of the user's that this process finds by its working directory or PYTHONPATH are found
    # by the same paths where a node has them; others need them in `py_modules` or `working_dir`.
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


def options_of(needs: Needs) -> dict[str, Any]:
    """The resources of a run as options of Ray's tasks."""
    own = {name: n for name, n in needs.items() if name not in ("CPU", "GPU", "memory")}
    memory = {"memory": needs["memory"]} if needs["memory"] else {}
    return {"num_cpus": needs["CPU"], "num_gpus": needs["GPU"], "resources": own, **memory}


def fit(needs: Needs, node: Mapping[str, float]) -> int:
    """How many runs fit on a node with these resources."""
    # The small sum keeps 0.3 / 0.1 from being rounded down to 2.
    rooms = [math.floor(node.get(name, 0) / n + 1e-9) for name, n in needs.items() if n]
    return min(rooms, default=1)


def words_of(needs: Needs) -> str:
    """'2 CPU, 512 MB of memory': the resources of a run in words."""
    shown = {name: n for name, n in needs.items() if n or name == "CPU"}
    return ", ".join(
        f"{n / 2**20:.12g} MB of memory" if name == "memory" else f"{n:.12g} {name}"
        for name, n in shown.items()
    )


@contextmanager
def locked_directory(prefix: str, folder: Path | None = None) -> Iterator[Path]:
    """Make a temporary directory, and remove it at the end of the block.

    Directories of the same prefix that killed processes left are removed first.
    """
    folder = folder or Path(tempfile.gettempdir())
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError, MnistSweepError):
            state = path.lstat()
            mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
            if mine and time.time() - state.st_mtime >= ABANDONED_AFTER_S:
                with held(path / ".used") as free:
                    if free:
                        shutil.rmtree(path, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        with held(directory / ".used"):
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
