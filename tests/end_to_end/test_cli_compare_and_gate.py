"""`compare`, `check` and `baseline` as commands: exit codes, files, and what is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from mnist_sweep.analysis import gate
from mnist_sweep.cli import main
from mnist_sweep.records.sweep import load
from support.factories import make_run, reference_grid, write_sweep

SMOKE_BASELINE = Path(__file__).parents[2] / "conf" / "experiment" / "smoke.baseline.json"


@pytest.fixture
def grid(tmp_path):
    return write_sweep(tmp_path / "grid", reference_grid((0, 1)))


@pytest.fixture
def earlier(grid, tmp_path):
    """The baseline of an equal sweep."""
    file = tmp_path / "earlier.json"
    gate.write_baseline(file, load(grid))
    return file


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the program; returns its exit code, output and complaints."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def run_words(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        return stopped.value.code, shown.out, shown.err

    return run_words


def test_compare_exits_0_whether_or_not_there_is_a_difference(run, grid, tmp_path):
    better, worse = (
        write_sweep(
            tmp_path / f"{epochs}",
            [make_run(accuracy=accuracy, epochs=epochs, seed=seed) for seed in range(3)],
        )
        for epochs, accuracy in ((20, 0.97), (2, 0.8))
    )
    code, out, _ = run("compare", grid, grid)
    assert (code, out.startswith("No difference: ")) == (0, True)
    code, out, _ = run("compare", better, worse)
    assert (code, "worse" in out.splitlines()[0]) == (0, True)


def test_compare_writes_the_format_that_the_file_is_named_for(run, grid, tmp_path):
    for name, start in (("a.md", "###"), ("a.json", "{"), ("a.html", "<!DOCTYPE"), ("a.txt", "No")):
        code, out, _ = run("compare", grid, grid, "-o", tmp_path / name)
        assert (code, out) == (0, "")
        assert (tmp_path / name).read_text().startswith(start)


@pytest.mark.parametrize(
    "words",
    [["compare"], ["compare", "{grid}"], ["compare", "{grid}", "nowhere"],
     ["compare", "{grid}", "{grid}", "--metric", "a"],
     ["compare", "{grid}", "{grid}", "--record", "*", "--mapping", "m.yaml"],
     ["compare", "{grid}", "{grid}", "--mapping", "nowhere.yaml"],
     ["check", "{grid}"], ["check", "{grid}", "--baseline", "{grid}", "--rules", "nowhere.yaml"],
     ["baseline", "nowhere", "-o", "b.json"], ["baseline", "{grid}"]],
)  # fmt: skip
def test_bad_usage_exits_2_with_a_paragraph(run, grid, words):
    code, out, err = run(*(word.format(grid=grid) for word in words))
    assert (code, out) == (2, "")
    assert 1 <= len(err.strip().splitlines()) <= 5  # the interpreter's path may wrap
    assert "Traceback" not in err


def test_our_own_records_can_be_read_as_any_others(run, grid):
    words = ["--record", "runs/*/record.json", "--metric", "acc=metrics.test.accuracy"]
    code, out, _ = run("compare", grid, grid, *words)
    assert code == 0
    assert "acc" in out


def test_a_baseline_is_written_and_its_sweep_passes(run, grid, tmp_path):
    file = tmp_path / "baseline.json"
    assert run("baseline", grid, "-o", file)[0] == 0
    code, out, _ = run("check", grid, "--baseline", file)
    assert code == 0
    assert out.startswith("PASSED: all 9 checks hold. Detectable drop (80% power): test.acc")
    assert "8 runs of the sweep are the baseline's own" in out


def test_a_sweep_is_no_baseline_of_itself(run, grid):
    code, out, _ = run("check", grid / ".." / grid.name, "--baseline", grid)
    assert code == 3
    assert "the sweep's own directory" in out


def test_an_update_shows_the_difference_first(run, grid, earlier, tmp_path):
    runs = [
        make_run(layers=layers, nodes=nodes, epochs=5, seed=seed, accuracy=0.9)
        for layers, nodes in ((1, 100), (1, 300), (2, 100), (3, 7))
        for seed in (0, 1, 2)
    ]
    now = write_sweep(tmp_path / "now", [*runs, make_run(layers=5, seed=9)])
    before = earlier.read_text()
    code, out, _ = run("baseline", now, "-o", earlier, "--update")
    assert code == 0
    assert "  layers=1,nodes=100: epochs: 20 -> 5, test.accuracy 0.97" in out
    assert ", runs 2 -> 3" in out
    assert "  layers=2,nodes=300: " in out
    assert "  layers=3,nodes=7,epochs=5: added" in out or "layers: 2 -> 3" in out
    assert earlier.read_text() != before
    assert run("check", now, "--baseline", earlier)[0] == 0
    assert run("baseline", now, "-o", tmp_path / "none.json", "--update")[0] == 2


@pytest.mark.parametrize(
    ("directory", "baseline", "reason"),
    [
        ("{grid}", "nowhere.json", "No such file"),
        ("nowhere", "{grid}", "no such directory"),
    ],
)
def test_what_is_not_there_fails_with_3(run, grid, directory, baseline, reason):
    words = [directory.format(grid=grid), "--baseline", baseline.format(grid=grid)]
    code, out, _ = run("check", *words)
    assert code == 3
    assert reason in out


def test_a_failed_gate_writes_junit_and_tells_the_log(run, grid, earlier, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("floors: ['test.accuracy >= 0.999']\n")
    file = tmp_path / "junit.xml"
    words = ["--baseline", earlier, "--rules", rules, "--format", "junit", "-o", file]
    code, out, err = run("check", grid, *words)
    assert (code, out) == (3, "")
    assert "FAIL  test.accuracy >= 0.999 (layers=1,nodes=100): test.accuracy is 0.9" in err
    suite = ET.parse(file).getroot().find("testsuite")
    assert suite.get("failures") == "4"


def test_the_summary_of_a_ci_job_is_added_to(run, grid, earlier, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    code, out, _ = run("check", grid, "--baseline", earlier, "--format", "json")
    assert code == 0
    assert json.loads(out)["passed"] is True
    assert summary.read_text().startswith("before\n### ✅ mnist-sweep check")


def test_a_summary_that_cannot_be_written_decides_nothing(
    run, grid, earlier, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    code, _, err = run("check", grid, "--baseline", earlier)
    assert code == 0
    assert "could not be written" in err


def test_the_commands_import_nothing_heavy(grid, earlier):
    program = (
        "import json, sys; from mnist_sweep.cli import main\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    try: main(words)\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'hydra', 'omegaconf', 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    place = str(grid)
    words = [["compare", place, place], ["check", place, "--baseline", str(earlier)]]
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(words)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.long
@pytest.mark.skipif(not SMOKE_BASELINE.exists(), reason="an installed package has no baseline")
def test_the_smoke_sweep_passes_its_committed_baseline(tmp_path):
    """Really swept, on whatever machine this is, and held against another machine's numbers."""
    place = tmp_path / "smoke"
    for words in (
        ["-m", "+experiment=smoke", f"hydra.sweep.dir={place}"],
        ["check", str(place), "--baseline", str(SMOKE_BASELINE)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mnist_sweep", *words],
            capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
