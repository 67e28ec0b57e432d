"""A large sweep is read through an index, and nothing about it can be told from reading it all."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factories import make_run, write_run, write_sweep
from mnist_sweep.errors import DirectoryError
from mnist_sweep.results import index
from mnist_sweep.results.paths import RunPaths, SweepPaths
from mnist_sweep.results.select import select
from mnist_sweep.results.sweep import load

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
def indexed(monkeypatch):
    """Every sweep is large, and files count as settled at once unless a test is about that."""
    monkeypatch.setattr(index, "FEWEST", 1)
    monkeypatch.setattr(index, "RACY_NS", -(10**12))


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path / "grid", RUNS, missing=[make_run(layers=9)])


def everything(directory):
    """All that a reader can see of a directory."""
    found = load(directory)
    frame = found.frame
    return (
        list(found.records),
        [dict(run.values) for run in found.runs],
        [(run.run_id, run.label, run.status, run.seed, run.error) for run in found.runs],
        [(run.configuration_id, run.settings, run.directory) for run in found.runs],
        found.problems,
        found.missing,
        [(name, str(frame[name].dtype), frame[name].astype(object).tolist()) for name in frame],
    )


def without_index(directory, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(index, "FEWEST", 10**9)
        return repr(everything(directory))


def record(sweep, number):
    return RunPaths(sweep / "runs" / RUNS[number].directory_name).record


def parts(sweep):
    return sorted(SweepPaths(sweep).index.glob("*"))


def count_reads(monkeypatch):
    """The names of the directories whose records are read from now on."""
    read = []
    original = index.try_record
    monkeypatch.setattr(
        index, "try_record", lambda path: read.append(path.parent.name) or original(path)
    )
    return read


def test_with_an_index_everything_is_as_without(sweep, monkeypatch):
    expected = without_index(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert len(parts(sweep)) == 1
    assert repr(everything(sweep)) == expected


def test_a_record_is_read_once(sweep, monkeypatch):
    load(sweep)
    read = count_reads(monkeypatch)
    assert len(load(sweep).runs) == len(RUNS)
    assert read == []


def test_only_what_is_new_or_changed_is_read_again(sweep, monkeypatch):
    load(sweep)
    new = make_run(layers=8, **SMALL)
    write_run(new, sweep / "runs" / new.directory_name)
    write_run(make_run(layers=1, nodes=10, accuracy=0.5, **SMALL), record(sweep, 0).parent)
    read = count_reads(monkeypatch)
    found = load(sweep)
    assert sorted(read) == sorted([RUNS[0].directory_name, new.directory_name])
    assert len(found.runs) == len(RUNS) + 1
    assert found.records[0].metrics.test.accuracy < 0.8


ACTIONS = ("add", "replace", "edit", "damage", "delete", "rename", "copy", "empty", "stray", "read")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None
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
    expected = without_index(sweep, monkeypatch)
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
        text = path.read_text().replace("a processor", "b processor")
        path.write_text(text)
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


def test_a_record_that_was_touched_just_before_is_not_put_into_the_index(sweep, monkeypatch):
    monkeypatch.setattr(index, "RACY_NS", 2 * 10**9)
    load(sweep)
    assert parts(sweep) == []
    read = count_reads(monkeypatch)
    load(sweep)
    assert len(read) == len(RUNS)


def test_a_merge_leaves_out_what_was_touched_just_before(tmp_path, monkeypatch):
    *before, last = [make_run(nodes=n, **SMALL) for n in range(1, index.MOST_SMALL + 2)]
    sweep = write_sweep(tmp_path / "grid", [])
    for run in before:
        write_run(run, sweep / "runs" / run.directory_name)
        load(sweep)
    assert len(parts(sweep)) == index.MOST_SMALL
    monkeypatch.setattr(index, "RACY_NS", 2 * 10**9)
    write_run(last, sweep / "runs" / last.directory_name)
    load(sweep)
    read = count_reads(monkeypatch)
    load(sweep)
    assert read == [last.directory_name]


def test_a_time_in_the_future_is_never_trusted(sweep, monkeypatch):
    monkeypatch.setattr(index, "RACY_NS", 0)
    os.utime(record(sweep, 0), ns=(0, 4 * 10**18))
    load(sweep)
    read = count_reads(monkeypatch)
    load(sweep)
    assert read == [RUNS[0].directory_name]


def test_an_edit_that_keeps_size_inode_and_modification_time_is_seen(sweep):
    os.utime(record(sweep, 0), ns=(OLD_NS, OLD_NS))
    load(sweep)
    path, before = record(sweep, 0), record(sweep, 0).stat()
    text = path.read_text()
    path.write_text(text.replace("a processor", "b processor"))
    os.utime(path, ns=(OLD_NS, OLD_NS))
    after = path.stat()
    assert (before.st_size, before.st_ino, before.st_mtime_ns) == (
        after.st_size, after.st_ino, after.st_mtime_ns,
    )  # fmt: skip
    assert load(sweep).runs[0].values["environment.cpu"] == "b processor"


def test_a_copy_of_a_sweep_does_not_trust_the_index_that_came_with_it(sweep, tmp_path, monkeypatch):
    load(sweep)
    copy = shutil.copytree(sweep, tmp_path / "copy")
    read = count_reads(monkeypatch)
    load(copy)
    assert len(read) == len(RUNS)


def test_a_record_that_changes_during_the_command_is_not_taken_for_the_old_one(sweep):
    found = load(sweep)
    write_run(make_run(layers=1, nodes=10, accuracy=0.5, **SMALL), record(sweep, 0).parent)
    with pytest.raises(DirectoryError, match="changed during this command"):
        found.records[0]
    record(sweep, 1).unlink()
    with pytest.raises(DirectoryError, match="run it again"):
        found.records[1]


# --- damage and company ---------------------------------------------------------------------------


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.with_name("0" * 32 + ".parquet").write_bytes(b"PAR1 is not all that it takes")


@pytest.mark.parametrize("damage", [cut, flip, empty, foreign])
def test_a_damaged_index_is_made_anew(sweep, monkeypatch, damage):
    expected = without_index(sweep, monkeypatch)
    load(sweep)
    damage(parts(sweep)[0])
    assert repr(everything(sweep)) == expected
    assert len(parts(sweep)) == 1
    read = count_reads(monkeypatch)
    load(sweep)
    assert read == []


def test_an_index_of_another_version_of_the_program_is_made_anew(sweep, monkeypatch):
    from mnist_sweep.results import index_part

    load(sweep)
    (old,) = parts(sweep)
    monkeypatch.setattr(index_part, "code", lambda: "another")
    read = count_reads(monkeypatch)
    load(sweep)
    assert len(read) == len(RUNS)
    (new,) = parts(sweep)
    assert new != old


def test_a_place_that_cannot_be_written_to_costs_time_only(sweep, monkeypatch):
    expected = without_index(sweep, monkeypatch)
    SweepPaths(sweep).index.write_text("a file is in the way")
    assert repr(everything(sweep)) == expected
    shutil.rmtree(sweep / ".locks", ignore_errors=True)
    (sweep / ".locks").write_text("here too")
    assert repr(everything(sweep)) == expected


def test_without_the_library_all_is_read(sweep, monkeypatch):
    monkeypatch.setattr(index, "is_installed", lambda: False)
    assert len(load(sweep).records) == len(RUNS)
    assert parts(sweep) == []
    assert "pip install 'mnist-sweep[index]'" in index.advice(100_000)
    assert index.advice(100) == ""


def test_who_comes_while_another_writes_does_without(sweep, monkeypatch):
    with index._writing(SweepPaths(sweep), wanted=True) as now_ns:
        assert now_ns is not None
        expected = without_index(sweep, monkeypatch)
        assert repr(everything(sweep)) == expected
        assert parts(sweep) == []
    load(sweep)
    assert len(parts(sweep)) == 1


def test_many_at_once_see_the_same_and_leave_a_whole_index(sweep, monkeypatch):
    expected = without_index(sweep, monkeypatch)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(repr(everything(sweep)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
    assert not list(SweepPaths(sweep).index.glob("*.partial"))
    assert repr(everything(sweep)) == expected


# --- parts ----------------------------------------------------------------------------------------


def test_small_parts_are_merged_and_those_of_gone_runs_removed(tmp_path, monkeypatch):
    runs = [make_run(layers=1, nodes=nodes, **SMALL) for nodes in range(1, 13)]
    sweep = write_sweep(tmp_path / "grid", [])
    for run in runs:
        write_run(run, sweep / "runs" / run.directory_name)
        load(sweep)
        assert len(parts(sweep)) <= index.MOST_SMALL + 1
    expected = without_index(sweep, monkeypatch)
    read = count_reads(monkeypatch)
    assert repr(everything(sweep)) == expected
    assert read == []
    for run in runs[:-1]:
        shutil.rmtree(sweep / "runs" / run.directory_name)
    write_run(RUNS[0], sweep / "runs" / RUNS[0].directory_name)
    load(sweep)
    assert len(load(sweep).runs) == 2
    assert len(parts(sweep)) <= 3


def test_rows_of_several_kinds_keep_names_order_and_types(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "PART_ROWS", 2)
    sweep = write_sweep(tmp_path / "grid", RUNS)
    expected = without_index(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert len(parts(sweep)) == 3
    assert repr(everything(sweep)) == expected


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    plain | st.text(max_size=5), lambda one: st.lists(one, max_size=3), max_leaves=4
)
names = st.sampled_from(
    ["a", "label", "file.size", "layout", "dataset", "a.b", "dataset.name", "history", "seed", "x"]
) | st.text(min_size=1, max_size=3)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@given(more=st.lists(st.dictionaries(names, values | st.dictionaries(names, values, max_size=2),
                                     max_size=3), min_size=2, max_size=3))  # fmt: skip
def test_settings_of_any_name_and_value_come_back_as_they_were(tmp_path, monkeypatch, more):
    shutil.rmtree(tmp_path / "grid", ignore_errors=True)
    sweep = write_sweep(tmp_path / "grid", RUNS[: len(more)])
    for number, extra in enumerate(more):
        changed = json.loads(record(sweep, number).read_bytes())
        changed["config"] |= extra
        record(sweep, number).write_text(json.dumps(changed), "utf-8")
    expected = without_index(sweep, monkeypatch)
    assert repr(everything(sweep)) == expected
    assert repr(everything(sweep)) == expected


def test_a_selection_is_the_same_from_an_index(sweep, monkeypatch):
    again = select(load(sweep).records, by="accuracy", where=["layers<6"])
    with monkeypatch.context() as patch:
        patch.setattr(index, "FEWEST", 10**9)
        first = select(load(sweep).records, by="accuracy", where=["layers<6"])
    assert repr(again) == repr(first)
    assert again.chosen.records == first.chosen.records
