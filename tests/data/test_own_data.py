"""A dataset from outside the package: a function's arrays, or another package's reader."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_sweep.data import Reader, load, prepare
from mnist_sweep.data import readers as room
from mnist_sweep.data.arrays import Examples
from mnist_sweep.errors import DataError
from support.data_files import NPZ_NAMES, Bytes

Settings = Callable[..., dict[str, Any]]
Small = tuple[Bytes, Bytes, Bytes, Bytes]

MODULE = """
import numpy as np

x, y = np.zeros((80, 3, 3), np.int64), np.arange(80) % 4
x[:, 1, 1] = 60 * y

def mapping(): return {"x_train": x[:56], "y_train": y[:56], "x_test": x[56:], "y_test": y[56:]}
def keras(): return (x[:56], y[:56]), (x[56:], y[56:])
def lists(): return x[:56].tolist(), y[:56].tolist(), x[56:].tolist(), y[56:].tolist()
def whole(): return x, y
def broken(): raise OSError("no such table")
def three(): return x, y, x
def named(): return {"images": x}
def scaled(): return x / 255, y
def unequal(): return x, y[1:]
def six(): return {**mapping(), "classes": 6}
def names(): return {**mapping(), "classes": ["plus", "minus", "times", "over", "root", "power"]}
def three_classes(): return {**mapping(), "classes": 3}
def many(): return {**mapping(), "classes": 1000}
constant = 3
"""


@pytest.fixture
def own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_settings: Settings
) -> Callable[..., dict[str, Any]]:
    """Makes the settings of a function in a module of the user's own."""
    (tmp_path / "my_letters.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_letters", raising=False)
    return lambda name: {**data_settings(name="own"), "_target_": f"my_letters.{name}"}


@pytest.mark.parametrize("name", ["mapping", "keras", "lists"])
def test_the_arrays_of_a_function_are_the_dataset(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], name: str
) -> None:
    info = prepare(own(name), environ)
    data = load(info)
    np.testing.assert_array_equal(data.test_labels, np.arange(56, 80) % 4)
    np.testing.assert_array_equal(data.train_images[:, 1, 1], 60 * (np.arange(56) % 4))
    assert (info.shape, info.classes, info.scale, info.n_test) == ((3, 3), 4, 255.0, 24)
    assert info.name == f"my_letters.{name}"
    assert info.source == f"the function my_letters.{name}"
    assert info.test_fraction is None


def test_without_test_arrays_the_data_are_split(
    own: Callable[..., dict[str, Any]], environ: dict[str, str]
) -> None:
    info = prepare(own("whole"), environ)
    assert (info.n_test, info.test_fraction) == (16, 0.2)


def test_an_edited_function_is_called_again(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], tmp_path: Path
) -> None:
    first = prepare(own("whole"), environ)
    path = tmp_path / "my_letters.py"
    path.write_text(path.read_text() + "\nx[0, 0, 0] = 9  # edited\n")
    del sys.modules["my_letters"]
    assert prepare(own("whole"), environ).sha256 != first.sha256


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", r"failed \(OSError: no such table\)"),
        ("three", "must return a mapping .* returned tuple"),
        ("named", "must return a mapping .* returned images"),
        ("scaled", "whole numbers from 0 to 255 in x_train of my_letters.scaled"),
        ("unequal", "80 images and y_train of my_letters.unequal has 79 labels"),
        ("constant", "is not a function: int"),
        ("absent", r"cannot be imported \(AttributeError"),
    ],
)
def test_other_results_are_refused_with_the_functions_name(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], name: str, said: str
) -> None:
    with pytest.raises(DataError, match=said) as error:
        prepare(own(name), environ)
    assert f"my_letters.{name}" in str(error.value)


def test_own_without_a_function_and_a_path_with_one_are_refused(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], data_settings: Settings
) -> None:
    with pytest.raises(DataError, match=r"data=own needs data\._target_"):
        prepare(data_settings(name="own"), environ)
    with pytest.raises(DataError, match=r"data\.path=x has no effect with data\._target_"):
        prepare({**own("whole"), "path": "x"}, environ)


def test_a_reader_of_another_package_reads_its_files(
    tmp_path: Path,
    environ: dict[str, str],
    data_settings: Settings,
    small: Small,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(folder: Path) -> tuple[Examples, Examples | None]:
        x, y, x_test, y_test = (np.load(folder / f"{name}.npy") for name in NPZ_NAMES)
        where = str(folder)
        return Examples(x, y, where, where), Examples(x_test, y_test, where, where)

    def recognises(path: Path) -> bool:
        return (path / "x_train.npy").is_file()

    reader = Reader(read, recognises=recognises, description="NumPy arrays in")
    monkeypatch.setattr(room, "plugins", lambda _: {"arrays": reader})
    folder = tmp_path / "letters"
    folder.mkdir()
    for name, array in zip(NPZ_NAMES, small, strict=True):
        np.save(folder / f"{name}.npy", array)
    info = prepare(data_settings(name="arrays", path=str(folder)), environ)
    assert (info.name, info.source) == ("letters", f"NumPy arrays in {folder} (data.path)")
    np.testing.assert_array_equal(load(info).train_images, small[0])
    found = prepare(data_settings(), {**environ, "MNIST_SWEEP_DATA": str(folder)})
    assert found.sha256 == info.sha256
    # Its code may change, so its files are read for every sweep.
    np.save(folder / "y_test.npy", small[3][::-1])
    again = prepare(data_settings(name="arrays", path=str(folder)), environ)
    assert again.sha256 != info.sha256


@pytest.mark.parametrize("name", ["six", "names"])
def test_the_data_say_how_many_classes_there_are(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], name: str
) -> None:
    info = prepare(own(name), environ)
    assert info.classes == 6
    assert info.class_names[-2:] == (("root", "power") if name == "names" else ())
    assert "no examples of classes 4, 5" in str(info.notice)
    assert prepare(own("mapping"), environ).sha256 != info.sha256


@pytest.mark.parametrize(
    ("name", "said"),
    [("three_classes", "3 classes, 0 to 2, but .* label 3"), ("many", "from 2 to 256")],
)
def test_a_number_of_classes_that_cannot_be_is_refused(
    own: Callable[..., dict[str, Any]], environ: dict[str, str], name: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        prepare(own(name), environ)
