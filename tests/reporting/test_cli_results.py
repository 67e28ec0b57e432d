"""`table`, `worst` and `best` print what the records say, at once."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mnist_sweep.cli.results import best, table, worst
from mnist_sweep.errors import DirectoryError, MnistSweepError, SelectionError
from mnist_sweep.records.sweep import load
from mnist_sweep.reporting.tables import tables
from mnist_sweep.reporting.tables.render import format_names, render
from mnist_sweep.reporting.tables.tables import comparison
from support.factories import make_run, reference_grid, write_sweep

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path / "grid", reference_grid(), [make_run(layers=2, nodes=500)])


def invoke(command, *arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.mark.parametrize("format_name", format_names())
def test_table_prints_the_comparison_in_every_format(sweep, format_name):
    result = invoke(table, sweep, "--format", format_name)
    assert result.exit_code == 0
    assert result.stdout == render(comparison([load(sweep)]), format_name)
    assert result.stderr == ""


def test_table_computes_intervals_of_very_many_when_asked_for(tmp_path, monkeypatch):
    repeated = write_sweep(tmp_path / "grid", reference_grid(seeds=(0, 1)))
    monkeypatch.setattr(tables, "MAX_WITH_INTERVALS", 3)
    assert "95 % interval" not in invoke(table, repeated).stdout
    assert "95 % interval" in invoke(table, repeated, "--intervals").stdout


def test_table_filters_sorts_and_chooses_columns(sweep):
    result = invoke(
        table, sweep, "--format", "csv", "--where", "layers=2", "--where", "nodes<400",
        "--sort", "nodes,desc", "--columns", "nodes, test.f1_min",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["nodes"] for row in rows] == ["300", "100"]
    assert "test.f1_min" in rows[0]
    assert "test.accuracy" not in rows[0]


def test_table_lists_what_cannot_be_read_on_standard_error_and_shows_the_rest(sweep):
    broken = sweep / "runs" / reference_grid()[0].directory_name / "record.json"
    broken.write_text("{")
    result = invoke(table, sweep)
    assert result.exit_code == 0
    assert str(broken) in result.stderr
    assert "not valid JSON" in result.stderr
    assert "unreadable" in result.stdout


def test_table_of_nothing_readable_is_an_error_with_the_reasons(sweep):
    for record in sweep.glob("runs/*/record.json"):
        record.write_text("")
    with pytest.raises(DirectoryError, match=r"the file is empty.* and 2 more\. Run"):
        invoke(table, sweep)


def test_worst_names_the_worst_two_layer_network(sweep):
    two_layer = [r for r in load(sweep).records if r.config["layers"] == 2]
    lowest = min(two_layer, key=lambda record: record.metrics.validation.f1_min)
    result = invoke(worst, sweep, "--where", "layers=2", "--by", "f1_min")
    assert result.exit_code == 0
    nodes = lowest.config["nodes"]
    assert result.stdout.startswith(f"2 layers x {nodes} nodes is the worst of 2 configurations")
    assert f"{lowest.metrics.validation.f1_min:.4f}" in result.stdout
    assert "Its weakest classes on the validation split" in result.stdout
    assert "Excluded (no result yet): layers=2,nodes=500,seed=0 (missing: not run)" in result.stdout


def test_best_on_the_test_split_as_json(sweep):
    result = invoke(best, sweep, "--by", "accuracy", "--split", "test", "--format", "json")
    value = json.loads(result.stdout)
    highest = max(load(sweep).records, key=lambda record: record.metrics.test.accuracy)
    assert value["chosen"]["runs"][0]["run_id"] == highest.run_id
    assert value["split"] == "test"
    assert value["problems"] == []


@pytest.mark.parametrize(
    "arguments",
    [("--by", "nonsense"), ("--where", "lyers=2"), ("--where", "layers=9"), ("--by", "f1.77")],
)
def test_a_selection_of_nothing_is_the_program_s_own_error(sweep, arguments):
    with pytest.raises(SelectionError):
        invoke(worst, sweep, *arguments)


def test_a_missing_directory_is_the_program_s_own_error(tmp_path):
    for command in (table, worst, best):
        with pytest.raises(MnistSweepError, match="no such directory"):
            invoke(command, tmp_path / "nothing")


@pytest.mark.parametrize("arguments", [(), ("--format", "xlsx")])
def test_a_wrong_command_line_is_exit_code_2(sweep, arguments):
    result = invoke(table, *([sweep, *arguments] if arguments else []))
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_the_commands_can_be_registered_in_a_group(sweep):
    group = click.Group("g", commands=[table, worst, best])
    result = CliRunner().invoke(group, ["best", str(sweep)], catch_exceptions=False)
    assert "is the best of 4 configurations" in result.stdout


HEAVY = ("tensorflow", "keras", "hydra", "omegaconf", "sklearn", "matplotlib")


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["table"], ["worst"]])
def test_the_commands_import_nothing_heavy(sweep, arguments):
    lighter = {"table": ("scipy",), "worst": ()}
    heavy = (*HEAVY, *lighter.get("".join(arguments), ("scipy", "numpy", "pandas")))
    code = (
        "import sys, mnist_sweep.cli.results as c\n"
        "if sys.argv[1:]: getattr(c, sys.argv[1]).main(sys.argv[2:], standalone_mode=False)\n"
        f"print('HEAVY', *[m for m in {heavy!r} if m in sys.modules])"
    )
    words = [*arguments, str(sweep)] if arguments else []
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY"
