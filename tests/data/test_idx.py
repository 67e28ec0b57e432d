"""IDX files are read as they are meant, and every damage is one error that names the file."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_sweep.data.readers.idx import find, read, read_file
from mnist_sweep.errors import DataError
from support.data_files import IDX_NAMES, Bytes, as_idx, result_or_message, small_arrays, write_idx

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "train-images-idx3-ubyte"


@given(array=ARRAYS, zipped=st.booleans())
def test_any_array_of_bytes_survives_the_round_trip(file: Path, array: Bytes, zipped: bool) -> None:
    content = as_idx(array)
    file.write_bytes(gzip.compress(content) if zipped else content)
    found = read_file(file)
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


@given(array=ARRAYS, zipped=st.booleans(), data=st.data())
def test_a_file_cut_at_any_byte_is_refused(
    file: Path, array: Bytes, zipped: bool, data: st.DataObject
) -> None:
    content = as_idx(array)
    content = gzip.compress(content) if zipped else content
    file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(DataError) as error:
        read_file(file)
    assert str(file) in str(error.value)


@given(array=ARRAYS, data=st.data())
def test_a_changed_byte_of_a_gzipped_file_is_never_read_as_other_data(
    file: Path, array: Bytes, data: st.DataObject
) -> None:
    content = bytearray(gzip.compress(as_idx(array)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    found = result_or_message(lambda: read_file(file))
    if isinstance(found, str):
        assert str(file) in found
    else:  # gzip's header has bytes of no consequence: time stamp, system
        np.testing.assert_array_equal(found, array)


@given(junk=st.binary(max_size=64))
def test_arbitrary_bytes_give_an_array_or_an_error_that_names_the_file(
    file: Path, junk: bytes
) -> None:
    file.write_bytes(junk)
    found = result_or_message(lambda: read_file(file))
    assert str(file) in found if isinstance(found, str) else found.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"PK\3\4rest", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x0d\1\0\0\0\1\x3f\0\0\0", "found 0.5 .type >f4"),
        (as_idx(np.zeros((2, 3), np.uint8)) + b"\0", "6 values, but more follow"),
        (as_idx(np.zeros((2, 3), np.uint8))[:-1], "6 values, but only 5 follow"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "but only 0 follow"),
    ],
)
def test_an_error_tells_what_is_wrong(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_file(file)


@pytest.mark.parametrize(
    "names",
    [
        IDX_NAMES,
        tuple(name.replace("s-idx", "s.idx") for name in IDX_NAMES),
        tuple("emnist-letters-" + name.replace("t10k", "test") for name in IDX_NAMES),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_the_names_in_use_are_all_found(
    tmp_path: Path, names: tuple[str, ...], zipped: bool
) -> None:
    arrays = small_arrays()
    suffix = ".gz" if zipped else ""
    write_idx(tmp_path, arrays, zipped=zipped)
    for usual, name in zip(IDX_NAMES, names, strict=True):
        (tmp_path / f"{usual}{suffix}").rename(tmp_path / f"{name}{suffix}")
    (tmp_path / "readme.txt").write_text("not data")
    train, test = read(tmp_path)
    assert test is not None
    found = (train.images, train.labels, test.images, test.labels)
    for array, expected in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_the_file_that_is_not_zipped_is_taken_where_both_are_there(tmp_path: Path) -> None:
    write_idx(tmp_path, small_arrays())
    write_idx(tmp_path, small_arrays(), zipped=True)
    assert [path.name for path in find(tmp_path)] == list(IDX_NAMES)


def test_a_missing_file_is_named_by_its_role_and_folder(idx_folder: Path) -> None:
    (idx_folder / IDX_NAMES[1]).unlink()
    with pytest.raises(DataError, match="train labels") as error:
        find(idx_folder)
    assert str(idx_folder) in str(error.value)
    assert "test labels" not in str(error.value)


def test_two_datasets_in_one_folder_are_not_chosen_between(idx_folder: Path) -> None:
    for name in IDX_NAMES:
        (idx_folder / f"other-{name}").write_bytes((idx_folder / name).read_bytes())
    with pytest.raises(DataError, match="more than one file for the train images") as error:
        find(idx_folder)
    assert "other-train-images-idx3-ubyte" in str(error.value)


def test_a_file_or_nothing_instead_of_the_folder_is_told(tmp_path: Path, idx_folder: Path) -> None:
    with pytest.raises(DataError, match="nowhere does not exist"):
        find(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a file"):
        find(idx_folder / IDX_NAMES[0])


def test_a_folder_with_a_files_name_is_one_error(idx_folder: Path) -> None:
    (idx_folder / IDX_NAMES[2]).unlink()
    (idx_folder / IDX_NAMES[2]).mkdir()
    with pytest.raises(DataError, match=f"{IDX_NAMES[2]} cannot be read: Is a directory"):
        read(idx_folder)
