"""The forms in which the datasets of others come: each is read as the arrays that it holds."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_sweep.data.arrays import as_labels
from mnist_sweep.data.readers import folders, idx, npz
from mnist_sweep.data.source import assemble, at
from mnist_sweep.errors import DataError
from support.data_files import Bytes, as_idx, small_arrays, write_idx

X, Y, X_TEST, Y_TEST = small_arrays()


def _check(found, expected=(X, Y, X_TEST, Y_TEST)) -> None:
    train, test = found
    for array, right in zip(
        (train.images, train.labels, test.images, test.labels), expected, strict=True
    ):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, right)


def _int_idx(array, kind: int, dtype: str) -> bytes:
    head = struct.pack(">HBB", 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(dtype).tobytes()


def test_labels_may_be_a_column_or_one_hot():
    for array, width in ((Y[:, None].astype("f8"), None), (np.eye(5)[Y], 5)):
        labels, classes = as_labels(array, "y")
        np.testing.assert_array_equal(labels, Y)
        assert classes == width
    labels, _ = as_labels(np.array([[1, 1, 0]]), "y")
    assert labels.ndim == 2  # no one-hot row: refused further on


def test_one_hot_labels_say_how_many_classes_there_are(tmp_path: Path):
    hot, hot_test = np.eye(5)[Y], np.eye(5)[Y_TEST]
    np.savez(tmp_path / "d.npz", x_train=X, y_train=hot, x_test=X_TEST, y_test=hot_test)
    train, test = npz.read(tmp_path / "d.npz")
    assert assemble(train, test, test_fraction=0.1, split_seed=0).classes == 5


def test_medmnist_names_its_arrays_in_its_own_way(tmp_path: Path):
    path = tmp_path / "d.npz"
    np.savez(
        path, train_images=X[:40], train_labels=Y[:40, None], val_images=X[40:],
        val_labels=Y[40:, None], test_images=X_TEST, test_labels=Y_TEST[:, None],
    )  # fmt: skip
    _check(npz.read(path))


def test_kmnist_is_four_files_of_one_array(tmp_path: Path):
    for name, array in zip(
        ("train-imgs", "train-labels", "test-imgs", "test-labels"),
        (X, Y, X_TEST, Y_TEST), strict=True,
    ):  # fmt: skip
        np.savez(tmp_path / f"kmnist-{name}.npz", array)
    (tmp_path / "._kmnist-train-imgs.npz").write_bytes(b"of macOS")
    _check(npz.read(tmp_path))
    assert at(tmp_path)[0] == "npz"
    (tmp_path / "kmnist-test-labels.npz").unlink()
    with pytest.raises(DataError, match=r"one file named .*; .* holds kmnist-test-imgs"):
        npz.read(tmp_path)


@pytest.mark.parametrize(("kind", "dtype"), [(0x0C, ">i4"), (0x0B, ">i2"), (0x0E, ">f8")])
def test_idx_labels_of_other_types(tmp_path: Path, kind: int, dtype: str):
    write_idx(tmp_path, (X, Y, X_TEST, Y_TEST))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(_int_idx(Y, kind, dtype))
    _check(idx.read(tmp_path))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(_int_idx(Y.astype(int) - 1, kind, dtype))
    with pytest.raises(DataError, match="whole numbers from 0 to 255"):
        idx.read(tmp_path)


def test_qmnist_has_labels_of_eight_columns(tmp_path: Path):
    for part, images, labels in (("train", X, Y), ("test", X_TEST, Y_TEST)):
        eight = np.column_stack([labels, *(np.full(len(labels), 3000 + i) for i in range(7))])
        (tmp_path / f"qmnist-{part}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(as_idx(images))
        )
        (tmp_path / f"qmnist-{part}-labels-idx2-int.gz").write_bytes(
            gzip.compress(_int_idx(eight, 0x0C, ">i4"))
        )
    _check(idx.read(tmp_path))


def test_emnist_is_turned_upright(tmp_path: Path):
    write_idx(tmp_path, (X.swapaxes(1, 2).copy(), Y, X_TEST.swapaxes(1, 2).copy(), Y_TEST))
    _check(idx.read_emnist(tmp_path))


def test_torchvisions_folder_and_macos_shadow_files(tmp_path: Path):
    raw = write_idx(tmp_path / "MNIST" / "raw", (X, Y, X_TEST, Y_TEST))
    (raw / "._train-images-idx3-ubyte").write_bytes(b"of macOS")
    for place in (tmp_path, tmp_path / "MNIST", raw):
        _check(idx.read(place))
        assert at(place)[0] == "idx"


def _pictures(folder: Path, images: Bytes, labels: Bytes, names) -> None:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:03}.png")


@pytest.mark.parametrize("names", ["012", ("cat", "dog", "eel")])
def test_pictures_in_folders_of_classes(tmp_path: Path, names):
    _pictures(tmp_path / "train", X, Y, names)
    _pictures(tmp_path / "test", X_TEST, Y_TEST, names)
    (tmp_path / "train" / names[0] / "notes.txt").write_text("not a picture")
    order, test_order = np.argsort(Y, kind="stable"), np.argsort(Y_TEST, kind="stable")
    _check(folders.read(tmp_path), (X[order], Y[order], X_TEST[test_order], Y_TEST[test_order]))
    train, none = folders.read(tmp_path / "train")
    assert none is None
    assert train.class_names == (() if names == "012" else names)
    np.testing.assert_array_equal(train.labels, Y[order])


def test_what_is_wrong_with_a_folder_of_pictures_is_said(tmp_path: Path):
    with pytest.raises(DataError, match="has 0 folders with pictures"):
        folders.read(tmp_path)
    _pictures(tmp_path, X[:3], Y[:3], "012")
    Image.fromarray(X[0][:2]).save(tmp_path / "2" / "small.png")
    with pytest.raises(DataError, match=r"one size, but .*small\.png has \(2, 5\)"):
        folders.read(tmp_path)
    (tmp_path / "2" / "small.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"small\.png cannot be read as a picture"):
        folders.read(tmp_path)


@pytest.mark.parametrize(("factor", "dark"), [(1, 200), (257, 1)])
def test_whether_16_bits_hold_8_is_decided_for_all_pictures(tmp_path: Path, factor: int, dark: int):
    wide = X[0].astype(np.uint16)
    Image.fromarray(np.full_like(wide, 200)).save(tmp_path / "a.png")
    Image.fromarray(wide * factor).save(tmp_path / "b.png")
    found = folders.read_pictures([tmp_path / "a.png", tmp_path / "b.png"])
    np.testing.assert_array_equal(found, np.stack([np.full_like(X[0], dark), X[0]]))


def test_a_picture_of_32_bits_is_refused(tmp_path: Path):
    for name, levels in (("float", X[0] / 255), ("integer", X[0])):
        path = tmp_path / f"{name}.tif"
        Image.fromarray(levels.astype({"float": "f4", "integer": "i4"}[name])).save(path)
        with pytest.raises(DataError, match=rf"{name}\.tif has grey levels of 32 bits"):
            folders.decode(path)


def test_a_picture_is_turned_upright_and_laid_on_paper(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 270 degrees to see it upright
    Image.fromarray(X[0]).rotate(90, expand=True).save(tmp_path / "a.png", exif=exif)
    ink = np.dstack([np.zeros((4, 5, 3), np.uint8), 255 - X[0]])
    Image.fromarray(ink).save(tmp_path / "b.png")
    for path in (tmp_path / "a.png", tmp_path / "b.png"):
        np.testing.assert_array_equal(folders.decode(path)[0], X[0])


def test_validation_pictures_are_added_to_the_training_pictures(tmp_path: Path):
    _pictures(tmp_path / "train", X[:30], Y[:30], "012")
    _pictures(tmp_path / "val", X[30:], Y[30:], "012")
    train, none = folders.read(tmp_path)
    assert none is None
    assert sorted(map(bytes, train.images)) == sorted(map(bytes, X))
    _pictures(tmp_path / "test", X_TEST, Y_TEST, "012")
    train, test = folders.read(tmp_path)
    assert (len(train.labels), len(test.labels)) == (len(Y), len(Y_TEST))


@pytest.mark.parametrize(
    ("names", "said"),
    [(("0", "00", "1"), "folders 0 and 00, which are one class"),
     (("0", "1", "256"), "0 to 255, but .* has a folder 256")],
)  # fmt: skip
def test_folders_of_numbers_are_these_classes_each_once(tmp_path: Path, names, said: str):
    _pictures(tmp_path, X, Y, names)
    with pytest.raises(DataError, match=said):
        folders.read(tmp_path)
