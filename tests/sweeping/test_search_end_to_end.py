"""Searches as people run them: real processes, real training, small networks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from support.commands import Program, environment, run, run_all
from support.real_sweeps import account

pytest.importorskip("optuna", reason="a search needs Optuna: pip install 'mnist-sweep[optuna]'")

pytestmark = pytest.mark.slow
SMALL = ["data=digits", "epochs=2", "report=false", "name=s", "n_jobs=1"]


def statuses(place: Path) -> dict[str, str]:
    records = [json.loads(p.read_bytes()) for p in place.glob("outputs/s/runs/*/record.json")]
    return {record["label"]: record["status"] for record in records}


@pytest.mark.long
def test_a_search_from_its_plan_to_its_resumption(tmp_path: Path):
    environ = environment(tmp_path)
    words = ["-m", "+experiment=search", "layers=1", "nodes=range(4,20,4)", *SMALL]
    plan = run([*words, "search.runs=4", "plan=true"], tmp_path, environ)
    assert plan.code == 0, plan.err
    assert "A search for the best validation accuracy: 4 runs, chosen by tpe, poor" in plan.out
    assert "dropout        0.0 to 0.5\n" in plan.out
    assert "Expected: " in plan.out
    assert not (tmp_path / "outputs").exists()
    whole = run([*words, "search.runs=3"], tmp_path, environ)
    assert whole.code == 0, whole.err
    assert account(whole.out).startswith("3 of 3 runs finished")
    assert "\nBest    1 layer x " in whole.out
    before = statuses(tmp_path)
    resumed = run(["resume", "outputs/s", "search.runs=4"], tmp_path, environ)
    assert resumed.code == 0, resumed.err
    assert account(resumed.out) == "4 of 4 runs finished (3 earlier)"
    assert statuses(tmp_path).items() > before.items()
    noted = json.loads((tmp_path / "outputs" / "s" / "sweep.json").read_bytes())
    assert len(noted["invocations"][-1]["points"]) == 4


@pytest.mark.long
def test_a_grid_with_halving_and_the_same_grid_without(tmp_path: Path):
    environ = environment(tmp_path)
    grid = ["nodes=2,32", "learning_rate=0.01,0.00001", *SMALL]
    halving = ["search.sampler=grid", "search.pruner=halving", "search.reduction=2"]
    halved = run(["-m", *grid, "hydra/sweeper=search", *halving], tmp_path, environ)
    assert halved.code == 0, halved.err
    found = list(statuses(tmp_path).values())
    pruned = found.count("pruned")
    assert len(found) == 4
    assert pruned >= 1
    assert account(halved.out) == f"{4 - pruned} of 4 runs finished, {pruned} pruned"
    assert halved.err.count("stopped after epoch") == pruned
    with (tmp_path / "outputs" / "s" / "tables" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["status"] == "pruned" for row in rows) == pruned
    # The plain grid wants whole runs: what was stopped is run again, the rest is kept.
    whole = run(["-m", *grid], tmp_path, environ)
    assert whole.code == 0, whole.err
    assert account(whole.out) == f"4 of 4 runs finished ({4 - pruned} earlier)"
    assert set(statuses(tmp_path).values()) == {"finished"}


def test_what_a_search_refuses_before_anything_runs(tmp_path: Path):
    search = ["hydra/sweeper=search", "data=digits", "dropout=interval(0,0.5)"]
    commands = {
        "single": search,
        "study": ["-m", "+experiment=study", *search],
        "points": ["-m", "+experiment=reference", *search],
        "test": ["-m", *search, "search.by=test.f1"],
        "closed": ["-m", "hydra/sweeper=search", "layers=2"],
        "range": ["-m", *search, "search.reduction=1"],
        "unknown": ["-m", *search, "search.prune=median"],
        "grid": ["-m", "data=digits", "dropout=interval(0,0.5)"],
        "values": ["-m", "data=digits", "dropout=interval(0,1.5)", "layers=interval(0,9)"],
        "swept": ["-m", *search, "search.runs=10,20"],
    }
    said = {
        "single": "add -m to run it",
        "study": "stages are grids",
        "points": "points belongs to a grid",
        "test": "chooses by the validation split alone",
        "closed": "needs something to search",
        "range": "search.reduction=1: must be a whole number from 2 to 100",
        "unknown": "did you mean search.pruner?",
        "grid": "draw from it with hydra/sweeper=search",
        "values": "layers=0: must be a whole number from 1 to 16",
        "swept": "one value for the whole search",
    }
    done = run_all(commands, tmp_path, environment(tmp_path))
    for name, ended in done.items():
        assert ended.code == 2, (name, ended)
        assert said[name] in ended.err, (name, ended.err)
        assert "Traceback" not in ended.err
        assert not (tmp_path / name / "outputs").exists()
    assert "dropout=1.5: must be" in done["values"].err


def test_without_optuna_one_sentence_says_how_to_get_it(tmp_path: Path):
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError('no optuna')\n")
    environ = environment(tmp_path, PYTHONPATH=f"{tmp_path}")
    words = ["-m", "hydra/sweeper=search", "search.sampler=random", "search.runs=2", "plan=true"]
    with Program(environ) as program:
        ended = program.run(["-m", "+experiment=search", *SMALL], tmp_path)
        drawn = program.run([*words, "nodes=interval(2,4)", *SMALL], tmp_path)
        usual = program.run(["-m", "nodes=2", "plan=true", *SMALL], tmp_path)
    assert ended.code == 2
    assert ended.err.strip() == (
        "mnist-sweep: search.sampler=tpe and search.pruner need Optuna, which is not installed: "
        "pip install 'mnist-sweep[optuna]'. Without it there are search.sampler=random and grid."
    )
    assert drawn.code == 0, drawn.err
    assert usual.code == 0, usual.err
