"""Predictions come back as they were stored, and a damaged file is one clear error."""

import contextlib
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.predictions import read_predictions, write_predictions
from support.factories import make_run

RUN = make_run(n_test=50, n_validation=30)


def test_predictions_read_back_exactly(tmp_path):
    write_predictions(tmp_path / "p.npz", RUN.arrays)
    read = vars(read_predictions(tmp_path / "p.npz"))
    assert read.keys() == RUN.arrays.keys()
    for name, array in RUN.arrays.items():
        assert np.asarray(read[name]).dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_the_record_holds_the_metrics_of_the_stored_predictions(tmp_path):
    write_predictions(tmp_path / "p.npz", RUN.arrays)
    read = read_predictions(tmp_path / "p.npz")
    accuracy = float((read.test_true == read.test_predicted).mean())
    assert accuracy == RUN.record.metrics.test.accuracy


@pytest.mark.parametrize(
    "change",
    [
        {"test_predicted": np.zeros(50, np.int64)},
        {"test_predicted": np.zeros(49, np.uint8)},
        {"test_predicted": np.zeros((50, 1), np.uint8)},
        {"test_probability": np.zeros(50, np.float32)},
        {"validation_index": np.zeros(29, np.int32)},
        {"data_sha256": np.array(1)},
    ],
)
def test_wrong_arrays_are_neither_written_nor_read(tmp_path, change):
    arrays = {**RUN.arrays, **change}
    with pytest.raises(ValueError, match=r"is|differ"):
        write_predictions(tmp_path / "p.npz", arrays)
    assert not list(tmp_path.iterdir())
    np.savez_compressed(tmp_path / "p.npz", **arrays)
    with pytest.raises(DirectoryError, match=r"p\.npz"):
        read_predictions(tmp_path / "p.npz")


def test_a_missing_array_is_named(tmp_path):
    arrays = {name: array for name, array in RUN.arrays.items() if name != "test_true"}
    with pytest.raises(ValueError, match="test_true"):
        write_predictions(tmp_path / "p.npz", arrays)


def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(DirectoryError, match="no such file"):
        read_predictions(tmp_path / "p.npz")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_a_pickle_inside_is_refused_and_not_executed(tmp_path):
    np.savez(tmp_path / "p.npz", **{**RUN.arrays, "test_true": np.array([Bomb()], object)})
    with pytest.raises(DirectoryError, match=r"p\.npz"):
        read_predictions(tmp_path / "p.npz")
    (tmp_path / "q.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DirectoryError, match=r"q\.npz"):
        read_predictions(tmp_path / "q.npz")


def test_a_file_that_unpacks_to_gigabytes_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("mnist_sweep.records.predictions.MAX_BYTES", 20_000)
    arrays = {**RUN.arrays, "test_true": np.zeros(100_000, np.uint8)}
    np.savez_compressed(tmp_path / "p.npz", **arrays)
    with pytest.raises(DirectoryError, match="would unpack to"):
        read_predictions(tmp_path / "p.npz")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), cut=st.booleans(), value=st.integers(1, 255))
def test_any_damage_is_noticed_or_changes_nothing(tmp_path, position, cut, value):
    path = tmp_path / "p.npz"
    write_predictions(path, RUN.arrays)
    content = bytearray(path.read_bytes())
    where = int(position * len(content))
    if cut:
        del content[where:]
    else:
        content[where] ^= value
    path.write_bytes(content)
    # Damage to what nothing depends on, such as an archive's dates, may go unnoticed.
    with contextlib.suppress(DirectoryError):
        read = read_predictions(path)
        for name, array in RUN.arrays.items():
            np.testing.assert_array_equal(getattr(read, name), array)


def test_an_archive_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("test_true.npy", b"not an array")
    with pytest.raises(DirectoryError, match=r"p\.npz"):
        read_predictions(tmp_path / "p.npz")
