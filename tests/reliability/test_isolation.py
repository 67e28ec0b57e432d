"""Whatever one run does to its process costs that run alone."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.real_sweeps import Ended, Place, until

KINDS = (
    "fine", "raises", "exits", "leaves", "segfaults", "killed", "killed_once", "eats", "full",
    "leaves_a_child",
)  # fmt: skip
UNRECORDED = "full"


@pytest.fixture(scope="module")
def swept(new_place: Callable[[], Place]) -> tuple[Place, Ended]:
    """One sweep in which nearly every run goes wrong in a way of its own."""
    place = new_place()
    return place, place.sweep(f"model.kind={','.join(KINDS)}", "name=troubles", "--verbose")


def record_of(place: Place, kind: str) -> dict:
    records = place.records("troubles")
    return next(r for label, r in records.items() if f"kind={kind}," in label)


def attempts(place: Place) -> Counter[str]:
    return Counter(who.partition(",")[0] for who, _, _ in place.executions())


def test_the_other_runs_finish(swept: tuple[Place, Ended]):
    place, _ = swept
    finished = {kind for kind in KINDS if kind != UNRECORDED} & {
        kind
        for kind in KINDS
        if kind != UNRECORDED and record_of(place, kind)["status"] == "finished"
    }
    assert finished == {"fine", "killed_once"}


def test_the_sweep_says_so_and_exits_1(swept: tuple[Place, Ended]):
    _, ended = swept
    assert ended.code == 1, ended
    assert ended.account == "2 of 10 runs finished, 8 failed"
    assert "Traceback" not in ended.err + ended.out
    for kind in KINDS:
        assert f"kind={kind}," in ended.err


def test_the_tables_hold_every_run_failed_ones_with_their_reason(swept: tuple[Place, Ended]):
    place, _ = swept
    text = (place.directory("troubles") / "tables" / "comparison.md").read_text()
    for kind in KINDS:
        assert kind in text.replace("\\_", "_")


@pytest.mark.parametrize(
    ("kind", "type_name", "words"),
    [
        ("raises", "ValueError", r"this network \[raises\] on purpose"),
        ("exits", "SystemExit", "leaving early"),
        ("leaves", "WorkerDiedError", r"exit code 3(?s:.)*these were the last words"),
        ("segfaults", "WorkerDiedError", r"SIGSEGV(?s:.)*trouble\.py.*in misbehave"),
        ("killed", "WorkerDiedError", "SIGKILL"),
        ("leaves_a_child", "WorkerDiedError", "SIGKILL"),
        ("eats", "MemoryError", ""),
    ],
)
def test_a_failed_record_tells_what_the_run_died_of(
    swept: tuple[Place, Ended], kind: str, type_name: str, words: str
):
    place, _ = swept
    record = record_of(place, kind)
    assert record["status"] == "failed"
    error = record["error"]
    told = f"{error['type']} {error['message']} {error['traceback']}"
    assert type_name in told
    assert re.search(words, told)
    assert record["metrics"] is None
    assert record["environment"]["started_at"]


def test_an_exceptions_traceback_is_in_the_record_and_the_log(swept: tuple[Place, Ended]):
    place, _ = swept
    record = record_of(place, "raises")
    log = place.directory("troubles") / "runs" / f"{record['label']}-{record['run_id']}" / "job.log"
    for text in (record["error"]["traceback"], log.read_text()):
        assert "Traceback (most recent call last)" in text
        assert "in misbehave" in text


def test_only_a_run_that_died_without_an_exception_is_tried_again(swept: tuple[Place, Ended]):
    place, ended = swept
    twice = {"leaves", "segfaults", "killed", "killed_once", "leaves_a_child"}
    assert attempts(place) == {kind: 2 if kind in twice else 1 for kind in KINDS}
    assert len(re.findall("^again: ", ended.err, re.MULTILINE)) == len(twice)


def test_a_run_that_cannot_write_its_record_is_missed_in_the_tables(swept: tuple[Place, Ended]):
    place, ended = swept
    assert not [label for label in place.records("troubles") if f"kind={UNRECORDED}," in label]
    assert re.search(r"kind=full.*failed: .*Cannot write .*(too large|full)", ended.err)
    left = [p for p in place.directory("troubles").rglob(".*partial*") if "full" not in str(p)]
    assert left == []


def test_no_process_is_left(swept: tuple[Place, Ended]):
    place, _ = swept
    own = {pid: what for pid, what in place.processes().items() if not _left_on_purpose(pid)}
    assert own == {}


def _left_on_purpose(pid: int) -> bool:
    """Whether it is the child that the builder itself left behind, which sleeps for a while."""
    return Path(f"/proc/{pid}/fd/1").readlink().name == "job.log"


def test_fail_fast_stops_at_the_first_failed_run(place: Place):
    words = ("model.kind=raises", "seed=1,2,3,4", "name=fast", "fail_fast=true", "n_jobs=1")
    ended = place.sweep(*words)
    assert ended.code == 1
    assert ended.account == "0 of 4 runs finished, 1 failed, 3 not run"
    assert len(place.executions()) == 1


def test_a_killed_worker_and_a_killed_fork_server_cost_no_finished_run(place: Place):
    process = place.start(*place.sweep_words("model.kind=slow", "seed=1,2,3,4", "name=kills"))
    until(lambda: len(place.executions()) >= 2)
    os.kill(place.executions()[0][1], signal.SIGKILL)
    servers = [pid for pid, what in place.processes().items() if "forkserver import main" in what]
    parent_of = {pid: _parent(pid) for pid in servers}
    server = next(pid for pid in servers if parent_of[pid] == process.pid)
    os.kill(server, signal.SIGKILL)
    ended = place.wait(process)
    assert ended.code == 0, ended
    assert {r["status"] for r in place.records("kills").values()} == {"finished"}
    assert len(place.records("kills")) == 4


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
