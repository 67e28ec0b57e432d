"""NumPy archives are read without unpickling, and only if they hold whole greylevels."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.data.arrays import as_bytes
from mnist_sweep.data.readers.npz import read
from mnist_sweep.errors import DataError
from support.data_files import NPZ_NAMES, Bytes, result_or_message, write_npz

if TYPE_CHECKING:
    from numpy.typing import NDArray

Small = tuple[Bytes, Bytes, Bytes, Bytes]


@pytest.mark.parametrize("kind", ["u1", "i2", ">i4", "u8", "f4", "f8"])
def test_whole_numbers_of_any_type_are_the_same_data(
    tmp_path: Path, small: Small, kind: str
) -> None:
    path = write_npz(tmp_path / "d.npz", tuple(array.astype(kind) for array in small))
    train, test = read(path)
    assert test is not None
    found = (train.images, train.labels, test.images, test.labels)
    for array, expected in zip(found, small, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.array([[0.5]]), "found 0.5 .*Multiply .* by 255"),
        (np.array([[256]]), "found 256"),
        (np.array([[-1]]), "found -1"),
        (np.array([[np.nan]]), "found nan"),
        (np.array([[np.inf]]), "found inf"),
        (np.array([["1"]]), "found the type <U1"),
        (np.array([[1j]]), "found the type complex128"),
    ],
)
def test_other_values_are_refused(values: NDArray[np.generic], said: str) -> None:
    with pytest.raises(DataError, match=f"whole numbers from 0 to 255 in here, {said}"):
        as_bytes(values, "here")


@pytest.mark.parametrize("classes", [np.array(12), np.array([f"class {k}" for k in range(12)])])
def test_an_archive_may_say_how_many_classes_there_are(
    tmp_path: Path, small: Small, classes: NDArray[np.generic]
) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, **dict(zip(NPZ_NAMES, small, strict=True)), classes=classes)
    train = read(path)[0]
    assert train.classes == 12
    assert train.class_names == (tuple(classes) if classes.ndim else ())


def test_a_missing_array_is_named(tmp_path: Path, small: Small) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x_train=small[0], y_train=small[1], x_test=small[2])
    with pytest.raises(DataError, match="lacks y_test"):
        read(path)


def test_an_object_array_is_refused_and_not_unpickled(tmp_path: Path, small: Small) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (Path(tmp_path / "sprung"),))  # type: ignore[return-value]

    path = tmp_path / "d.npz"
    trap = np.array([Trap()], dtype=object)
    np.savez(path, x_train=small[0], y_train=small[1], x_test=small[2], y_test=trap)
    with pytest.raises(DataError, match="plain arrays") as error:
        read(path)
    assert str(path) in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_a_single_array_a_text_a_pickle_and_a_folder_are_told(tmp_path: Path) -> None:
    single = tmp_path / "single.npz"
    with single.open("wb") as stream:
        np.save(stream, np.zeros(3))
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "pickle.npz").write_bytes(b"\x80\x04K\x01.")
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "folder.npz").mkdir()
    for name in ("single", "text", "pickle", "empty", "folder", "absent"):
        path = tmp_path / f"{name}.npz"
        with pytest.raises(DataError) as error:
            read(path)
        assert str(path) in str(error.value)
        assert ("single array" in str(error.value)) == (name == "single")


def test_a_header_of_an_absurd_shape_is_an_error_and_no_memory(
    tmp_path: Path, small: Small
) -> None:
    path = tmp_path / "d.npz"
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(buffer, header)
    np.savez(path, x_train=small[0], y_train=small[1], x_test=small[2])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y_test.npy", buffer.getvalue())
    with pytest.raises(DataError, match=r"an \.npz archive.*y_test has \d+ bytes, not 1,125,"):
        read(path)


@given(data=st.data())
def test_a_damaged_archive_is_an_error_or_the_same_data(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    arrays = tuple(np.full(shape, 7, np.uint8) for shape in ((2, 1, 1), (2,), (1, 1, 1), (1,)))
    path = write_npz(tmp_path_factory.getbasetemp() / "damaged.npz", arrays)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    found = result_or_message(lambda: read(path))
    if isinstance(found, str):
        assert str(path) in found
    else:
        np.testing.assert_array_equal(found[0].images, arrays[0])
