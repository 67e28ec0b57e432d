"""A package of somebody else's that adds to this program by an entry point."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnist_sweep import metrics
from mnist_sweep.plugins import plugins


@contextmanager
def installed(folder: Path, group: str, name: str, source: str) -> Iterator[None]:
    """Install a module `their_package` whose object `name` is the entry point `name` of a group."""
    (folder / "their_package.py").write_text(source)
    metadata = folder / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        f"[mnist_sweep.{group}]\n{name} = their_package:{name}\n"
    )
    sys.path.insert(0, str(folder))
    _forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("their_package", None)
        _forget()


def _forget() -> None:
    plugins.cache_clear()
    metrics.definitions.cache_clear()
