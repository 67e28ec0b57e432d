"""Files that nobody should read: each is refused with a reason, at once, and executes nothing."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile

import numpy as np
import pytest

from mnist_sweep.analysis.gate import read_baseline
from mnist_sweep.analysis.gate.rules import read_rules
from mnist_sweep.data.readers import npz
from mnist_sweep.errors import (
    DataError,
    DirectoryError,
    MnistSweepError,
    ModelError,
    UsageError,
    harmless,
    visible,
)
from mnist_sweep.inference.load import inspect
from mnist_sweep.records.paths import TABLE_FORMATS, SweepPaths
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.records.predictions import read_predictions
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import Problem, all_runs, load
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.tables import comparison
from mnist_sweep.safe_files import json_text, strict_json
from mnist_sweep.settings.validation import _name_problems
from mnist_sweep.sweeping.plan.commands import commands_of
from support.damage import SMALL
from support.factories import make_run, write_sweep

READERS = {
    "predictions.npz": (read_predictions, DirectoryError),
    "model.keras": (inspect, ModelError),
    "baseline.json": (read_baseline, MnistSweepError),
    "rules.yaml": (read_rules, MnistSweepError),
    "study.json": (lambda path: load_study(path.parent), DirectoryError),
    "sweep.json": (lambda path: read_plan(path.parent), ValueError),
    "digits.npz": (npz.read, DataError),
}


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path)


def huge(path):
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize("make", [pipe, endless, loop, huge])
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_of_ours_is_refused_at_once(tmp_path, name, make):
    if (name, make) == ("digits.npz", huge):
        pytest.skip("a dataset may be of any size; that it is no archive is another test's")
    read, error = READERS[name]
    make(tmp_path / name)
    with pytest.raises((error, OSError)) as caught:
        read(tmp_path / name)
    if make in (pipe, endless) and name != "digits.npz":
        assert "not a regular file" in str(caught.value)


JSON = {name: one for name, one in READERS.items() if name.endswith(".json")}
NO_JSON = {
    "empty": b"", "blank": b"\n", "a list": b"[]", "a number": b"1", "a text": b'"x"',
    "null": b"null", "cut": b'{"schema_version": 1, "na', "UTF-16": "{}".encode("utf-16"),
    "NaN": b'{"schema_version": NaN}', "Infinity": b'{"level": Infinity, "stages": []}',
    "a key twice": b'{"name": "a", "name": "b", "stages": [], "invocations": []}',
    "deep": b'{"name": ' + b"[" * 100_000, "a newer one": b'{"schema_version": 99}',
    "a huge number": b'{"schema_version": 1' + b"0" * 5000 + b"}", "zeros": bytes(500),
    "an unknown version": b'{"schema_version": "1", "stages": 1, "invocations": 1}',
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_JSON)
@pytest.mark.parametrize("name", JSON)
def test_json_that_is_not_ours_is_refused_with_a_reason(tmp_path, name, kind):
    read, error = JSON[name]
    (tmp_path / name).write_bytes(NO_JSON[kind])
    with pytest.raises(error) as caught:
        read(tmp_path / name)
    assert len(str(caught.value)) > 5


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_refused_wherever_it_stands(tmp_path, word):
    text = f'{{"schema_version": 1, "invocations": [], "of a later version": [{word}]}}'
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(ValueError, match=f"^{word} is not JSON"):
        read_plan(tmp_path)


@pytest.mark.parametrize("claimed", [2**40, 9, 1])
def test_an_array_of_another_size_than_its_header_says_is_refused_unread(
    tmp_path, claimed, monkeypatch
):
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    header = io.BytesIO()
    of_array = {"descr": "|u1", "fortran_order": False, "shape": (claimed,)}
    np.lib.format.write_array_header_1_0(header, of_array)
    with zipfile.ZipFile(tmp_path / "p.npz", "w") as archive:
        archive.writestr("test_true.npy", header.getvalue() + bytes(8))
    with pytest.raises(DirectoryError, match=rf"bytes, not {claimed + len(header.getvalue()):,}"):
        read_predictions(tmp_path / "p.npz")


@pytest.mark.parametrize("point", [{"run_id": "../x"}, {"run_id": "a", "label": "../../etc"}])
def test_a_plan_names_no_directory_elsewhere(tmp_path, point):
    plan = {"schema_version": 1, "invocations": [{"points": [point]}]}
    (tmp_path / "sweep.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match="points"):
        read_plan(tmp_path)


@pytest.mark.slow
def test_names_that_are_no_text_are_shown_everywhere(tmp_path):
    runs = [make_run(**SMALL, seed=0), make_run(**SMALL, seed=1)]
    sweep = write_sweep(tmp_path / "a", runs).rename(tmp_path / os.fsdecode(b"a\xff"))
    run = next((sweep / "runs").iterdir())
    run.rename(run.with_name(os.fsdecode(b"\xfe-") + run.name))
    (sweep / "runs" / os.fsdecode(b"\xfd-0123456789ab")).mkdir()
    found = load(sweep)
    assert len(found.frame) == 2
    for name in ("text", *TABLE_FORMATS):
        assert "udcfd" in render(comparison([found], columns=["label"]), name)
    written = write_report([sweep], figures=False)
    assert "%FE-" in written.page.read_text("utf-8")
    with pytest.raises(UsageError, match="not UTF-8: rename the directory"):
        commands_of(sweep, (), trust=True)


@pytest.mark.parametrize("name", ["study.json", "sweep.json"])
def test_a_damaged_plan_or_study_is_a_problem_of_its_sweep(tmp_path, name):
    sweep = write_sweep(tmp_path / "sweep", [make_run(**SMALL)])
    for content in (b"", b"{", b'{"schema_version": 9}', b"[]"):
        (sweep / name).write_bytes(content)
        found = load(sweep)
        assert [one.path for one in found.problems] == [sweep / name]
        assert len(found.frame) == len(all_runs([found])) == 1


def bomb(names, n=2**33):
    """An archive whose arrays are `n` zeros each, by their headers and by the directory."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (n,)}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(f"{name}.npy", head.getvalue() + bytes(2**20))
    packed = bytearray(file.getvalue())
    # The true size is replaced in the central directory: 2**32 - 2, the most without ZIP64.
    size = (len(head.getvalue()) + 2**20).to_bytes(4, "little")
    return bytes(packed.replace(size, (2**32 - 2).to_bytes(4, "little")))


def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(tmp_path):
    names = ("test_true", "test_predicted", "validation_true", "validation_predicted")
    (tmp_path / "p.npz").write_bytes(bomb(names))
    with pytest.raises(DirectoryError, match="bytes"):
        read_predictions(tmp_path / "p.npz")
    (tmp_path / "d.npz").write_bytes(bomb(npz.NAMES))
    with pytest.raises(DataError, match="would unpack"):
        npz.read(tmp_path / "d.npz")
    (tmp_path / "m.keras").write_bytes(bomb(["metadata"]))
    with pytest.raises(ModelError):
        inspect(tmp_path / "m.keras")


def test_the_time_to_read_a_plan_grows_with_its_points_not_with_their_square(tmp_path):
    path = SweepPaths(write_sweep(tmp_path / "sweep", [make_run(**SMALL)])).sweep_json
    plan = json.loads(path.read_bytes())

    def seconds(n: int) -> float:
        more = [
            {"run_id": f"{k:012x}", "label": f"nodes={k},seed=0", "overrides": [f"nodes={k}"]}
            for k in range(n)
        ]
        one = plan["invocations"][0]
        changed = {**one, "points": [*one["points"], *more]}
        path.write_text(json.dumps({**plan, "invocations": [changed]}))
        began = time.process_time()
        assert len(all_runs([load(path.parent)])) == n + 1
        return time.process_time() - began

    seconds(10)  # imports
    assert seconds(10_000) < 40 * seconds(1000)


# --- what a terminal would obey -------------------------------------------------------------------

NASTY = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x9b2J",
    "\u202eabc",
    "\u2066x\u2069",
    "\r",
    "\x00",
    "\x7f",
    "ä\x7f",
]


@pytest.mark.parametrize("text", NASTY)
def test_nothing_that_a_terminal_obeys_gets_through(tmp_path, text):
    for shown in (
        visible(f"a{text}b"), harmless(f"a{text}b\nc"), str(DataError(f"a{text}b")),
        str(Problem(tmp_path / f"a{text}b".replace("\x00", "0"), text)),
        json_text({f"a{text}b": [text]}),
    ):  # fmt: skip
        assert all(one.isprintable() or one == "\n" for one in shown), repr(shown)
    assert strict_json(json_text({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize(
    "name",
    [
        "NUL",
        "nul.txt",
        "COM1",
        "-x",
        "a.",
        ".a",
        "a\u202eb",
        "a\x1bb",
        "a/b",
        "a\\b",
        "",
        " a",
        "a\n",
    ],
)
def test_a_sweep_s_name_that_some_system_takes_for_something_else_is_refused(name):
    assert list(_name_problems(name))


@pytest.mark.parametrize("name", ["grid", "null", "a.b", "a-x", "größe", "2026-01-02", "consul"])
def test_an_ordinary_name_is_taken(name):
    assert not list(_name_problems(name))


def test_a_newer_plan_is_refused_by_its_version(tmp_path):
    (tmp_path / "sweep.json").write_text('{"schema_version": 9, "invocations": "another form"}')
    with pytest.raises(ValueError, match="schema_version 9 is newer than 1"):
        read_plan(tmp_path)
