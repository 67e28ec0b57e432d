"""auto takes MNIST from the first place that has it, says so loudly if none has, hides no fault."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_sweep.data import prepare
from mnist_sweep.data.arrays import MNIST_SHA256
from mnist_sweep.data.readers.idx import find, read, read_file
from mnist_sweep.errors import DataError
from support.data_files import IDX_NAMES, Bytes, as_idx, csv_text, write_idx, write_npz

Settings = Callable[..., dict[str, Any]]
Small = tuple[Bytes, Bytes, Bytes, Bytes]

# SHA-256 of the original distribution's files, uncompressed.
PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def test_auto_without_mnist_is_the_bundled_digits_said_loudly(
    environ: dict[str, str], data_settings: Settings
) -> None:
    info = prepare(data_settings(), environ)
    assert info.name == "digits"
    assert info.notice is not None
    assert info.notice.startswith("NOT MNIST")
    keras = Path(environ["KERAS_HOME"]) / "datasets" / "mnist.npz"
    for part in (
        "MNIST_SWEEP_DATA (not set)",
        str(keras),
        "not tried, as data.download_timeout_s=0",
        "To get MNIST",
    ):
        assert part in info.notice
    assert not keras.parent.exists()


def test_mnist_insists_and_lists_where_it_was_looked_for(
    environ: dict[str, str], data_settings: Settings
) -> None:
    with pytest.raises(DataError, match="MNIST was not found") as error:
        prepare(data_settings(name="mnist"), environ)
    for part in (
        "MNIST_SWEEP_DATA (not set)",
        environ["KERAS_HOME"],
        "not tried, as data.download_timeout_s=0",
    ):
        assert part in str(error.value)


def test_what_the_variable_names_is_used_and_told_not_to_be_mnist(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings, small: Small
) -> None:
    folder = write_idx(tmp_path / "letters", small)
    npz = write_npz(tmp_path / "shapes.npz", small)
    csv = tmp_path / "kaggle"
    csv.mkdir()
    (csv / "train.csv").write_text(csv_text(small[0], small[1]))
    for path, name in ((folder, "letters"), (npz, "shapes"), (csv, "kaggle")):
        info = prepare(data_settings(), {**environ, "MNIST_SWEEP_DATA": str(path)})
        assert info.name == name
        assert info.notice is not None
        assert "not the original MNIST" in info.notice
        assert "MNIST_SWEEP_DATA" in info.source
        with pytest.raises(DataError, match="accepts only the original MNIST") as error:
            prepare(data_settings(name="mnist"), {**environ, "MNIST_SWEEP_DATA": str(path)})
        assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_a_variable_that_names_nothing_usable_is_an_error_and_no_fallback(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings, idx_folder: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no data")
    (tmp_path / "bad.npz").write_text("no archive")
    truncated = idx_folder / "train-images-idx3-ubyte"
    truncated.write_bytes(truncated.read_bytes()[:-1])
    wrong = [
        tmp_path / "absent", tmp_path / "empty", tmp_path / "text.txt", tmp_path / "bad.npz",
        idx_folder, truncated, tmp_path / ("x" * 300),
    ]  # fmt: skip
    for path in wrong:
        with pytest.raises(DataError) as error:
            prepare(data_settings(name=name), {**environ, "MNIST_SWEEP_DATA": str(path)})
        assert str(path) in str(error.value)
    with pytest.raises(DataError, match="MNIST_SWEEP_DATA=~nobody-here/x is not a usable path"):
        prepare(data_settings(name=name), {**environ, "MNIST_SWEEP_DATA": "~nobody-here/x"})


def test_a_damaged_copy_of_keras_is_passed_over_and_said(
    environ: dict[str, str], data_settings: Settings, small: Small
) -> None:
    path = Path(environ["KERAS_HOME"]) / "datasets" / "mnist.npz"
    write_npz(path, small)
    info = prepare(data_settings(), environ)
    assert info.name == "digits"
    assert info.notice is not None
    assert "is not MNIST" in info.notice
    path.write_bytes(path.read_bytes()[:100])
    info = prepare(data_settings(), environ)
    assert info.notice is not None
    assert f"{path} cannot be read" in info.notice


@pytest.mark.parametrize("name", ["auto", "mnist", "digits"])
def test_a_path_that_would_be_ignored_is_refused(
    environ: dict[str, str], data_settings: Settings, name: str
) -> None:
    expected = r"data\.path=somewhere belongs to data=idx, emnist, folders, npz, csv"
    with pytest.raises(DataError, match=expected):
        prepare(data_settings(name=name, path="somewhere"), environ)


@pytest.mark.parametrize("name", ["idx", "npz", "csv"])
def test_a_named_kind_needs_a_path_that_is_there(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings, name: str
) -> None:
    with pytest.raises(DataError, match=f"data={name} needs data.path"):
        prepare(data_settings(name=name), environ)
    for path in (str(tmp_path / "absent"), str(tmp_path / ("y" * 300)), "nul\0byte"):
        with pytest.raises(DataError) as error:
            prepare(data_settings(name=name, path=path), environ)
        assert path.replace("\0", "\\x00") in str(error.value)


@pytest.mark.slow
def test_real_mnist_is_known_by_its_published_checksums_wherever_it_lies(
    real_mnist: Path, tmp_path: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    named = {**environ, "MNIST_SWEEP_DATA": str(real_mnist)}
    info = prepare(data_settings(name="mnist"), named)
    assert (info.name, info.notice, info.test_fraction) == ("mnist", None, None)
    assert (info.n_train, info.n_validation, info.n_test) == (54_000, 6_000, 10_000)
    assert prepare(data_settings(), named) == info
    train, test = read(real_mnist)
    assert test is not None
    arrays = (train.images, train.labels, test.images, test.labels)
    write_npz(Path(environ["KERAS_HOME"]) / "datasets" / "mnist.npz", arrays)
    from_keras = prepare(data_settings(), environ)
    assert "Keras's cache" in from_keras.source
    assert (from_keras.sha256, from_keras.name, from_keras.notice) == (info.sha256, "mnist", None)
    changed = train.images.copy()
    changed[59_999, 27, 27] ^= 1
    npz = write_npz(tmp_path / "nearly.npz", (changed, *arrays[1:]))
    nearly = prepare(data_settings(name="npz", path=str(npz)), environ)
    assert nearly.name == "nearly"
    assert nearly.sha256 != info.sha256


def test_the_known_hash_is_that_of_the_published_files(
    real_mnist: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    files = {
        name: as_idx(read_file(path))
        for name, path in zip(IDX_NAMES, find(real_mnist), strict=True)
    }
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert found == PUBLISHED
    assert prepare(data_settings(name="idx", path=str(real_mnist)), environ).sha256 == MNIST_SHA256
