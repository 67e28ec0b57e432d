"""Jobs of hydra-submitit-launcher, on Slurm or this machine, each reported when it ends.

The plugin waits for its jobs in their order, and at the first that died it stops waiting while the
others go on unseen. Here the plugin's own function is submitted with the same settings, and each
job is reported as it ends, whatever becomes of the others. Jobs run a copy of the code beside the
sweep, as it was when they were submitted.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton

from mnist_sweep.errors import UsageError
from mnist_sweep.records import store
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.settings.source import files_of, is_installed, targets_of
from mnist_sweep.sweeping.launch.job import Job
from mnist_sweep.sweeping.launch.submitted import (
    ENDED,
    SubmittedJob,
    died_with,
    ended_without_record,
    note,
    with_states,
)

POLL_S = 0.5
QUERY_EVERY_S = 10.0
START = "_start_submitted_job.py"
# Called as `python START -u -m submitit.core._submit FOLDER`: submitit adds these words itself.
_START_CODE = b"""\
import os, runpy, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [here, os.getcwd(), *(place for place in sys.path if place != here)]
sys.argv[1:] = sys.argv[-1:]
runpy.run_module("submitit.core._submit", run_name="__main__", alter_sys=True)
"""
_PACKAGE = Path(__file__).parents[2]


def submit(
    launcher: Any, overrides: Sequence[Sequence[str]], jobs: Sequence[Job]
) -> list[tuple[SubmittedJob, Any]]:
    """Submit jobs with a copy of the code that they run; returns them as noted, and submitit's.

    Raises:
        UsageError: They were not accepted, and none runs.
    """
    start = copy_code(jobs[0].sweep, jobs)
    # `settings` are hydra.launcher's; those that are left at the end are submitit's parameters.
    kind, settings = launcher._EXECUTOR, dict(launcher.params)  # noqa: SLF001  (slurm or local)
    settings.pop("_target_", None)
    folder = settings.pop("submitit_folder")
    first = {f"{kind}_python": shlex.join([sys.executable, "-u", str(start)])}
    if kind == "slurm":
        first["slurm_max_num_timeout"] = settings.pop("max_num_timeout")
    count = len(jobs)
    try:
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        # Settings of the plugin's base have the same name on every cluster; not so `slurm_qos`.
        common = {one.name for one in fields(BaseQueueConf)}
        executor = submitit.AutoExecutor(folder=folder, cluster=kind, **first)
        executor.update_parameters(
            **{key if key in common else f"{kind}_{key}": value for key, value in settings.items()}
        )
        # As the plugin's own `launch` calls it.
        submitted = executor.map_array(
            launcher,
            [list(words) for words in overrides],
            ["hydra.sweep.dir"] * count,
            list(range(count)),
            [f"job_id_for_{number}" for number in range(count)],
            [Singleton.get_state()] * count,
        )
    except Exception as error:  # submitit raises anything: no Slurm here, a wrong partition
        raise UsageError(
            f"Expected to submit {count} runs by submitit, but "
            f"{type(error).__name__}: {' '.join(str(error).split())[:500]}. Check the settings "
            "of hydra.launcher, or run on this machine with hydra/launcher=pool."
        ) from error
    noted = [
        SubmittedJob(
            cluster=kind,
            job_id=one.job_id,
            machine=platform.node(),
            folder=str(Path(folder).expanduser().absolute()),
            job=replace(job, data=replace(job.data, stamp=None), hydra={}),
        )
        for one, job in zip(submitted, jobs, strict=True)
    ]
    note(jobs[0].sweep, noted)
    return list(zip(noted, submitted, strict=True))


def ended(submitted: Sequence[tuple[SubmittedJob, Any]]) -> Iterator[tuple[int, Any]]:
    """Wait for jobs, and cancel those that have not ended if interrupted.

    Yields:
        Which job (from 0) ended, with Hydra's JobReturn, or why (a str) its process died.
    """
    waiting, user = dict(enumerate(submitted)), os.getuid() if hasattr(os, "getuid") else 0
    asked, gone = time.monotonic(), dict[str, SubmittedJob]()
    try:
        while waiting:
            dead: dict[str, SubmittedJob] = {}
            if time.monotonic() - asked > QUERY_EVERY_S:
                # submitit asks sacct, which knows nothing where Slurm keeps no accounts.
                before, seen = gone, with_states([one for one, _ in waiting.values()], user)
                gone = {one.job_id: one for one in seen if one.state in ENDED}
                # Gone at two looks: not only its result comes a little late.
                dead = {job_id: one for job_id, one in gone.items() if job_id in before}
                asked = time.monotonic()
            for number, (one, job) in list(waiting.items()):
                if job.done():
                    try:
                        answer = job.results()[0]
                    except Exception as error:  # noqa: BLE001  (anything, where a process died)
                        answer = f"its job {died_with(error)}"
                elif one.job_id in dead:
                    answer = ended_without_record(dead[one.job_id])
                else:
                    continue
                del waiting[number]
                yield number, answer
            time.sleep(POLL_S if waiting else 0)
    finally:
        for _, job in waiting.values():
            job.cancel(check=False)
        if submitted:
            note(submitted[0][0].job.sweep, gone=[one for one, _ in submitted])


def copy_code(sweep: Path, jobs: Iterable[Job]) -> Path:
    """Copy the code of some jobs beside their sweep; returns the script that starts one with it.

    Copied are the user's own modules that the run ids cover, and this package unless pip copied it.
    """
    own = files_of(*{target for job in jobs for target in targets_of(job.settings)})
    files = dict(own)
    if not is_installed(_PACKAGE.parent):
        for path in _PACKAGE.rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                files[path.relative_to(_PACKAGE.parent).as_posix()] = path
    contents = {START: _START_CODE} | {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256(repr(sorted(contents.items())).encode()).hexdigest()
    place = SweepPaths(sweep).code / digest[:12]
    if not place.is_dir():
        with store.scratch(place.parent) as scratch:
            for name, content in contents.items():
                store.make_directory((scratch / name).parent)
                (scratch / name).write_bytes(content)
            for name, path in own.items():
                _link_neighbours(path, scratch / name, in_package="/" in name)
            with suppress(OSError):  # another command has just made the same
                scratch.rename(place)
    return place / START


def _link_neighbours(path: Path, copy: Path, *, in_package: bool) -> None:
    """Link what lies beside a file beside its copy: weights, modules of computed names."""
    for entry in os.scandir(path.parent):
        link = copy.with_name(entry.name)
        # Beside a module that is in no package, other modules are not its own.
        is_data = entry.is_file() and not entry.name.endswith(".py")
        if (in_package or is_data) and not os.path.lexists(link):
            with suppress(OSError):  # a file system without links
                link.symlink_to(Path(entry.path).absolute())
