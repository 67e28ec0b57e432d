"""What a run was carried out with: versions, code, machine. Never environment variables."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from mnist_sweep.settings import Plain

_PACKAGES = {"tensorflow": "tensorflow", "keras": "keras", "numpy": "numpy", "hydra": "hydra-core"}
GIT_TIMEOUT_S = 5.0


def describe() -> Plain:
    """The record's `environment`, without what only the run itself knows."""
    from mnist_sweep import __version__

    # The commit of the working directory's repository, and whether tracked files differ from it.
    sha = _git("rev-parse", "HEAD") or None
    changes = _git("status", "--porcelain", "--untracked-files=no") if sha else None
    return {
        "python": platform.python_version(),
        **{name: _version(package) for name, package in _PACKAGES.items()},
        "mnist_sweep": __version__,
        "git_sha": sha,
        "git_dirty": None if changes is None else bool(changes),
        "cpu": cpu(),
    }


def _version(package: str) -> str | None:
    # From the installed package's metadata, so that nothing heavy is imported.
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        answer = subprocess.run(
            # Without the lock of `git status`, which a commit at the same time would trip over.
            ["git", "--no-optional-locks", *arguments],
            capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def cpu() -> str:
    """The name of the machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
