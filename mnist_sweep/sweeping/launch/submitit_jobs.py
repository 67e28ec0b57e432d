"""Jobs of hydra-submitit-launcher, on Slurm or this machine, each reported when it ends.

The plugin waits for its jobs in their order, and at the first that died it stops waiting while the
others go on unseen. Here the plugin's own function is submitted with the same settings, and each
job is reported as it ends, whatever becomes of the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.singleton import Singleton
from hydra.plugins.launcher import Launcher

from mnist_sweep.errors import UsageError

POLL_S = 0.5
COMMON = (
    "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name",
    "stderr_to_stdout",
)  # fmt: skip
"""Parameters that have the same name on every cluster; others are prefixed, as `slurm_qos`."""


def is_submitit(launcher: Launcher) -> bool:
    """Whether a launcher is one of hydra-submitit-launcher's."""
    return type(launcher).__module__.startswith("hydra_plugins.hydra_submitit_launcher")


def run(launcher: Any, overrides: Sequence[Sequence[str]]) -> Iterator[tuple[int, Any]]:
    """Submit jobs and yield each as it ends.

    If it is interrupted, jobs that have not ended are cancelled.

    Yields:
        Which job (from 0), and Hydra's JobReturn, or the exception that stands for a dead process.

    Raises:
        UsageError: The jobs were not accepted, and none runs.
    """
    try:
        waiting = dict(enumerate(_submit(launcher, overrides)))
    except Exception as error:  # submitit raises anything: no Slurm here, a wrong partition
        raise UsageError(
            f"Expected to submit {len(overrides)} runs by submitit, but "
            f"{type(error).__name__}: {' '.join(str(error).split())[:500]}. Check the settings "
            "of hydra.launcher, or run on this machine with hydra/launcher=pool."
        ) from error
    try:
        while waiting:
            for number, job in list(waiting.items()):
                if job.done():
                    del waiting[number]
                    yield number, _result(job)
            time.sleep(POLL_S if waiting else 0)
    finally:
        for job in waiting.values():
            job.cancel(check=False)


def _submit(launcher: Any, overrides: Sequence[Sequence[str]]) -> list[Any]:
    """As the plugin's own `launch` does it, up to the waiting."""
    import submitit

    kind, settings = launcher._EXECUTOR, dict(launcher.params)  # noqa: SLF001  (slurm or local)
    settings.pop("_target_", None)
    folder = settings.pop("submitit_folder")
    first = {"max_num_timeout": settings.pop("max_num_timeout")} if kind == "slurm" else {}
    executor = submitit.AutoExecutor(
        folder=folder, cluster=kind, **{f"{kind}_{key}": value for key, value in first.items()}
    )
    executor.update_parameters(
        **{key if key in COMMON else f"{kind}_{key}": value for key, value in settings.items()}
    )
    count = len(overrides)
    jobs: list[Any] = executor.map_array(
        launcher,
        [list(words) for words in overrides],
        ["hydra.sweep.dir"] * count,
        list(range(count)),
        [f"job_id_for_{number}" for number in range(count)],
        [Singleton.get_state()] * count,
    )
    return jobs


def _result(job: Any) -> Any:
    try:
        return job.results()[0]
    except Exception as error:  # noqa: BLE001  (submitit raises anything where a process died)
        return error
