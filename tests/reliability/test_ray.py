"""Runs on a Ray cluster of two nodes: the pool's bits, and nothing lost whatever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support.ray_cluster import RunningCluster, cluster_of_two, needs_ray, on_cluster
from support.real_sweeps import Ended, Place, until

pytestmark = needs_ray


@pytest.fixture(scope="module")
def cluster(shared_cache: Path) -> Iterator[RunningCluster]:
    with cluster_of_two(shared_cache) as running:
        yield running


def results(place: Place, name: str) -> dict:
    """What runs gave: everything of their records but times and machine, and their files' bits."""
    found = {}
    for record in place.records(name).values():
        directory = place.directory(name) / "runs" / f"{record['label']}-{record['run_id']}"
        with np.load(directory / "predictions.npz", allow_pickle=False) as arrays:
            bits = {key: arrays[key].tobytes() for key in arrays.files}
        files = sorted(str(p.relative_to(directory)) for p in directory.rglob("*"))
        assert (directory / "job.log").stat().st_size > 0
        for machine in ("time", "environment", "artefacts", "sha256"):  # times in them differ
            del record[machine]
        found[record["run_id"]] = (record, bits, files)
    return found


def test_a_study_on_two_nodes_has_the_pools_bits(place: Place, cluster: RunningCluster):
    words = ["-m", "+experiment=study", "data=digits", "nodes=4,5", "epochs=1", "report=false"]
    words.append("study.repeats=1")
    on_pool = place.run(*words, "name=pool")
    on_ray = place.run(*words, "name=ray", *on_cluster(cluster, place))
    assert (on_pool.code, on_ray.code) == (0, 0), (on_pool, on_ray)
    assert on_ray.account == on_pool.account
    assert "RayLauncher" not in on_ray.err
    assert said(on_ray) == said(on_pool)
    assert results(place, "ray") == results(place, "pool")
    again = place.run(*words, "name=ray", "plan=true", *on_cluster(cluster, place))
    assert "0 to run" in again.out or "all done" in again.out.lower(), again
    until(place.gone, "for the tasks of a finished sweep to end")


def said(ended: Ended) -> set[str]:
    """The lines on the terminal that tell how runs ended, without times."""
    return {
        line.partition("] ")[2].rpartition(" in ")[0]
        for line in ended.err.splitlines()
        if line.startswith("[")
    }


def test_runs_that_die_on_a_node_fail_alone_and_say_why(place: Place, cluster: RunningCluster):
    kinds = "model.kind=fine,raises,killed_once,leaves,killed"
    ended = place.sweep(kinds, "name=dying", *on_cluster(cluster, place))
    assert ended.code == 1, ended
    assert ended.account == "2 of 5 runs finished, 3 failed"
    records = {record["config"]["model"]["kind"]: record for record in
               place.records("dying").values()}  # fmt: skip
    status = {kind: record["status"] for kind, record in records.items()}
    assert status == {
        "fine": "finished", "raises": "failed", "killed_once": "finished", "leaves": "failed",
        "killed": "failed",
    }  # fmt: skip
    assert "on purpose" in records["raises"]["error"]["message"]
    assert "Traceback" in records["raises"]["error"]["traceback"]
    assert "SIGKILL" in records["killed"]["error"]["message"]
    assert "these were the last words" in records["leaves"]["error"]["message"]
    begun = [who.split(",")[0] for who, *_ in place.executions()]
    assert {kind: begun.count(kind) for kind in status} == {
        "fine": 1, "raises": 1, "killed_once": 2, "leaves": 2, "killed": 2,
    }  # fmt: skip
    log = next(place.directory("dying").glob("runs/*raises*/job.log")).read_text()
    assert "the run failed" in log
    assert "on purpose" in log


def test_a_killed_driver_and_a_killed_node_lose_no_finished_run(
    place: Place, cluster: RunningCluster
):
    words = place.sweep_words(
        "model.kind=waits", "seed=1,2,3,4", "name=hurt", *on_cluster(cluster, place)
    )
    (place.path / "go_1").touch()
    driver = place.start(*words)
    until(lambda: place.record_files("hurt"), "for a first run")
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate(timeout=120)
    until(place.gone, "for the tasks of a killed driver to end")
    before = place.record_files("hurt")
    assert len(before) == 1

    begun = len(place.executions())
    driver = place.start(*words)
    until(lambda: len(place.executions()) == begun + 2, "for a run on each node")
    os.kill(cluster.raylets[1], signal.SIGKILL)
    (place.path / "go").touch()
    ended = place.wait(driver)
    assert ended.code == 0, ended
    assert ended.account == "4 of 4 runs finished (1 earlier)"
    after = place.record_files("hurt")
    assert len(after) == 4
    assert before.items() <= after.items(), "a finished run was run again"
    left = [p for p in place.directory("hurt").rglob("*") if ".partial" in p.name]
    assert left == []
    assert "raylet" not in ended.out, "Ray's own chatter"


def test_ctrl_c_ends_a_ray_of_the_sweeps_own_and_all_its_processes(place: Place):
    place.changes["TMPDIR"] = str(place.path)
    words = place.sweep_words(
        "model.kind=endless", "seed=1", "name=stopped", *on_cluster(None, place)
    )
    driver = place.start(*words)
    until(place.executions, "for a run")
    os.kill(driver.pid, signal.SIGINT)
    ended = place.wait(driver)
    assert ended.code == 130, ended
    assert "interrupted after" in ended.out
    assert "Traceback" not in ended.err
    assert place.records("stopped") == {}
    until(place.gone, "for Ray's processes to end")
