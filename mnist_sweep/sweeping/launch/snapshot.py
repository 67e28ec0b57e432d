"""A copy of the code beside the sweep, so that submitted jobs run it as it was when submitted.

Copied are the user's own modules that the run ids cover, and this package unless pip copied it. The
files beside them (weights, modules that are imported by computed names) become links, so that code
finds them where it looks for them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mnist_sweep.records import store
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.settings.source import files_of, is_installed, targets_of
from mnist_sweep.sweeping.launch.job import Job

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


def take(sweep: Path, jobs: Iterable[Job]) -> Path:
    """Copy the code of some jobs into their sweep's directory, once for each state of it.

    Returns:
        The script that starts a submitted job with this code.

    Raises:
        DirectoryError: It cannot be written.
        UsageError: A file cannot be read.
    """
    files = files_of(*{target for job in jobs for target in targets_of(job.settings)})
    own = dict(files)
    if not is_installed(_PACKAGE.parent):
        names = (path for path in _PACKAGE.rglob("*") if path.is_file())
        files |= {
            path.relative_to(_PACKAGE.parent).as_posix(): path
            for path in names if path.suffix != ".pyc"
        }  # fmt: skip
    contents = {START: _START_CODE} | {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name} {len(contents[name])}\n".encode() + contents[name])
    place = SweepPaths(sweep).code / digest.hexdigest()[:12]
    if not place.is_dir():
        with store.scratch(place.parent) as scratch:
            for name, content in contents.items():
                path = scratch / name
                store.make_directory(path.parent)
                path.write_bytes(content)
            _link_neighbours(scratch, own)
            with suppress(OSError):  # another command has just made the same
                scratch.rename(place)
    return place / START


def _link_neighbours(place: Path, own: dict[str, Path]) -> None:
    """Links to what lies beside copied files; in the folder of a package all, else no code."""
    for name, path in own.items():
        in_package = "/" in name
        for entry in os.scandir(path.parent):
            link = (place / name).with_name(entry.name)
            is_data = entry.is_file() and not entry.name.endswith(".py")
            if not os.path.lexists(link) and (in_package or is_data):
                with suppress(OSError):  # a file system without links
                    link.symlink_to(Path(entry.path).absolute())
