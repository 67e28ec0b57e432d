"""The cache holds a dataset whole or not at all, mends itself, and is never trusted blindly."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_sweep.data import DatasetInfo, load, prepare
from mnist_sweep.data.cache import open_cache
from mnist_sweep.data.readers.idx import read
from mnist_sweep.data.source import assemble
from mnist_sweep.errors import DataError
from support.data_files import small_arrays, write_idx

Settings = Callable[..., dict[str, Any]]
LONG_AGO = 1_500_000_000.0


@pytest.fixture
def settings(idx_folder: Path, data_settings: Settings) -> dict[str, Any]:
    return data_settings(name="idx", path=str(idx_folder))


def _damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _check(info: DatasetInfo, folder: Path) -> None:
    train, _ = read(folder)
    np.testing.assert_array_equal(load(info).train_images, train.images)
    np.testing.assert_array_equal(load(info).train_labels, train.labels)


def test_the_layout_is_as_documented_and_nothing_temporary_stays(
    settings: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    info = prepare(settings, environ)
    assert Path(info.cache) == tmp_path / "cache" / "data" / info.sha256
    names = sorted(path.name for path in Path(info.cache).iterdir())
    assert [name for name in names if not name.startswith("split-")] == [
        "info.json", "test_images.npy", "test_labels.npy", "train_images.npy", "train_labels.npy",
    ]  # fmt: skip
    assert not list((tmp_path / "cache").rglob(".*"))


def test_arrays_are_mapped_aligned_and_can_be_handed_on_without_a_copy(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    data = load(prepare(settings, environ))
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        assert isinstance(array, np.memmap)
        assert array.ctypes.data % 64 == 0
        assert np.shares_memory(np.from_dlpack(array), array)


def test_writing_to_a_loaded_array_never_reaches_the_cache(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    info = prepare(settings, environ)
    before = load(info).train_images.copy()
    load(info).train_images[:] = 0
    np.testing.assert_array_equal(load(info).train_images, before)


@pytest.mark.parametrize("harm", [_damage, _cut, _lengthen, Path.unlink])
@pytest.mark.parametrize("name", ["train_images.npy", "test_labels.npy", "info.json"])
def test_a_damaged_cache_is_rebuilt(
    settings: dict[str, Any],
    environ: dict[str, str],
    idx_folder: Path,
    harm: Callable[[Path], None],
    name: str,
) -> None:
    info = prepare(settings, environ)
    harm(Path(info.cache) / name)
    again = prepare(settings, environ)
    assert again == info
    _check(again, idx_folder)
    assert not [path for path in Path(info.cache).parent.iterdir() if path.name.startswith(".")]


def test_a_file_where_the_directory_should_be_is_replaced(
    settings: dict[str, Any], environ: dict[str, str], idx_folder: Path, tmp_path: Path
) -> None:
    info = prepare(settings, {**environ, "MNIST_SWEEP_CACHE": str(tmp_path / "other")})
    folder = tmp_path / "cache" / "data"
    folder.mkdir(parents=True)
    (folder / info.sha256).write_text("in the way")
    _check(prepare(settings, environ), idx_folder)


@pytest.mark.parametrize("harm", [_cut, _lengthen, Path.unlink])
def test_load_refuses_files_that_are_not_whole(
    settings: dict[str, Any], environ: dict[str, str], harm: Callable[[Path], None]
) -> None:
    info = prepare(settings, environ)
    harm(Path(info.cache) / "test_images.npy")
    with pytest.raises(DataError, match="missing or damaged") as error:
        load(info)
    assert info.cache in str(error.value)


def test_load_refuses_arrays_of_another_shape_or_type(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    info = prepare(settings, environ)
    path = Path(info.cache) / "test_labels.npy"
    for wrong in (np.zeros(23, np.uint8), np.zeros(24, np.int8), np.array([None] * 24)):
        np.save(path, wrong)
        with pytest.raises(DataError, match="missing or damaged"):
            load(info)


@pytest.mark.parametrize("harm", [_damage, _cut, Path.unlink])
def test_the_kept_split_is_rebuilt_if_damaged(
    settings: dict[str, Any], environ: dict[str, str], harm: Callable[[Path], None]
) -> None:
    info = prepare(settings, environ)
    before = load(info)
    (split,) = Path(info.cache).glob("split-*.npz")
    harm(split)
    after = load(info)
    np.testing.assert_array_equal(after.validation_index, before.validation_index)
    np.testing.assert_array_equal(after.train_index, before.train_index)
    assert after.train_index.dtype == after.validation_index.dtype == np.int32


@pytest.mark.parametrize("rows", [[1, 0], [0, 0], [-1, 0], [0, 60], [], [0.0, 1.0], [[0], [1]]])
def test_a_kept_split_of_anything_but_rows_is_rebuilt(
    settings: dict[str, Any], environ: dict[str, str], rows: list[Any]
) -> None:
    info = prepare(settings, environ)
    before = load(info).validation_index
    (split,) = Path(info.cache).glob("split-*.npz")
    found = np.array(rows)
    np.savez(split, validation_index=found if found.dtype.kind == "f" else found.astype(np.int32))
    np.testing.assert_array_equal(load(info).validation_index, before)


def test_other_fractions_and_seeds_have_splits_of_their_own(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    first = prepare(settings, environ)
    second = prepare({**settings, "split_seed": 1}, environ)
    third = prepare({**settings, "validation_fraction": 0.5}, environ)
    assert first.cache == second.cache == third.cache
    assert third.n_validation == 30
    assert not np.array_equal(load(first).validation_index, load(second).validation_index)


def _age(folder: Path) -> None:
    """Give the sources an old time; what cannot be set back (ctime) is waited for elsewhere."""
    for path in folder.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))


def test_a_source_is_read_once_and_again_when_it_has_changed(
    settings: dict[str, Any],
    environ: dict[str, str],
    idx_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mnist_sweep.data.source.MIN_AGE_S", -1.0)
    _age(idx_folder)
    first = prepare(settings, environ)
    remembered = list((Path(first.cache).parents[1] / "sources").iterdir())
    assert [json.loads(path.read_text()) for path in remembered] == [
        {"sha256": first.sha256, "class_names": []}
    ]
    labels = idx_folder / "train-labels-idx1-ubyte"
    content = bytearray(labels.read_bytes())
    content[-1] = (content[-1] + 1) % 3
    labels.write_bytes(content)
    os.utime(labels, (LONG_AGO, LONG_AGO))  # same size, same time: the change of inode data tells
    second = prepare(settings, environ)
    assert second.sha256 != first.sha256
    _check(second, idx_folder)


def test_a_source_that_may_still_be_written_is_not_remembered(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    info = prepare(settings, environ)
    assert not (Path(info.cache).parents[1] / "sources").exists()


@pytest.mark.parametrize("entry", ["", "{", "[]", "null", '{"sha256": "../../x"}', "[" * 100_000])
def test_a_damaged_memory_of_sources_is_passed_over(
    settings: dict[str, Any],
    environ: dict[str, str],
    idx_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    entry: str,
) -> None:
    monkeypatch.setattr("mnist_sweep.data.source.MIN_AGE_S", -1.0)
    info = prepare(settings, environ)
    for path in (Path(info.cache).parents[1] / "sources").iterdir():
        path.write_text(entry)
    _check(prepare(settings, environ), idx_folder)


@pytest.mark.parametrize("settled_after_s", [-1.0, 2.0])  # remembered, or read again
def test_a_cache_that_cannot_be_written_is_replaced_by_a_private_one_and_said(
    settings: dict[str, Any],
    environ: dict[str, str],
    idx_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled_after_s: float,
) -> None:
    monkeypatch.setattr("mnist_sweep.data.source.MIN_AGE_S", settled_after_s)
    (tmp_path / "cache").write_text("a file where the cache should be")
    info = prepare(settings, environ)
    _check(info, idx_folder)
    private = Path(info.cache).parents[1]
    assert private.parent == tmp_path / "temporary"
    assert private.stat().st_mode & 0o777 == 0o700
    assert info.notice is not None
    assert str(tmp_path / "cache") in info.notice
    (tmp_path / "cache").unlink()
    back = prepare(settings, environ)
    assert back.notice is None
    assert Path(back.cache).is_relative_to(tmp_path / "cache")


def test_a_private_directory_open_to_others_is_not_used(
    settings: dict[str, Any], environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    prepare(settings, environ)
    (private,) = (tmp_path / "temporary").iterdir()
    private.chmod(0o777)
    with pytest.raises(DataError, match="open to others") as error:
        prepare(settings, environ)
    assert "MNIST_SWEEP_CACHE" in str(error.value)


def test_what_a_killed_process_left_is_removed_after_a_day(
    settings: dict[str, Any], environ: dict[str, str]
) -> None:
    directory = Path(prepare(settings, environ).cache)
    old, new = (directory / f".info.json.{number:016x}.partial" for number in (1, 2))
    for path in (old, new, directory / "info.json"):
        path.write_text("")
    os.utime(old, (LONG_AGO, LONG_AGO))
    prepare(settings, environ)
    assert not old.exists()
    assert new.exists()


def _store_together(barrier: Any, folder: Path, environ: dict[str, str], results: Any) -> None:
    train, test = read(folder)
    arrays = assemble(train, test, test_fraction=0.2, split_seed=0)
    cache = open_cache(environ)
    barrier.wait()
    stored = cache.store(arrays)
    results.put((stored.sha256, str(stored.directory), len(stored.arrays.train_images)))


@pytest.mark.slow
def test_processes_that_store_at_once_get_the_same(tmp_path: Path, environ: dict[str, str]) -> None:
    folder = write_idx(tmp_path / "many", small_arrays(3000, 500, (20, 20), 5))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    workers = [
        context.Process(target=_store_together, args=(barrier, folder, environ, results))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert found[0] == found[1] == found[2]
    assert not list((tmp_path / "cache").rglob(".*"))
