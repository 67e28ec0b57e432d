"""How this installation is called, as messages show it: a command works when it is pasted.

Messages of every package name commands, so this stands beside `errors`. So does where `conf/` is,
which both `--help` and Hydra need.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from mnist_sweep.errors import UsageError, visible


def conf_directory() -> Path:
    """The absolute path of `conf/`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "conf", package.parent / "conf"):
        if (candidate / "config.yaml").is_file():
            return candidate
    raise UsageError(
        f"The settings' files are missing: expected conf/config.yaml in {package} or beside it. "
        "Install the package again."
    )


def program() -> str:
    """What starts this program again: names where a shell finds this installation by them."""
    started, python = Path(sys.argv[0]), Path(sys.executable)
    script = started if started.stem == "mnist-sweep" else python.with_name("mnist-sweep")
    if started.stem != "__main__" and script.exists():
        return _found_as("mnist-sweep", script)
    return f"{_found_as('python', python)} -m mnist_sweep"


def _found_as(name: str, path: Path) -> str:
    found = shutil.which(name)
    is_this = found and Path(found).absolute().parent == path.absolute().parent
    return name if is_this and Path(str(found)).samefile(path) else shlex.quote(shown_path(path))


def command(*words: str | Path) -> str:
    """A command that works in this directory: 'mnist-sweep resume outputs/grid'."""
    shown = (shlex.quote(shown_path(one)) if isinstance(one, Path) else one for one in words)
    return " ".join((program(), *shown))


def shown_path(path: Path) -> str:
    """A path as people write it: relative where it lies below the working directory."""
    try:
        return visible(str(path.relative_to(Path.cwd())))
    except ValueError:
        return visible(str(path))
