"""A place for real sweeps; prepared data and compiled programs are shared by the tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.real_sweeps import Place, until

if not Path("/proc/self/environ").exists():
    collect_ignore_glob = ["test_*.py"]  # they look at processes where Linux shows them


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def new_place(
    tmp_path_factory: pytest.TempPathFactory, shared_cache: Path
) -> Iterator[Callable[[], Place]]:
    places: list[Place] = []

    def make() -> Place:
        places.append(Place(tmp_path_factory.mktemp("place"), shared_cache))
        return places[-1]

    yield make
    for place in places:
        until(place.gone, "for the sweep's processes to end")
    sys.stdout.flush()


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    return new_place()
