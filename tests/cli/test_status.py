"""`status`: how far a sweep is, from what lies in its directory."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mnist_sweep.cli.status import MAX_SWEEPS, Running, _lines, _remaining_s, status, status_of
from mnist_sweep.records.locks import release, try_lock
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.progress_file import add_epoch
from mnist_sweep.records.status import RunStatus
from mnist_sweep.sweeping.launch import submitted
from mnist_sweep.sweeping.launch.job import failed_at
from mnist_sweep.sweeping.launch.submitted import SubmittedJob, note
from support.factories import Made, make_run, write_sweep
from support.sweep_parts import job_of


def shown(directory: Path, *words: str) -> str:
    ended = CliRunner().invoke(status, [str(directory), *words])
    assert ended.exit_code == 0, ended.output
    return ended.output


def begin(sweep: Path, run: Made) -> Path:
    """What a run leaves that has started and not ended."""
    directory = SweepPaths(sweep).runs / run.directory_name
    (directory / ".hydra").mkdir(parents=True)
    return directory


@pytest.fixture
def runs() -> list[Made]:
    """Two that finished, one that failed, and three more."""
    done = [make_run(seed=seed) for seed in range(2)]
    return [*done, make_run(seed=2, status="failed"), *(make_run(seed=s) for s in (3, 4, 5))]


@pytest.fixture
def grid(tmp_path: Path, runs: list[Made]) -> Path:
    runs[2].values["time"] = {"total_s": 0.0, "epoch_s": []}  # as where its process died
    return write_sweep(tmp_path / "grid", runs[:3], missing=runs[3:])


def test_a_sweep_that_runs_elsewhere_says_how_far_it_is(grid: Path, runs: list[Made]):
    directory = begin(grid, runs[3])
    add_epoch(directory / "progress.jsonl", 5, 20, {"loss": 0.5})
    lock = try_lock(SweepPaths(grid).lock(runs[3].values["run_id"]))
    assert lock is not None
    text = shown(grid)
    release(lock)
    first, *lines = text.splitlines()
    assert first == "grid · 2 of 6 runs finished, 1 failed, 1 running, 2 waiting"
    assert lines[0].startswith(f"Running  {runs[3].values['label']}, epoch 5/20, ")
    assert lines[1] == f"Failed   {runs[2].values['label']}: MemoryError: out of memory"
    assert lines[2].startswith("Left     about 11 s, with 1 at a time")
    assert "Resume" not in text
    assert "table" in text


def test_a_sweep_that_was_killed_says_what_is_missing_and_how_to_go_on(
    grid: Path, runs: list[Made]
):
    begin(grid, runs[3])
    first, *lines = shown(grid).splitlines()
    assert first == (
        "grid · 2 of 6 runs finished, 1 failed, 1 ended without a record, 2 not started"
    )
    assert lines[-1].startswith("Resume   ")
    assert lines[-1].endswith(f"resume {grid}")


def test_a_sweep_that_is_done_names_the_report(tmp_path: Path, runs: list[Made]):
    sweep = write_sweep(tmp_path / "grid", runs[:2])
    first, *lines = shown(sweep).splitlines()
    assert first == "grid · 2 of 2 runs finished"
    assert [line.split()[0] for line in lines] == ["Table", "Report"]


def test_a_failed_run_that_runs_again_is_running(grid: Path, runs: list[Made]):
    lock = try_lock(SweepPaths(grid).lock(runs[2].values["run_id"]))
    assert lock is not None
    found = status_of(grid)
    release(lock)
    assert found.counts == {"finished": 2, "running": 1, "waiting": 3}
    assert found.failed == []


def test_jobs_in_a_queue_wait_and_others_of_the_sweep_do_not(
    grid: Path, runs: list[Made], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(submitted, "_asked", lambda _: {"7_0": "PENDING", "7_1": "RUNNING"})
    note(
        grid,
        [
            SubmittedJob(
                cluster="slurm", job_id=f"7_{place}", machine=platform.node(), folder="%j",
                job=job_of(grid, run, failed_at=failed_at(run.record)),
            )
            for place, run in enumerate(runs[2:4])
        ],
    )  # fmt: skip
    begin(grid, runs[3])
    lock = try_lock(SweepPaths(grid).lock(runs[3].values["run_id"]))
    assert lock is not None
    text, content = shown(grid), json.loads(shown(grid, "--json"))
    release(lock)
    # The failed run's job is in the queue: no longer counted as failed.
    assert text.startswith("grid · 2 of 6 runs finished, 1 running, 1 waiting, 2 not started\n")
    assert "Queue    slurm 7_0, 7_1: 1 PENDING, 1 RUNNING\nCancel   scancel 7\n" in text
    assert [one["state"] for one in content["queue"]] == ["PENDING", "RUNNING"]
    assert content["requested"] == sum(content["counts"].values()) == 6
    assert content["running"][0]["run_id"] == runs[3].values["run_id"]
    assert content["remaining_s"] > 0


def test_a_list_of_jobs_that_is_damaged_does_not_hide_the_rest(grid: Path):
    SweepPaths(grid).submitted.parent.mkdir()
    SweepPaths(grid).submitted.write_text("{}")
    text = shown(grid)
    assert text.startswith("grid · 2 of 6 runs finished")
    assert "submitted.json cannot be used (jobs: Field required)" in text


def test_it_stays_short(tmp_path: Path):
    runs = [make_run(seed=seed, status="failed") for seed in range(20)]
    assert len(shown(write_sweep(tmp_path / "grid", runs)).splitlines()) < 8


def test_a_directory_of_sweeps_has_a_line_for_each(tmp_path: Path, runs: list[Made]):
    for number in range(MAX_SWEEPS + 1):
        write_sweep(tmp_path / "outputs" / f"grid_{number}", runs[:1], missing=runs[1:2])
    *lines, more = shown(tmp_path / "outputs").splitlines()
    assert len(lines) == MAX_SWEEPS
    assert all(line.endswith(": incomplete, 1 of 2 runs ended") for line in lines)
    assert more == "and 1 more"
    assert len(json.loads(shown(tmp_path / "outputs", "--json"))) == MAX_SWEEPS + 1


def test_without_a_sweep_it_says_what_was_expected(tmp_path: Path):
    ended = CliRunner().invoke(status, [str(tmp_path)])
    assert "Expected a sweep at" in str(ended.exception)


def test_the_time_that_is_left_is_that_of_as_many_runs_at_a_time_as_now():
    def running(epoch: int, seconds: float) -> Running:
        return Running("0", "run", epoch, 10, seconds)

    ended = [30.0, 50.0]
    assert _remaining_s(ended, [running(5, 9.0), running(0, 10.0)], 2) == 65.0
    assert _remaining_s(ended, [running(0, 90.0)], 0) == 0.0
    assert _remaining_s([], [running(5, 9.0)], 1) == 27.0
    assert _remaining_s([], [running(0, 9.0)], 1) is None
    assert _remaining_s(ended, [], 3) is None


def test_its_numbers_have_separators(grid: Path):
    many = {RunStatus.FINISHED: 1000, "waiting": 2000}
    found = replace(status_of(grid), requested=3000, counts=many)
    assert _lines(found)[0] == "grid · 1,000 of 3,000 runs finished, 2,000 waiting"
