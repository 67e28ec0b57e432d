"""kill -9 at any moment costs the runs that were being done, and nothing else."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from support.real_sweeps import Place, kill_group, table, until

POINTS = ("nodes=4,5", "seed=1,2")
SEED = 20


def test_sweeps_killed_at_random_moments_end_as_an_uninterrupted_one_does(place: Place):
    random_moments = random.Random(SEED)
    print(f"seed of the moments: {SEED}")
    words = place.sweep_words(*POINTS, "name=killed")
    known: dict = {}
    for kill in range(3):
        begun = len(place.executions())
        process = place.start(*words)
        # The first kill hits the preparation, the others some moment after a run began.
        if kill:
            until(
                lambda begun=begun, p=process: (
                    p.poll() is not None or len(place.executions()) > begun
                )
            )
        time.sleep(random_moments.uniform(0, 2))
        kill_group(process)
        found = place.record_files("killed")
        assert known.items() <= found.items(), "a finished record was lost or changed"
        known = found
    ended = place.run(*words)
    assert ended.code == 0, ended
    files = place.record_files("killed")
    assert known.items() <= files.items()
    assert len(files) == 4
    assert_none_run_after_its_record(place, "killed")
    assert [p for p in place.directory("killed").rglob("*") if ".partial" in p.name] == []
    until(place.gone)

    assert place.sweep(*POINTS, "name=whole").code == 0
    assert table(place, "killed") == table(place, "whole")


def assert_none_run_after_its_record(place: Place, name: str) -> None:
    """By the builder's own log: no run was begun when its record was there."""
    recorded = {}
    for path in place.directory(name).glob("runs/*/record.json"):
        recorded[path.parent.name.rpartition("-")[0]] = path.stat().st_mtime
    for who, _, moment in place.executions():
        kind, nodes, mark = who.split(",")
        label = next(
            label for label in recorded if f"nodes={nodes},kind={kind},mark={mark}," in label
        )
        assert moment < recorded[label], f"{label} was run again"


@pytest.mark.parametrize("moment", ["preparing", "running"])
def test_nothing_outlives_a_killed_parent(place: Place, moment: str):
    process = place.start(*place.sweep_words("model.kind=endless", "seed=1,2", "name=orphans"))
    if moment == "running":
        until(lambda: len(place.executions()) == 2)
    else:
        until(lambda: any("forkserver" in what for what in place.processes().values()))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)  # returns once nobody holds its output open
    until(place.gone, "for the workers of a killed parent to end")
    assert place.records("orphans") == {}, "an orphan must not be recorded as failed"
