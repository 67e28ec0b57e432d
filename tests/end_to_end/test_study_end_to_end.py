"""Studies through the real program: stages, kill and resume, failed candidates, deciding.

Tiny networks on the bundled digits, a few seconds each.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.commands import Program, environment
from support.real_sweeps import account

GUARD_S = 240
"""Only against hanging for ever."""
SMALL = (
    "data=digits", "layers=2", "nodes=8,16", "epochs=1", "save_model=false", "study.repeats=1",
)  # fmt: skip
STUDY = ("-m", "+experiment=study", *SMALL, "study.replicates=200", "n_jobs=1")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mnist_sweep", *words]


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=place, capture_output=True, text=True, timeout=GUARD_S, check=False
    )


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def records(directory: Path) -> dict[str, Any]:
    found = [content(path) for path in directory.glob("runs/*/record.json")]
    return {record["run_id"]: record for record in found}


def without_times(study: Any) -> Any:
    for stage in study["stages"]:
        (stage["decision"] or {}).pop("wall_s", None)
    return study


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(environment(tmp_path_factory.mktemp("program"))) as process:
        yield process


@pytest.fixture(scope="module")
def whole(program: Program, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An uninterrupted study's directory, and what it printed."""
    place = tmp_path_factory.mktemp("whole")
    done = program.run([*STUDY, "name=study"], place)
    assert done.code == 0, done.err
    return place / "outputs" / "study", done.out


@pytest.fixture(scope="module")
def study(whole: tuple[Path, str]) -> Any:
    return content(whole[0] / "study.json")


def test_both_stages_are_done(study: Any):
    assert [stage["status"] for stage in study["stages"]] == ["done", "done"]
    assert study["seeds"] == [0]


def test_the_second_stage_changes_what_the_first_selected(whole: tuple[Path, str], study: Any):
    grid, dropout = study["stages"]
    runs = records(whole[0])
    selected = grid["selection"]["configuration_id"]
    assert grid["selection"]["chosen"]["configuration_id"] == selected
    assert {runs[i]["configuration_id"] for i in dropout["control_run_ids"]} == {selected}
    changed = {runs[i]["configuration_id"] for i in dropout["run_ids"]}
    assert changed == set(dropout["changed"])
    assert list(dropout["changed"].values()) == [{"dropout": 0.2}]
    nodes = {
        runs[i]["config"]["nodes"]
        for i in grid["run_ids"]
        if runs[i]["configuration_id"] == selected
    }
    assert {runs[i]["config"]["nodes"] for i in dropout["run_ids"]} == nodes


def test_the_second_stage_pairs_fresh_seeds(whole: tuple[Path, str], study: Any):
    runs = records(whole[0])
    grid, dropout = study["stages"]
    seeds = {
        key: [runs[i]["config"]["seed"] for i in ids]
        for key, ids in (
            ("grid", grid["run_ids"]),
            ("changed", dropout["run_ids"]),
            ("unchanged", dropout["control_run_ids"]),
        )
    }
    assert set(seeds["grid"]) == {0}
    assert seeds["changed"] == seeds["unchanged"] == [1]


def test_the_selection_keeps_its_uncertainty(study: Any):
    selection = study["stages"][0]["selection"]
    assert selection["split"] == "validation"
    assert sum(candidate["probability"] for candidate in selection["candidates"]) == pytest.approx(
        1
    )
    assert selection["replicates"] == 200


def test_the_plan_names_the_runs_of_all_stages(whole: tuple[Path, str], study: Any):
    (invocation,) = content(whole[0] / "sweep.json")["invocations"]
    planned = [point["run_id"] for point in invocation["points"]]
    asked = [
        run_id
        for stage in study["stages"]
        for run_id in (*stage["run_ids"], *stage["control_run_ids"])
    ]
    assert sorted(planned) == sorted(asked) == sorted(records(whole[0]))


def test_stages_and_selection_are_printed(whole: tuple[Path, str]):
    printed = whole[1]
    assert "\nStage 1 grid: 2 runs." in printed
    # The selection that was made, not of all that was run since.
    assert ", of 2 with layers=2   validation lowest F1" in printed
    assert "\nStage 2 dropout: 2 runs, 1 with dropout=0.2 and 1 unchanged" in printed
    assert account(printed) == "4 of 4 runs finished"
    assert len(printed.splitlines()) <= 40


@pytest.mark.long
def test_resuming_a_study_that_is_done_runs_nothing(whole: tuple[Path, str]):
    before = (whole[0] / "study.json").read_text(encoding="utf-8")
    done = run(whole[0].parents[1], "resume", "outputs/study")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 runs finished (4 earlier)" in done.stdout
    assert (whole[0] / "study.json").read_text(encoding="utf-8") == before


@pytest.mark.long
def test_a_study_killed_in_its_second_stage_and_resumed_is_the_same(tmp_path: Path, study: Any):
    with subprocess.Popen(
        command(*STUDY, "name=study"), cwd=tmp_path, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        directory = tmp_path / "outputs" / "study"
        deadline = time.monotonic() + GUARD_S
        while len(list(directory.glob("runs/*/record.json"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = {path: path.stat().st_mtime_ns for path in directory.glob("runs/*/record.json")}
    assert len(kept) < 4
    assert content(directory / "study.json")["stages"][1]["status"] == "running"
    resumed = run(tmp_path, "resume", str(directory))
    assert resumed.returncode == 0, resumed.stderr
    assert without_times(content(directory / "study.json")) == without_times(study)
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items())
    assert len(records(directory)) == 4


@pytest.mark.long
def test_a_candidate_that_diverged_is_named_and_the_study_goes_on(tmp_path: Path):
    stages = (
        "study.stages=[{name:grid,params:{learning_rate:'0.01,1e30',optimizer:sgd},select:{}},"
        "{name:slower,of:grid,params:{learning_rate:0.001}}]"
    )
    done = run(tmp_path, "-m", *SMALL, "nodes=8", stages, "name=study")
    assert done.returncode == 1
    grid, slower = content(tmp_path / "outputs" / "study" / "study.json")["stages"]
    (lost,) = grid["selection"]["uncounted"]
    assert lost["status"] == "diverged"
    assert "1e+30" in lost["label"]
    assert "could not be counted" in grid["reason"]
    assert grid["status"] == slower["status"] == "done"
    assert "could not be counted" in done.stdout


@pytest.mark.long
def test_with_fail_fast_a_failed_run_ends_the_study(tmp_path: Path):
    done = run(
        tmp_path, "-m", "+experiment=study", *SMALL, "learning_rate=1e30", "optimizer=sgd",
        "fail_fast=true", "n_jobs=1", "name=study",
    )  # fmt: skip
    assert done.returncode == 1
    directory = tmp_path / "outputs" / "study"
    stages = content(directory / "study.json")["stages"]
    assert [stage["status"] for stage in stages] == ["blocked", "blocked"]
    assert all("fail_fast=true ends the study" in stage["reason"] for stage in stages)
    assert len(records(directory)) == 1


@pytest.mark.long
def test_where_all_candidates_fail_the_later_stages_are_blocked(tmp_path: Path):
    done = run(
        tmp_path, "-m", "+experiment=study", *SMALL, "learning_rate=1e30", "optimizer=sgd",
        "nodes=8", "name=study",
    )  # fmt: skip
    assert done.returncode == 1
    grid, dropout = content(tmp_path / "outputs" / "study" / "study.json")["stages"]
    assert grid["status"] == dropout["status"] == "blocked"
    assert "diverged" in grid["reason"]
    assert dropout["reason"] == "Stage grid, which it starts from, selected nothing."
    assert dropout["run_ids"] == []
    assert "Stage 2 dropout: BLOCKED." in done.stdout


DECIDE = (
    "-m", "data=digits", "nodes=32", "epochs=2", "save_model=false",
    (
        "study.stages=[{name:grid,params:{learning_rate:'0.00001,0.00002,0.05',layers:1},"
        "select:{by:accuracy}}]"
    ),
    "study.decide=true", "study.max_repeats=3", "study.replicates=500", "name=study",
)  # fmt: skip


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Any, str]:
    """A study whose budget was spent at once, the same without a budget, its runs, its words.

    At last the budget is small again: rounds that have been paid for are not paid for again, so
    the study stays as it is.
    """
    place = tmp_path_factory.mktemp("deciding")
    directory = place / "outputs" / "study"
    first = run(place, *DECIDE, "study.budget_s=0.001")
    assert first.returncode == 0, first.stderr
    spent = content(directory / "study.json")["stages"][0]
    second = run(place, *DECIDE)
    assert second.returncode == 0, second.stderr
    whole = content(directory / "study.json")["stages"][0]
    third = run(place, *DECIDE, "study.budget_s=0.001")
    assert third.returncode == 0, third.stderr
    again = content(directory / "study.json")
    assert without_times(again)["stages"] == without_times({"stages": [whole]})["stages"]
    return spent, whole, records(directory), second.stdout


@pytest.mark.long
def test_a_budget_that_is_spent_leaves_the_selection_open_and_says_so(
    deciding: tuple[Any, Any, Any, str],
):
    spent = deciding[0]
    assert spent["decision"]["state"] == "spent"
    assert "the budget of 0.001 s is spent" in spent["decision"]["stopped"]
    assert len(spent["run_ids"]) == 6
    assert spent["selection"]["configuration_id"] in spent["decision"]["contenders"]


@pytest.mark.long
def test_deciding_gives_further_seeds_to_contenders_alone_and_says_what_that_saved(
    deciding: tuple[Any, Any, Any, str],
):
    _, grid, runs, printed = deciding
    decision = grid["decision"]
    repeats = Counter(runs[run_id]["configuration_id"] for run_id in grid["run_ids"])
    by_rate = {
        found["config"]["learning_rate"]: found["configuration_id"] for found in runs.values()
    }
    assert repeats[by_rate[0.05]] == 2
    assert by_rate[0.05] in decision["eliminated"]
    assert repeats[by_rate[0.00001]] == repeats[by_rate[0.00002]] == 3
    assert decision["runs"] == len(runs) == repeats.total() == 8
    assert (decision["equal_runs"], decision["saved_runs"]) == (9, 1)
    assert " 8 runs were spent on the candidates" in printed
    assert "equal repeats for all would have taken 9, so 1 was saved" in printed
    assert grid["selection"]["configuration_id"] in decision["contenders"]


def test_a_plan_shows_what_later_stages_depend_on_and_writes_nothing(
    program: Program, tmp_path: Path
):
    done = program.run([*STUDY, "name=study", "plan=true"], tmp_path)
    assert done.code == 0, done.err
    assert "2 points, 0 done, 2 to run." in done.out
    assert (
        "the worst by validation lowest F1 where layers=2, from stage grid: 2 candidates"
        in done.out
    )
    assert "with dropout=0.2 and unchanged, on new seed 1: 2 runs" in done.out
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("+experiment=study", "data=digits"), "add -m"),
        (("-m", "+experiment=study", "layers=1", "data=digits"), "can match where layers=2"),
        (("-m", "study.stages=[{name:a,of:b,params:{nodes:8}},{name:b}]"), "an earlier stage"),
        (("-m", "study.stages=[{name:a,select:{by:f1_mim}}]"), "did you mean f1_min?"),
    ],
)
def test_a_bad_study_is_one_short_paragraph_and_nothing_is_written(
    program: Program, tmp_path: Path, words: tuple[str, ...], told: str
):
    done = program.run(words, tmp_path)
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "outputs").exists()
