"""Compiled programs on disk save time and change nothing."""

import os

import pytest

from mnist_sweep.sweeping.launch import processes
from mnist_sweep.training import programs
from support import fresh_training


@pytest.fixture
def fork_server():
    """Imports TensorFlow once for all the processes of a test."""
    processes.start_fork_server(processes.PRELOAD)
    yield
    processes.end_fork_server()


def trained(cache, **environ):
    return processes.call(fresh_training.weights, {"MNIST_SWEEP_CACHE": str(cache), **environ})


def kept(cache):
    return sorted((cache / "programs").glob("*/*.pb"))


@pytest.mark.slow
def test_a_program_from_disk_gives_the_bits_of_a_fresh_one_and_a_damaged_one_is_replaced(
    tmp_path, fork_server
):
    fresh = trained(tmp_path, MNIST_SWEEP_PROGRAMS="0")
    assert kept(tmp_path) == []
    assert trained(tmp_path) == fresh
    before = {path.name: path.stat().st_mtime_ns for path in kept(tmp_path)}
    assert len(before) == 2
    assert trained(tmp_path) == fresh
    assert {path.name: path.stat().st_mtime_ns for path in kept(tmp_path)} == before
    # Each by itself: the one that answers is compiled by another part than the one that trains.
    for which in (min, max):
        path = which(kept(tmp_path), key=lambda path: path.stat().st_size)
        path.write_bytes(path.read_bytes()[:1000])
        assert trained(tmp_path) == fresh


def test_the_directory_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MNIST_SWEEP_CACHE", str(tmp_path))
    path = programs.directory("--flag")
    assert path.stat().st_mode & 0o077 == 0
    assert programs.directory("--other") != path
    path.chmod(0o777)
    assert programs.directory("--flag") is None


def test_a_place_that_cannot_be_written_keeps_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MNIST_SWEEP_CACHE", str(tmp_path / "file"))
    assert programs.directory("--flag") is None


@pytest.mark.parametrize(("limit", "left"), [(10, []), (250, ["2", "3"]), (1000, ["1", "2", "3"])])
def test_the_oldest_programs_go_first(tmp_path, limit, left):
    for name in ("1", "2", "3"):
        path = tmp_path / name
        path.write_bytes(b"x" * 100)
        os.utime(path, (int(name), int(name)))
    programs.prune(tmp_path, limit)
    assert sorted(path.name for path in tmp_path.iterdir()) == left


@pytest.mark.parametrize("name", ["my cache", 'a"quote', "tab\there"])
def test_a_path_that_tensorflow_would_cut_short_keeps_nothing(tmp_path, monkeypatch, name):
    monkeypatch.setenv("MNIST_SWEEP_CACHE", str(tmp_path / name))
    assert programs.directory("--flag") is None
    assert list(tmp_path.iterdir()) == []
