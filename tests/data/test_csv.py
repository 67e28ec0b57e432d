"""Digit Recognizer's CSV is read whole, and a bad line is told by its number."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mnist_sweep.data.readers.csv import find, read, read_table
from mnist_sweep.errors import DataError
from support.data_files import Bytes, csv_text, result_or_message, small_arrays

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "label,pixel0,pixel1,pixel2,pixel3\n"


@settings(deadline=None)
@given(images=hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 12))))
def test_any_image_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, images: Bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    labels = np.arange(len(images), dtype=np.uint8)
    path.write_text(csv_text(images, labels))
    train, test = read(path)
    assert test is None
    np.testing.assert_array_equal(train.images.reshape(images.shape), images)
    np.testing.assert_array_equal(train.labels, labels)


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("base", [0, 1])
def test_a_header_of_numbers_as_pandas_writes_it_is_no_image(
    tmp_path: Path, *, base: int, index: bool
) -> None:
    images, labels = np.arange(32, dtype=np.uint8).reshape(2, 16), np.array([3, 4], np.uint8)
    path = tmp_path / "array.csv"
    for table, known in ((np.column_stack([labels, images]), labels), (images, None)):
        frame = pd.DataFrame(table)
        frame.columns += base
        frame.to_csv(path, index=index)
        found, found_labels = read_table(path)
        np.testing.assert_array_equal(found, images)
        np.testing.assert_array_equal(found_labels, known)


@pytest.mark.parametrize(("pixels", "shape"), [(784, (28, 28)), (4, (2, 2)), (6, (1, 6))])
def test_images_are_square_where_they_can_be(
    tmp_path: Path, pixels: int, shape: tuple[int, int]
) -> None:
    images = small_arrays(shape=(pixels,))[0]
    (tmp_path / "train.csv").write_text(csv_text(images, np.zeros(len(images), np.uint8)))
    assert read(tmp_path)[0].images.shape == (len(images), *shape)


@pytest.mark.parametrize(
    "content",
    [
        HEADER + "1,2,3,4,5\n6,7,8,9,10\n",
        HEADER + "1,2,3,4,5\n6,7,8,9,10",
        HEADER.replace("\n", "\r\n") + "1,2,3,4,5\r\n6,7,8,9,10\r\n",
        "\ufeff" + HEADER + "1,2,3,4,5\n\n6,7,8,9,10\n\n",
        '"label","pixel0","pixel1","pixel2","pixel3"\n"1",2,3,4,5\n6,7,8,9,"10"\n',
        HEADER + "1, 2,3 ,4,5\n6,7,8,9,10\n",
        "label,pixel1,pixel2,pixel3,pixel4\n1,2,3,4,5\n6,7,8,9,10\n",
        "label,1x1,1x2,2x1,2x2\n1,2,3,4,5\n6,7,8,9,10\n",
        "1,2,3,4,5\n6,7,8,9,10\n",
        ",label,0,1,2,3\na,1,2,3,4,5\nb,6,7,8,9,10\n",
        "pixel0,pixel1,pixel2,pixel3,class\n2,3,4,5,1\n7,8,9,10,6\n",
        HEADER.replace(",", ";") + "1;2;3;4;5\n6;7;8;9;10\n",
        HEADER.replace(",", "\t") + "1\t2\t3\t4\t5\n6\t7\t8\t9\t10\n",
        HEADER + "1.0,2.0,3.0,4.0,5.0\n6,7,8,9,10.00\n",
        HEADER.replace("\n", ",\n") + "1,2,3,4,5,\n6,7,8,9,10,\n",
        HEADER + "1,2,3,4,5,\n6,7,8,9,10,\n",
    ],
)
def test_the_ways_programs_write_a_csv_are_one_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(content.encode())
    train, _ = read(path)
    assert train.labels.tolist() == [1, 6]
    assert train.images.tolist() == [[[2, 3], [4, 5]], [[7, 8], [9, 10]]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("suffix", ["", ".gz", ".zip"])
def test_packed_and_wide_files_are_the_same_table(
    tmp_path: Path, encoding: str, suffix: str
) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = (mark + HEADER + "1,2,3,4,5\n6,7,8,9,10\n").encode(encoding)
    path = tmp_path / f"train.csv{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("train.csv", content)
            archive.writestr("test.csv", "pixel0\n1\n")
    else:
        path.write_bytes(gzip.compress(content) if suffix else content)
    for place in (path, tmp_path):
        train, _ = read(place)
        assert train.labels.tolist() == [1, 6]
        assert train.images.tolist() == [[[2, 3], [4, 5]], [[7, 8], [9, 10]]]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv.gz", gzip.compress(HEADER.encode() * 50)[:-9], "cannot be read"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.zip", b"no zip", "cannot be read"),
    ],
    ids=["truncated", "no gzip", "no zip"],
)
def test_a_damaged_packed_file_is_named(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("1,2,3,4", "has 4 values; expected 5"),
        ("1,2,3,4,5,6", "has 6 values; expected 5"),
        ("1,2,x,4,5", "has 'x' for pixel1"),
        ("1,2,,4,5", "has '' for pixel1"),
        ("x,2,3,4,5", "has 'x' for label"),
        ("1,2,3,4,256", "has '256' for pixel3"),
        ("1,2,3,4,-1", "has '-1' for pixel3"),
        ("1,2,3,4,0.5", "has '0.5' for pixel3"),
        ("1,2,3,4,5,6,", "has 7 values; expected 5"),
        ("1,2,3,4,nan", "has 'nan' for pixel3"),
        ("1,2,3,4," + "9" * 40, "has '9+...' for pixel3"),
        ("1,2,3,4,\N{ARABIC-INDIC DIGIT FIVE}", "for pixel3"),
        ("# remark", "has 1 values"),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
def test_a_bad_line_is_told_by_its_number(tmp_path: Path, bad: str, said: str, before: int) -> None:
    path = tmp_path / "d.csv"
    path.write_text(HEADER + "1,2,3,4,5\n" * before + "\n" + bad + "\n1,2,3,4,5\n")
    with pytest.raises(DataError, match=said) as error:
        read(path)
    assert f"Line {before + 3} of {path}" in str(error.value)


@pytest.mark.parametrize("lines", ["1,2\n3,4\n", "1,2,3,4,5,6\n1,2,3,4,5,6\n"])
def test_lines_that_agree_with_each_other_and_not_with_the_header_are_refused(
    tmp_path: Path, lines: str
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(HEADER + lines)
    with pytest.raises(DataError, match=r"Line 2 of .* expected 5, one for each column of line 1"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1 is ''"),
        ("label\n1\n", "line 1 is 'label'"),
        ("label,1x1,2x1,1x2,2x2\n1,2,3,4,5\n", "line 1 is"),
        ("label,label2,pixel0\n1,2,3\n", "line 1 is"),
        ("label,pixel0,pixel2\n1,2,3\n", "line 1 is"),
        ("pixel0,pixel1\n1,2\n", "has no labels.*test.csv"),
        (HEADER, "holds a header and no images"),
        (HEADER + "\n\n", "holds a header and no images"),
    ],
)
def test_a_file_without_header_or_images_is_told(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=said) as error:
        read(path)
    assert str(path) in str(error.value)


@settings(deadline=None)
@given(junk=st.binary(max_size=80), header=st.booleans())
def test_arbitrary_bytes_give_a_table_or_an_error_that_names_the_file(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, header: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.csv"
    path.write_bytes(HEADER.encode() * header + junk)
    found = result_or_message(lambda: read(path))
    if isinstance(found, str):
        assert str(path) in found
    else:
        assert found[0].images.shape[1:] == (2, 2)


def test_a_folder_means_its_train_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv does not exist"):
        find(tmp_path)
    (tmp_path / "train.csv").write_text(HEADER)
    assert find(tmp_path) == [tmp_path / "train.csv"]
