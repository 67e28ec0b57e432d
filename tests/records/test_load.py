"""Collecting never fails on a bad file and never leaves one out silently."""

import json
import os
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_sweep.errors import DirectoryError
from mnist_sweep.records.paths import RunPaths, SweepPaths
from mnist_sweep.records.reading import read_record
from mnist_sweep.records.store import to_json
from mnist_sweep.records.sweep import load
from support.factories import make_run, reference_grid, write_run, write_sweep

GOOD = make_run(layers=1)
BAD = make_run(layers=2)
TEXT = to_json(BAD.values)


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path / "grid", [GOOD, BAD])


def bad_record(sweep):
    return RunPaths(sweep / "runs" / BAD.directory_name).record


def test_all_records_of_a_sweep_are_read(tmp_path):
    runs = [*reference_grid(seeds=(0, 1)), make_run(layers=3, status="failed")]
    found = load(write_sweep(tmp_path / "grid", runs))
    assert sorted(record.run_id for record in found.records) == sorted(
        run.values["run_id"] for run in runs
    )
    assert found.problems == found.missing == ()


def test_a_single_run_may_be_called_anything(tmp_path):
    found = load(write_run(GOOD, tmp_path / "anything"))
    assert [record.run_id for record in found.records] == [GOOD.values["run_id"]]


DAMAGED = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n", "the file is empty"),
    "truncated": (TEXT[: len(TEXT) // 2].encode(), "not valid JSON"),
    "no JSON": (b"run finished", "not valid JSON"),
    "a list": (b"[1, 2]", ""),
    "a number": (b"12", ""),
    "null": (b"null", ""),
    "UTF-16": (TEXT.encode("utf-16"), "not UTF-8"),
    "Latin-1": (TEXT.replace("a processor", "caf\xe9").encode("latin-1"), "not UTF-8"),
    "NaN": (TEXT.replace('"loss": 0.1', '"loss": NaN').encode(), "NaN is not JSON"),
    "Infinity": (TEXT.replace('"loss": 0.1', '"loss": -Infinity').encode(), "Infinity"),
    "NaN in an unknown field": (b'{"x": NaN,' + TEXT[1:].encode(), "NaN is not JSON"),
    "too large a number": (TEXT.replace('"loss": 0.1', '"loss": 1e999').encode(), "finite"),
    "a newer schema": (
        TEXT.replace('"schema_version": 2', '"schema_version": 99').encode(),
        "schema_version 99 is newer",
    ),
    "a newer schema of another form": (
        TEXT.replace('"schema_version": 2', '"schema_version": 99, "x": 1').encode(),
        "schema_version 99 is newer",
    ),
    "a wrong type": (TEXT.replace('"parameters": 8', '"parameters": "8').encode(), ""),
    "a missing field": (TEXT.replace('"status"', '"state"').encode(), "status"),
    "deep nesting": (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    "deep nesting with NaN": (b"[" * 100_000 + b"NaN" + b"]" * 100_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, ""),
    "binary": (bytes(range(256)), "not UTF-8"),
    "zeros": (bytes(4096), ""),
    "trailing text": (TEXT.encode() + b"{}", "not valid JSON"),
    "another run": (to_json(make_run(layers=9).values).encode(), "not the one its directory"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_record_is_a_problem_with_path_and_reason(sweep, name):
    content, reason = DAMAGED[name]
    bad_record(sweep).write_bytes(content)
    found = load(sweep)
    assert [record.run_id for record in found.records] == [GOOD.values["run_id"]]
    (problem,) = found.problems
    assert problem.path == bad_record(sweep)
    assert reason in problem.reason
    assert 0 < len(problem.reason) < 400
    assert "\n" not in problem.reason
    assert found.missing == ()


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8")))
def test_no_content_makes_collecting_fail(sweep, content):
    bad_record(sweep).write_bytes(content)
    assert len(load(sweep).problems) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.slow
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None
)
@given(field=st.sampled_from(sorted(BAD.values)), value=json_values)
def test_a_field_of_any_value_is_read_or_is_a_problem(sweep, field, value):
    bad_record(sweep).write_text(json.dumps({**BAD.values, field: value}), "utf-8")
    found = load(sweep)
    assert len(found.records) + len(found.problems) == 2


def make_directory(path):
    path.unlink()
    path.mkdir()


def make_loop(path):
    path.unlink()
    path.symlink_to(path)


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("make", [make_directory, make_loop, make_pipe])
def test_what_is_no_file_is_a_problem_and_does_not_hang(sweep, make):
    make(bad_record(sweep))
    (problem,) = load(sweep).problems
    assert problem.path == bad_record(sweep)


def test_a_loop_among_the_runs_is_a_problem(sweep):
    loop = sweep / "runs" / "loop"
    loop.symlink_to(loop)
    assert [problem.path.parent.name for problem in load(sweep).problems] == ["loop"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_record_is_a_problem(sweep):
    bad_record(sweep).chmod(0)
    assert "Permission denied" in load(sweep).problems[0].reason


def test_a_huge_record_is_refused_unread(sweep):
    os.truncate(bad_record(sweep), 2**40)
    assert "too large" in load(sweep).problems[0].reason


def test_a_copy_of_a_run_is_named_and_counted_once(sweep):
    runs = sweep / "runs"
    shutil.copytree(runs / GOOD.directory_name, runs / f"zz-{GOOD.values['run_id']}")
    found = load(sweep)
    assert len(found.records) == 2
    assert GOOD.directory_name in found.problems[0].reason


def test_stray_files_and_hidden_ones_are_nobody_s_runs(sweep):
    (sweep / "runs" / "notes.txt").write_text("x")
    (sweep / "runs" / ".lock").mkdir()
    found = load(sweep)
    assert len(found.records) == 2
    assert found.problems == found.missing == ()


def test_a_planned_point_without_a_record_is_missing(tmp_path):
    never, begun = make_run(layers=3), make_run(layers=4)
    sweep = write_sweep(tmp_path / "grid", [GOOD], missing=[never, begun])
    (sweep / "runs" / begun.directory_name).mkdir()
    missing = {point.label: point for point in load(sweep).missing}
    assert missing[never.values["label"]].reason == "not run"
    assert "interrupted" in missing[begun.values["label"]].reason
    assert missing[begun.values["label"]].overrides[0] == "layers=4"


def test_a_begun_run_that_no_plan_knows_is_missing_too(sweep):
    SweepPaths(sweep).sweep_json.unlink()
    other = make_run(layers=5)
    (sweep / "runs" / other.directory_name).mkdir()
    (point,) = load(sweep).missing
    assert (point.run_id, point.label) == (other.values["run_id"], other.values["label"])


def test_a_directory_without_record_or_run_id_is_a_problem(sweep):
    (sweep / "runs" / "notes").mkdir()
    assert [p.reason for p in load(sweep).problems] == ["a directory without a record"]


@pytest.mark.parametrize(
    "plan", [b"", b"{", b"[]", b'{"invocations": 1}', b'{"invocations": [{"points": [{}]}]}',
             b"[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_a_damaged_plan_is_a_problem_and_the_records_are_read(sweep, plan):
    SweepPaths(sweep).sweep_json.write_bytes(plan)
    found = load(sweep)
    assert len(found.records) == 2
    (problem,) = found.problems
    assert problem.path == SweepPaths(sweep).sweep_json
    assert problem.reason.startswith("the plan cannot be read")


def test_points_of_several_invocations_count_once(sweep):
    path = SweepPaths(sweep).sweep_json
    plan = json.loads(path.read_text())
    later = make_run(layers=7).values
    new = {"run_id": later["run_id"], "label": later["label"], "unknown": 1}
    plan["invocations"] *= 2
    plan["invocations"].append({"points": [new]})
    path.write_text(json.dumps(plan))
    assert [point.run_id for point in load(sweep).missing] == [later["run_id"]]


def test_a_directory_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(DirectoryError, match="no such directory"):
        load(tmp_path / "nothing")


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(DirectoryError, match="it is a file"):
        load(tmp_path / "a")


def test_a_directory_without_runs_is_an_error_that_names_the_sweep_inside(tmp_path):
    with pytest.raises(DirectoryError, match="holds no runs"):
        load(tmp_path)
    write_sweep(tmp_path / "grid", [GOOD])
    with pytest.raises(DirectoryError, match=r"Did you mean .*grid"):
        load(tmp_path)


def test_reading_one_record_says_what_is_wrong(sweep):
    path = bad_record(sweep)
    assert read_record(path).run_id == BAD.values["run_id"]
    path.write_text("{")
    with pytest.raises(DirectoryError, match="not valid JSON"):
        read_record(path)
    path.unlink()
    with pytest.raises(DirectoryError, match="No such file"):
        read_record(path)
