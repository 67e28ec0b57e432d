"""The wheel holds all the program needs, and runs outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked into a directory of its own."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)],
        cwd=REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def run(unpacked: Path, place: Path, *words: str) -> str:
    """What the wheel's program prints, run in `place`."""
    environ = {
        **{k: v for k, v in os.environ.items() if k != "MNIST_SWEEP_DATA"},
        "PYTHONPATH": str(unpacked), "MNIST_SWEEP_CACHE": str(place / "cache"),
    }  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-m", "mnist_sweep", *words],
        cwd=place, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_every_file_of_the_package_is_in_the_wheel(unpacked: Path):
    package = REPOSITORY / "mnist_sweep"
    tracked = subprocess.run(
        ["git", "ls-files", "."], cwd=package, capture_output=True, text=True, check=True
    )
    for path in (package / name for name in tracked.stdout.splitlines()):
        if path.is_file():
            assert (unpacked / "mnist_sweep" / path.relative_to(package)).is_file(), path
    for path in (REPOSITORY / "conf").rglob("*.yaml"):
        assert (unpacked / "mnist_sweep" / "conf" / path.relative_to(REPOSITORY / "conf")).is_file()


def test_the_wheel_sweeps_and_shows_tables_outside_the_checkout(unpacked: Path, tmp_path: Path):
    words = ("-m", "data=digits", "nodes=4", "epochs=1", "layers=1,2", "report=false", "name=w")
    assert "2 of 2 runs finished" in run(unpacked, tmp_path, *words)
    assert "Testing accuracy" in run(unpacked, tmp_path, "table", "outputs/w")
    where = "import mnist_sweep; print(mnist_sweep.__file__)"
    answer = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
    )  # fmt: skip
    assert answer.stdout.startswith(str(unpacked))
