"""A large sweep is read from its cache, with the same result as reading all records."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_sweep import cores
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import cache
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.store import sealed
from mnist_sweep.records.sweep import load
from support.factories import make_run, write_run, write_sweep

pytest.importorskip("pyarrow", reason="pip install 'mnist-sweep[index]'")

SMALL = {"n_test": 60, "n_validation": 40, "epochs": 2}
RUNS = [
    make_run(layers=1, nodes=10, **SMALL),
    make_run(layers=2, nodes=20, dropout=0.5, **SMALL),
    make_run(layers=3, nodes=30, dropout=0, status="failed", **SMALL),
    make_run(layers=4, status="diverged", **SMALL),
    make_run(layers=5, n_test=60, n_validation=40, epochs=2, classes=4),
    make_run(layers=6, model={"_target_": "mine.build", "width": [1, 2.5], "gate": None}, **SMALL),
]
OLD_NS = 10**18
"""A time of change long ago."""


@pytest.fixture(autouse=True)
def cached(monkeypatch):
    """Every sweep is large, and files count as settled at once unless a test is about that."""
    monkeypatch.setattr(cache, "MIN_RUNS", 1)
    monkeypatch.setattr(cache, "RACY_NS", -(10**12))


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path / "grid", RUNS, missing=[make_run(layers=9)])


def everything(directory):
    """All that a reader can see of a directory."""
    found = load(directory)
    frame = found.frame
    return (
        [(name, str(frame[name].dtype), frame[name].astype(object).tolist()) for name in frame],
        found.problems,
        found.missing,
    )


def without_cache(directory, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cache, "MIN_RUNS", 10**9)
        return repr(everything(directory))


def record(sweep, number):
    return RunPaths(sweep / "runs" / RUNS[number].directory_name).record


def edit(path, **environment):
    """Write a record again, with other values of its environment."""
    values = json.loads(path.read_bytes())
    path.write_text(sealed({**values, "environment": {**values["environment"], **environment}}))


def is_cached(sweep):
    return SweepPaths(sweep).cache.exists()


def count_reads(monkeypatch):
    """The names of the directories whose records are read from now on."""
    read = []
    original = cache.read_run
    monkeypatch.setattr(
        cache,
        "read_run",
        lambda paths, run_id: read.append(paths.directory.name) or original(paths, run_id),
    )
    return read


def test_with_a_cache_everything_is_as_without(sweep, monkeypatch):
    expected = without_cache(sweep, monkeypatch)
    assert not is_cached(sweep)
    assert repr(everything(sweep)) == expected
    assert is_cached(sweep)
    assert repr(everything(sweep)) == expected


def test_a_small_sweep_has_no_cache(sweep, monkeypatch):
    monkeypatch.setattr(cache, "MIN_RUNS", len(RUNS) + 1)
    load(sweep)
    assert not is_cached(sweep)


def test_a_record_is_read_once(sweep, monkeypatch):
    load(sweep)
    read = count_reads(monkeypatch)
    assert len(load(sweep).frame) == len(RUNS)
    assert read == []


def test_processes_read_what_one_reads(sweep, monkeypatch):
    cut(record(sweep, 1))
    expected = without_cache(sweep, monkeypatch)
    monkeypatch.setattr(cache, "MIN_RUNS_ON_CORES", 1)
    monkeypatch.setattr(cache, "BLOCK_RUNS", 2)
    monkeypatch.setattr(cores, "can_fork", lambda: sys.platform == "linux")
    monkeypatch.setattr(cores, "cores", lambda: 2)
    assert without_cache(sweep, monkeypatch) == expected
    assert [repr(everything(sweep)) for _ in range(2)] == [expected] * 2


def test_only_what_is_new_or_changed_is_read_again(sweep, monkeypatch):
    load(sweep)
    new = make_run(layers=8, **SMALL)
    write_run(new, sweep / "runs" / new.directory_name)
    write_run(make_run(layers=1, nodes=10, accuracy=0.5, **SMALL), record(sweep, 0).parent)
    read = count_reads(monkeypatch)
    found = load(sweep)
    assert sorted(read) == sorted([RUNS[0].directory_name, new.directory_name])
    assert len(found.frame) == len(RUNS) + 1
    assert found.frame["test.accuracy"][0] < 0.8


ACTIONS = ("add", "replace", "edit", "damage", "delete", "rename", "copy", "empty", "stray", "read")


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5), st.integers(0, 5)),
        min_size=1, max_size=7,
    )
)  # fmt: skip
def test_whatever_happens_between_two_looks_is_seen(tmp_path, monkeypatch, steps):
    shutil.rmtree(tmp_path / "grid", ignore_errors=True)
    sweep = write_sweep(tmp_path / "grid", RUNS[:4])
    load(sweep)
    for action, one, other in steps:
        act(sweep, action, one, other)
    expected = without_cache(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert repr(everything(sweep)) == expected


def act(sweep, action, one, other):  # noqa: C901  (one branch for each action)
    source, target = (sweep / "runs" / RUNS[number].directory_name for number in (one, other))
    path = RunPaths(target).record
    if action == "add":
        write_run(RUNS[other], target)
    elif action == "replace" and path.exists():
        (target / "x").write_bytes(path.read_bytes())
        (target / "x").replace(path)
    elif action == "edit" and path.exists():
        status = path.stat()
        with suppress(json.JSONDecodeError):  # of a damaged one
            edit(path, cpu="b processor")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif action == "damage" and path.exists():
        path.write_bytes(path.read_bytes()[:-40])
    elif action == "delete":
        shutil.rmtree(target, ignore_errors=True)
    elif action == "rename" and source.exists() and not target.exists():
        source.rename(target)
    elif action == "copy" and source.exists() and not target.exists():
        shutil.copytree(source, target)
    elif action == "empty" and path.exists():
        path.unlink()
    elif action == "stray":
        (sweep / "runs" / "notes.txt").write_text("x")
    elif action == "read":
        load(sweep)


# --- soundness of what stands for a record --------------------------------------------------------


def test_a_record_that_was_touched_just_before_is_not_cached(sweep, monkeypatch):
    monkeypatch.setattr(cache, "RACY_NS", 2 * 10**9)
    load(sweep)
    assert not is_cached(sweep)
    read = count_reads(monkeypatch)
    load(sweep)
    assert len(read) == len(RUNS)


def test_a_time_in_the_future_is_never_trusted(sweep, monkeypatch):
    os.utime(record(sweep, 0), ns=(0, 4 * 10**18))
    load(sweep)
    read = count_reads(monkeypatch)
    load(sweep)
    assert read == [RUNS[0].directory_name]


def test_an_edit_that_keeps_size_inode_and_modification_time_is_seen(sweep):
    os.utime(record(sweep, 0), ns=(OLD_NS, OLD_NS))
    load(sweep)
    path, before = record(sweep, 0), record(sweep, 0).stat()
    edit(path, cpu="b processor")
    os.utime(path, ns=(OLD_NS, OLD_NS))
    after = path.stat()
    assert (before.st_size, before.st_ino, before.st_mtime_ns) == (
        after.st_size, after.st_ino, after.st_mtime_ns,
    )  # fmt: skip
    assert load(sweep).frame["environment.cpu"][0] == "b processor"


def test_a_copy_of_a_sweep_does_not_trust_the_cache_that_came_with_it(sweep, tmp_path, monkeypatch):
    load(sweep)
    copy = shutil.copytree(sweep, tmp_path / "copy")
    read = count_reads(monkeypatch)
    load(copy)
    assert len(read) == len(RUNS)


def test_a_record_that_changes_during_the_command_is_not_taken_for_the_old_one(sweep):
    found = load(sweep)
    first, second = found.frame["run_id"][:2]
    edit(record(sweep, 0), started_at="2027-01-01T00:00:00+00:00")
    with pytest.raises(DirectoryError, match="changed during this command"):
        found.record(first)
    record(sweep, 1).unlink()
    with pytest.raises(DirectoryError, match="run the command again"):
        found.record(second)


# --- damage and company ---------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def no_parquet(path):
    path.write_bytes(b"PAR1 is not all that it takes")


def another_table(path):
    import pyarrow as pa
    from pyarrow import parquet

    notes = pa.schema([("layers", pa.int32())], metadata={b"mnist_sweep": b"[1]"})
    parquet.write_table(pa.table([[0]], schema=notes), path)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def a_directory(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [cut, flip, empty, no_parquet, another_table, pipe, a_directory],
    ids=lambda one: one.__name__,
)
def test_a_damaged_cache_is_rebuilt(sweep, monkeypatch, damage):
    expected = without_cache(sweep, monkeypatch)
    load(sweep)
    damage(SweepPaths(sweep).cache)
    assert repr(everything(sweep)) == expected
    read = count_reads(monkeypatch)
    assert repr(everything(sweep)) == expected
    assert len(read) == (len(RUNS) if damage is a_directory else 0)


@pytest.mark.slow
def test_any_damaged_byte_is_noticed_or_changes_nothing(sweep, monkeypatch):
    expected = without_cache(sweep, monkeypatch)
    load(sweep)
    path = SweepPaths(sweep).cache
    whole = path.read_bytes()
    monkeypatch.setattr(cache, "write", lambda *_: None)
    for place in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert repr(everything(sweep)) == expected, place


def test_the_cache_of_another_version_of_the_program_is_not_used(sweep, monkeypatch):
    load(sweep)
    monkeypatch.setattr(cache, "code", lambda: "another")
    read = count_reads(monkeypatch)
    load(sweep)
    assert len(read) == len(RUNS)
    load(sweep)
    assert len(read) == len(RUNS)


def test_a_place_that_cannot_be_written_to_costs_time_only(sweep, monkeypatch):
    expected = without_cache(sweep, monkeypatch)
    monkeypatch.setattr(cache, "clock_ns", lambda _: None)
    assert repr(everything(sweep)) == expected
    assert not is_cached(sweep)


def test_a_place_without_a_clock_is_not_written_to(tmp_path):
    assert cache.clock_ns(tmp_path) > 10**18
    assert cache.clock_ns(tmp_path / "nothing") is None


def test_without_the_library_all_is_read_each_time_and_said(sweep, monkeypatch):
    expected = without_cache(sweep, monkeypatch)
    monkeypatch.setattr(cache, "problem", lambda: cache._NOT_INSTALLED)
    assert repr(everything(sweep)) == expected
    assert not is_cached(sweep)
    read = count_reads(monkeypatch)
    load(sweep)
    assert len(read) == len(RUNS)
    assert "pip install 'mnist-sweep[index]'" in cache.advice(100_000)
    assert cache.advice(0) == ""


@pytest.fixture
def library_afresh():
    cache.problem.cache_clear()
    yield
    cache.problem.cache_clear()


def test_a_library_that_cannot_be_imported_costs_one_note(
    sweep, monkeypatch, tmp_path, library_afresh
):
    expected = without_cache(sweep, monkeypatch)
    broken = tmp_path / "broken" / "pyarrow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libarrow.so: no such file')")
    monkeypatch.syspath_prepend(broken.parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    assert repr(everything(sweep)) == expected
    assert not is_cached(sweep)
    assert "cannot be imported (libarrow.so: no such file)" in cache.advice(5)


def test_many_at_once_see_the_same_and_leave_a_whole_cache(sweep, monkeypatch):
    expected = without_cache(sweep, monkeypatch)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(repr(everything(sweep)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
    assert not list(sweep.glob(".*.partial"))
    assert repr(everything(sweep)) == expected


def test_the_rows_of_runs_that_are_gone_are_removed(sweep, monkeypatch):
    load(sweep)
    shutil.rmtree(sweep / "runs" / RUNS[0].directory_name)
    expected = without_cache(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert len(cache.read(SweepPaths(sweep).cache).table) == len(RUNS) - 1


def test_a_directory_s_name_may_be_no_text(sweep, monkeypatch):
    odd = os.fsdecode(os.fsencode(sweep / "runs") + b"/layers=1,n\xff-" + b"a" * 12)
    try:
        shutil.copytree(sweep / "runs" / RUNS[0].directory_name, odd)
    except OSError:
        pytest.skip("this file system holds no such names")
    expected = without_cache(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    read = count_reads(monkeypatch)
    assert repr(everything(sweep)) == expected
    assert read == [os.path.basename(odd)]  # noqa: PTH119  (only runs of their own name are kept)


def installed_in_a_zip_file(package, place):
    return shutil.make_archive(str(place / "zipped"), "zip", package.parent)


def installed_without_sources(package, place):
    compileall.compile_dir(package, legacy=True, quiet=2)
    for source in package.rglob("*.py"):
        source.unlink()
    return package.parent


@pytest.mark.parametrize("way", [installed_in_a_zip_file, installed_without_sources])
def test_the_program_knows_its_own_code_however_it_is_installed(tmp_path, way):
    package, source = tmp_path / "there" / "mnist_sweep", Path(cache.__file__).parents[1]
    for name in ("settings", "records"):
        shutil.copytree(source / name, package / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "errors.py", "metrics.py", "plugins.py", "atomic_files.py",
                 "safe_files.py", "cores.py"):  # fmt: skip
        shutil.copy(source / name, package / name)
    place = way(package, tmp_path)
    code = "from mnist_sweep.records import cache as c; print(c.__file__, c.code())"
    done = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(place)}, cwd=tmp_path, capture_output=True,
            text=True, check=True,
        ).stdout.split()
        for _ in range(2)
    ]  # fmt: skip
    assert done[0] == done[1]
    assert done[0][0].startswith(str(place))
    assert (done[0][1] == cache.code()) == (way is installed_in_a_zip_file)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    plain | st.text(max_size=5), lambda one: st.lists(one, max_size=3), max_leaves=4
)
names = st.sampled_from(
    ["a", "label", "@file", "index", "dataset", "a.b", "dataset.name", "history", "seed", "x"]
) | st.text(min_size=1, max_size=3)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None
)
@given(more=st.lists(st.dictionaries(names, values | st.dictionaries(names, values, max_size=2),
                                     max_size=3), min_size=2, max_size=3))  # fmt: skip
def test_settings_of_any_name_and_value_come_back_as_they_were(tmp_path, monkeypatch, more):
    shutil.rmtree(tmp_path / "grid", ignore_errors=True)
    sweep = write_sweep(tmp_path / "grid", RUNS[: len(more)])
    for number, extra in enumerate(more):
        changed = json.loads(record(sweep, number).read_bytes())
        changed["config"] |= extra
        record(sweep, number).write_text(sealed(changed), "utf-8")
    expected = without_cache(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert repr(everything(sweep)) == expected
