"""A file appears whole or not at all, whatever happens while it is written."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mnist_sweep.atomic_files import TEMPORARY
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import store
from mnist_sweep.records.reading import read_record
from support.factories import make_run


def files_in(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_written_file_holds_its_content_and_nothing_else_is_left(tmp_path):
    store.write_text(tmp_path / "deep" / "er" / "a.txt", "één\n")
    assert (tmp_path / "deep" / "er" / "a.txt").read_bytes() == "één\n".encode()
    assert files_in(tmp_path / "deep" / "er") == ["a.txt"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    for content in (b"long content", b"short"):
        store.write_bytes(path, content)
    assert path.read_bytes() == b"short"


def test_others_may_read_a_file_as_the_umask_says(tmp_path):
    store.write_bytes(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_an_error_keeps_the_old_file_and_leaves_no_temporary_one(
    tmp_path, monkeypatch, failing, code
):
    path = tmp_path / "a"
    store.write_bytes(path, b"old")

    def fail(*_args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), fail)
    with pytest.raises(DirectoryError, match=str(path)) as caught:
        store.write_bytes(path, b"new")
    if code == errno.ENOSPC:
        assert "the disk is full" in str(caught.value)
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == ["a"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write_bytes(tmp_path / "a", b"new")
    assert files_in(tmp_path) == []


def test_a_file_in_the_way_of_a_directory_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(DirectoryError, match="file"):
        store.write_bytes(tmp_path / "runs" / "a", b"")


def test_json_is_strict(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        store.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert files_in(tmp_path) == []
    store.write_json(tmp_path / "a.json", {"é": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"é": [1, None]}


def test_a_record_that_fits_no_schema_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="run_id"):
        store.write_record(tmp_path / "record.json", {**make_run().values, "run_id": "x"})
    assert files_in(tmp_path) == []


def test_object_arrays_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        store.write_npz(tmp_path / "a.npz", {"a": np.array([{}], dtype=object)})
    assert files_in(tmp_path) == []


WRITER = """
import sys
from pathlib import Path
from mnist_sweep.records.store import write_record
sys.path.insert(0, sys.argv[2])
from support.factories import make_run
values = [make_run(epochs=400, seed=seed).values for seed in (1, 2)]
print("go", flush=True)
while True:
    for value in values:
        write_record(Path(sys.argv[1]) / "record.json", value)
"""


def test_a_reader_never_sees_a_part_and_a_killed_writer_leaves_a_whole_file(tmp_path):
    tests = Path(__file__).parent.parent
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), str(tests)],
        stdout=subprocess.PIPE,
        cwd=tests.parent,
    )
    with writer:
        writer.stdout.readline()
        path = tmp_path / "record.json"
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        seeds = {read_record(path).seed for _ in range(100)}
        writer.kill()
    assert seeds <= {1, 2}
    assert read_record(path).seed in {1, 2}
    left = [name for name in files_in(tmp_path) if name != "record.json"]
    assert all(TEMPORARY.fullmatch(name) for name in left)
    assert store.clean_temporary(tmp_path) == len(left)
    assert files_in(tmp_path) == ["record.json"]


def test_cleaning_removes_only_what_writers_leave(tmp_path):
    run = tmp_path / "runs" / "a"
    run.mkdir(parents=True)
    keep = [run / "record.json", run / ".hydra", run / ".x.partial", tmp_path / "a.partial"]
    for path in keep:
        path.write_text("")
    (run / ".record.json.0123456789abcdef.partial").write_text("")
    assert store.clean_temporary(tmp_path) == 1
    assert all(path.exists() for path in keep)


def test_cleaning_passes_over_a_directory_that_vanishes(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".record.json.0123456789abcdef.partial").write_text("")
    scandir = os.scandir

    def vanishing(path):
        if str(path).endswith("a"):
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert store.clean_temporary(tmp_path) == 1
    assert not any((tmp_path / "b").iterdir())
