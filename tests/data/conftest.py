"""Data for tests: the real MNIST where it lies, small datasets, and an environment of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnist_sweep import settings
from support.data_files import Bytes, small_arrays, write_idx

if TYPE_CHECKING:
    from collections.abc import Callable


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
        return {**settings.defaults()["data"], "download_timeout_s": 0, **given}

    return make


@pytest.fixture
def small() -> tuple[Bytes, Bytes, Bytes, Bytes]:
    return small_arrays()


@pytest.fixture
def idx_folder(tmp_path: Path, small: tuple[Bytes, ...]) -> Path:
    return write_idx(tmp_path / "little", small)
