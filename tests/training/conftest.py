"""Data for tests: the real MNIST where it lies, small datasets, and an environment of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_files import Bytes, small_arrays, write_idx
from mnist_sweep import config

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]


def mnist_folder() -> Path | None:
    """The real MNIST: where MNIST_SWEEP_DATA says, or beside the checkout; None without it."""
    named = os.environ.get("MNIST_SWEEP_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "mnist"
    return folder if folder.exists() else None


def pytest_report_header() -> str:
    folder = mnist_folder()
    return f"digits: {f'MNIST in {folder}' if folder else 'bundled digits (no MNIST found)'}"


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    folder = mnist_folder()
    if folder is None:
        pytest.skip("no MNIST here: set MNIST_SWEEP_DATA to the folder of its IDX files")
    return folder


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a cache, a temporary directory and a Keras home of its own."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    without = ("MNIST_SWEEP_DATA", "MNIST_SWEEP_CACHE", "KERAS_HOME")
    return {
        **{key: value for key, value in os.environ.items() if key not in without},
        "MNIST_SWEEP_CACHE": str(tmp_path / "cache"),
        "KERAS_HOME": str(tmp_path / "keras"),
    }


@pytest.fixture
def data_settings() -> Callable[..., dict[str, Any]]:
    """Makes settings of data: the defaults, no download, and what is given."""

    def make(**given: Any) -> dict[str, Any]:
        return {**config.defaults()["data"], "download_timeout_s": 0, **given}

    return make


@pytest.fixture
def small() -> tuple[Bytes, Bytes, Bytes, Bytes]:
    return small_arrays()


@pytest.fixture
def idx_folder(tmp_path: Path, small: tuple[Bytes, ...]) -> Path:
    return write_idx(tmp_path / "little", small)
