"""What holds for all tests: which digits they use is said, and nothing outside is touched."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


def mnist_folder() -> Path | None:
    """The real MNIST: where MNIST_SWEEP_DATA says, or beside the checkout; None without it."""
    named = os.environ.get("MNIST_SWEEP_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "mnist"
    return folder if folder.exists() else None


def pytest_configure() -> None:
    """Keep the key that signs commands out of the user's own state directory; heed Ctrl-C."""
    # A background job of a shell ignores it, and so would every program that a test interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="mnist-sweep-test-state-")


SLOW = ("browser", "end_to_end", "inference/test_load.py", "reliability", "training")
"""Folders and files whose tests run whole programs, a browser or Keras."""
LONG_FOLDER = "reliability"
"""Its tests kill processes and wait for them; they are run with `--long`."""
LONG = pytest.mark.skip(reason="takes long: run with --long")


def is_slow(path: Path) -> bool:
    """Whether a file or folder is of `SLOW`."""
    return any(path.is_relative_to(REPOSITORY / "tests" / one) for one in SLOW)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long`."""
    parser.addoption("--long", action="store_true", help="run the tests marked long, too")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m "not slow"`, do not import what is left out: TensorFlow alone takes seconds."""
    leaves_out = config.option.markexpr == "not slow" and is_slow(collection_path)
    return True if leaves_out else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of `SLOW`, skip long ones without `--long`; slow files come first."""
    for item in items:
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
        if item.path.is_relative_to(REPOSITORY / "tests" / LONG_FOLDER):
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("long") and not config.getoption("--long"):
            item.add_marker(LONG)
    # Started last, a slow file would keep one core busy while the others have nothing left.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_report_header() -> str:
    """Say which digits the tests use."""
    folder = mnist_folder()
    return f"digits: {f'MNIST in {folder}' if folder else 'bundled digits (no MNIST found)'}"


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    """The folder of MNIST's IDX files; tests of it are skipped where there is none."""
    folder = mnist_folder()
    if folder is None:
        pytest.skip("no MNIST here: set MNIST_SWEEP_DATA to the folder of its IDX files")
    return folder
