"""What prepare tells is what load gives, and what does not fit together is refused before a run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_sweep.cli.data import describe
from mnist_sweep.data import DatasetInfo, class_counts, load, prepare
from mnist_sweep.errors import DataError
from support.data_files import Bytes, csv_text, small_arrays, write_idx, write_npz

Settings = Callable[..., dict[str, Any]]
Small = tuple[Bytes, Bytes, Bytes, Bytes]


@pytest.mark.parametrize("shape", [(4, 5), (28, 28), (6, 6, 3)])
@pytest.mark.parametrize("classes", [2, 26])
def test_idx_of_any_shape_and_number_of_classes_arrives_as_it_was(
    tmp_path: Path,
    environ: dict[str, str],
    data_settings: Settings,
    shape: tuple[int, ...],
    classes: int,
) -> None:
    arrays = small_arrays(400, 60, shape, classes)
    folder = write_idx(tmp_path / "letters", arrays, zipped=True)
    info = prepare(data_settings(name="idx", path=str(folder)), environ)
    data = load(info)
    found = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    for array, expected in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(array, expected)
    assert (info.name, info.shape, info.classes, info.scale) == ("letters", shape, classes, 255.0)
    assert (info.n_train, info.n_validation, info.n_test) == (360, 40, 60)
    assert info.test_fraction is None
    assert info.notice is None
    assert str(folder) in info.source
    rows = np.sort(np.concatenate([data.train_index, data.validation_index]))
    np.testing.assert_array_equal(rows, np.arange(400))


def test_the_same_content_has_one_hash_whatever_it_came_in(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings, small: Small
) -> None:
    plain = write_idx(tmp_path / "plain", small)
    zipped = write_idx(tmp_path / "zipped", small, zipped=True)
    npz = write_npz(tmp_path / "d.npz", tuple(array.astype(np.float32) for array in small))
    hashes = {
        prepare(data_settings(name=name, path=str(path)), environ).sha256
        for name, path in (("idx", plain), ("idx", zipped), ("npz", npz))
    }
    assert len(hashes) == 1
    changed = small[0].copy()
    changed[3, 2, 1] ^= 1
    other = write_idx(tmp_path / "other", (changed, *small[1:]))
    assert prepare(data_settings(name="idx", path=str(other)), environ).sha256 not in hashes


def test_the_bundled_digits_are_scikit_learns_each_once(
    environ: dict[str, str], data_settings: Settings
) -> None:
    info = prepare(data_settings(name="digits", split_seed=3), environ)
    data = load(info)
    images = np.concatenate([data.train_images, data.test_images])
    labels = np.concatenate([data.train_labels, data.test_labels])
    bunch = load_digits()
    rows = sorted(zip(map(bytes, images), labels.tolist(), strict=True))
    expected = zip(map(bytes, bunch.images.astype(np.uint8)), bunch.target.tolist(), strict=True)
    assert rows == sorted(expected)
    assert (info.name, info.scale, info.shape, info.classes) == ("digits", 16.0, (8, 8), 10)
    assert (info.n_test, info.test_fraction) == (360, 0.2)
    assert info.notice is None
    assert "1,797" in info.source


def test_bytes_under_another_scale_are_other_data(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    digits = prepare(data_settings(name="digits"), environ)
    data = load(digits)
    arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    npz = write_npz(tmp_path / "digits.npz", arrays)
    copied = prepare(data_settings(name="npz", path=str(npz)), environ)
    assert copied.sha256 != digits.sha256
    assert copied.notice is not None
    assert "largest pixel value" in copied.notice
    assert "is 16" in copied.notice


def test_classes_without_examples_in_a_split_are_named(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    images, labels, test_images, test_labels = small_arrays(400, 60, (4, 5), 10)
    known = test_labels < 8
    arrays = (images, labels, test_images[known], test_labels[known])
    npz = write_npz(tmp_path / "absent.npz", arrays)
    info = prepare(data_settings(name="npz", path=str(npz)), environ)
    assert info.notice is not None
    assert "test split has no examples of classes 8, 9:" in info.notice
    assert "validation split" not in info.notice


def test_that_there_is_no_validation_split_is_nothing_unusual(
    idx_folder: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    settings = data_settings(name="idx", path=str(idx_folder), validation_fraction=0)
    info = prepare(settings, environ)
    assert (info.n_validation, info.notice) == (0, None)


@pytest.mark.parametrize(
    ("train", "test", "declared", "said"),
    [
        ("023", "0123", None, "no examples of class 1, but the test split has"),
        ("02", "0123", 4, "no examples of classes 1, 3, but the test split has"),
        ("012", "012", 4, "test split has no examples of class 3:"),
        ("023", "023", None, "test split has no examples of class 1:"),
    ],
)
def test_classes_that_some_split_lacks_are_counted_and_said(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings, train, test, declared, said
) -> None:
    labels = [np.array([*map(int, one)] * 20, np.uint8) for one in (train, test)]
    images = [np.full((len(one), 4, 4), 200, np.uint8) for one in labels]
    more = {} if declared is None else {"classes": np.array(declared)}
    np.savez(
        tmp_path / "d.npz", x_train=images[0], y_train=labels[0], x_test=images[1],
        y_test=labels[1], **more,
    )  # fmt: skip
    info = prepare(data_settings(name="npz", path=str(tmp_path / "d.npz")), environ)
    assert info.classes == 4
    assert said in str(info.notice)
    assert ("training data" in str(info.notice)) == ("but" in said)


def test_a_class_of_the_test_split_alone_is_refused_unless_declared(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    images, labels, test_images, test_labels = small_arrays(400, 60, (4, 5), 10)
    known = labels < 9
    arrays = (images[known], labels[known], test_images, test_labels)
    npz = write_npz(tmp_path / "more.npz", arrays)
    with pytest.raises(DataError, match=r"classes 0 to 8, but example \d+ in y_test .* label 9"):
        prepare(data_settings(name="npz", path=str(npz)), environ)


def test_a_csv_gets_a_test_split_by_the_seed_of_the_split(
    tmp_path: Path,
    environ: dict[str, str],
    data_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mnist_sweep.data.source.MIN_AGE_S", -1.0)
    images, labels, _, _ = small_arrays(100, shape=(3, 3), classes=4)
    folder = tmp_path / "digit-recognizer"
    folder.mkdir()
    (folder / "train.csv").write_text(csv_text(images, labels))
    infos = [
        prepare(data_settings(name="csv", path=str(path), split_seed=seed), environ)
        for path, seed in ((folder, 0), (folder / "train.csv", 0), (folder, 1))
    ]
    assert [info.name for info in infos] == ["digit-recognizer"] * 3
    assert infos[0].sha256 == infos[1].sha256 != infos[2].sha256
    assert (infos[0].n_train, infos[0].n_validation, infos[0].n_test) == (72, 8, 20)
    for info in infos:
        data = load(info)
        rows = np.concatenate([data.train_images, data.test_images]).reshape(100, 9).tolist()
        assert sorted(rows) == sorted(images.reshape(100, 9).tolist())
        assert class_counts(info)["test"] == [5, 5, 5, 5]


def test_the_promised_hash_is_held_against_the_content(
    idx_folder: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    named = {"name": "idx", "path": str(idx_folder)}
    found = prepare(data_settings(**named), environ).sha256
    assert prepare(data_settings(**named, sha256=found.upper()), environ).sha256 == found
    with pytest.raises(DataError) as error:
        prepare(data_settings(**named, sha256="0" * 64), environ)
    for part in ("0" * 64, found, str(idx_folder)):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({0: np.zeros((59, 4, 5), np.uint8)}, "59 images and .* has 60 labels"),
        ({3: np.zeros(23, np.uint8)}, "24 images and .* has 23 labels"),
        ({2: np.zeros((24, 5, 4), np.uint8)}, r"one shape. Found \(4, 5\) in .* and \(5, 4\)"),
        ({3: np.full(24, 3, np.uint8)}, "classes 0 to 2, but example 0 .* has label 3"),
        ({1: np.zeros(60, np.uint8)}, "at least two classes"),
        ({0: np.zeros((0, 4, 5), np.uint8), 1: np.zeros(0, np.uint8)}, "holds no pixels"),
        ({2: np.zeros((0, 4, 5), np.uint8), 3: np.zeros(0, np.uint8)}, "holds no pixels"),
        ({0: np.zeros((60, 0, 5), np.uint8)}, "holds no pixels"),
        ({0: np.zeros(60, np.uint8)}, "swapped"),
        ({1: np.zeros((60, 2), np.uint8)}, "swapped"),
    ],
)
@pytest.mark.parametrize("kind", ["idx", "npz"])
def test_arrays_that_do_not_belong_together_are_refused(
    tmp_path: Path,
    environ: dict[str, str],
    data_settings: Settings,
    small: Small,
    change: dict[int, Bytes],
    said: str,
    kind: str,
) -> None:
    arrays = tuple(change.get(i, array) for i, array in enumerate(small))
    path = tmp_path / "d.npz" if kind == "npz" else tmp_path / "folder"
    (write_npz if kind == "npz" else write_idx)(path, arrays)
    with pytest.raises(DataError, match=said) as error:
        prepare(data_settings(name=kind, path=str(path)), environ)
    assert str(path) in str(error.value)
    assert not (tmp_path / "cache").exists()


def test_a_description_survives_json_and_says_what_records_and_run_ids_need(
    idx_folder: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    info = prepare(data_settings(name="idx", path=str(idx_folder)), environ)
    values = json.loads(json.dumps(info.to_dict(), allow_nan=False))
    assert DatasetInfo.from_dict(values) == info
    assert DatasetInfo.from_dict({**values, "from_a_later_version": 1}) == info
    assert set(info.record_fields()) == {
        "name", "source", "sha256", "shape", "classes", "scale", "n_train", "n_validation",
        "n_test", "notice", "class_names",
    }  # fmt: skip
    assert info.record_fields()["shape"] == [4, 5]
    assert info.deciding() == {
        "sha256": info.sha256,
        "validation_fraction": 0.1,
        "split_seed": 0,
        "test_fraction": None,
    }
    del values["sha256"]
    with pytest.raises(DataError, match="lacks sha256"):
        DatasetInfo.from_dict(values)


def test_describe_names_everything_and_counts_every_class(
    idx_folder: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    info = prepare(data_settings(name="idx", path=str(idx_folder)), environ)
    rows = dict(describe(info))
    assert rows["train classes"] == "0: 18, 1: 18, 2: 18"
    assert rows["validation classes"] == "0: 2, 1: 2, 2: 2"
    assert rows["test classes"] == "0: 8, 1: 8, 2: 8"
    assert rows["images"] == "4 x 5, values 0 to 255"
    assert rows["cache"] == info.cache
    assert rows["sha256"] == info.sha256
    assert "notice" not in rows


def test_importing_the_data_room_imports_nothing_heavy() -> None:
    code = (
        "import sys, mnist_sweep.data; print([m for m in "
        "('tensorflow', 'keras', 'hydra', 'omegaconf', 'sklearn', 'pandas', 'scipy') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_names_of_classes_are_known_again_without_reading(
    tmp_path: Path,
    environ: dict[str, str],
    data_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mnist_sweep.data.source.MIN_AGE_S", -1.0)
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = dict(zip(names, small_arrays(60, 12, (4, 5), 3), strict=True))
    np.savez(tmp_path / "pets.npz", **arrays, classes=["cat", "dog", "eel"])
    settings = data_settings(name="npz", path=str(tmp_path / "pets.npz"))
    first = prepare(settings, environ)
    monkeypatch.setattr("mnist_sweep.data.source.assemble", pytest.fail)
    again = prepare(settings, environ)
    assert again.class_names == first.class_names == ("cat", "dog", "eel")
    assert again.record_fields()["class_names"] == ["cat", "dog", "eel"]
    assert dict(describe(again))["test classes"] == "cat: 4, dog: 4, eel: 4"


def test_names_of_classes_are_given_where_the_data_state_none(
    tmp_path: Path, environ: dict[str, str], data_settings: Settings
) -> None:
    folder = write_idx(tmp_path / "fashion", small_arrays(60, 12, (4, 5), 3), zipped=True)
    named = ["T-shirt", "Trouser", "Ankle boot"]
    info = prepare(data_settings(name="idx", path=str(folder), classes=named), environ)
    assert info.class_names == tuple(named)
    assert info.sha256 == prepare(data_settings(name="idx", path=str(folder)), environ).sha256
    for wrong in (named[:2], [*named, "Bag"], ["Bag", "Bag", "Coat"], []):
        with pytest.raises(DataError, match="each of the 3 classes"):
            prepare(data_settings(name="idx", path=str(folder), classes=wrong), environ)
