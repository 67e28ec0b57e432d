"""What a sweep shows at its end: one screen at any size, everything else in its files."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mnist_sweep import command
from mnist_sweep.cli import sweep_summary
from mnist_sweep.cli.sweep_account import SweepAccount
from mnist_sweep.errors import DirectoryError
from mnist_sweep.records import study_file
from mnist_sweep.records import sweep as sweeps
from mnist_sweep.records.status import RunStatus
from mnist_sweep.reporting import report
from mnist_sweep.reporting.figures import files
from mnist_sweep.reporting.tables import tables
from mnist_sweep.sweeping.context import Verbosity
from mnist_sweep.sweeping.launch.job import Origin, RunSummary
from mnist_sweep.sweeping.plan.points import Plan
from mnist_sweep.sweeping.result import SweepResult
from support.factories import make_run, reference_grid, write_study, write_sweep
from support.sweep_parts import plan_of, point_of

SMALL = {"n_test": 60, "n_validation": 40, "epochs": 2}
RUNS = [make_run(nodes=n, accuracy=0.7 + n / 1000, **SMALL) for n in range(101, 121)]
POINTS = [point_of(seed=seed) for seed in range(4)]
RUN_IDS = [point.run_id for point in POINTS]


def result_of(directory, **more):
    return SweepResult(directory, Plan(), wall_s=171.0, report=False, **more)


@pytest.fixture
def result(tmp_path):
    return result_of(write_sweep(tmp_path / "grid", RUNS))


@pytest.fixture
def on_terminal(monkeypatch):
    """Pretend that output goes to a terminal of some width."""

    def set_width(columns):
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")

    return set_width


def shown(result, capsys, **more):
    sweep_summary.show(result, **more)
    both = capsys.readouterr()
    return both.out + both.err


def grid_of(count):
    """Runs of `count` configurations of four settings."""
    values = [(ly, n, d) for ly in (1, 2, 3, 4, 5) for n in (20, 50, 100, 200) for d in range(10)]
    return [
        make_run(layers=ly, nodes=n, dropout=d / 20, accuracy=0.8 + n / 2000, **SMALL)
        for ly, n, d in values[:count]
    ]


def place_network(directory, run):
    place = directory / "runs" / run.directory_name
    place.mkdir(parents=True)
    (place / "model.keras").write_bytes(b"a network")


def failures(runs, count):
    """Summaries as of runs that failed, each for another reason."""
    return [
        RunSummary(run.values["run_id"], run.values["label"], RunStatus.FAILED, message=f"E: {n}")
        for n, run in enumerate(runs[:count])
    ]


NOTES = ["TensorFlow is 2.21.0; this directory's last sweep ran with 2.20.0."] * 2


@pytest.fixture(scope="module", params=[1, 9, 40])
def some(request, tmp_path_factory):
    """A sweep of so many configurations and one planned, with models."""
    runs = grid_of(request.param)
    path = tmp_path_factory.mktemp("some") / "grid"
    for run in runs:
        place_network(path, run)
    return write_sweep(path, runs, [make_run(layers=9)]), request.param


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 80])
def test_a_sweep_ends_with_one_screen_whatever_happened(
    some, capsys, on_terminal, monkeypatch, columns
):
    on_terminal(columns)
    directory, count = some
    monkeypatch.chdir(directory.parent)
    told = shown(
        result_of(
            directory, notices=NOTES, interrupted=True, n_requested=count + 1,
            summaries=failures([make_run(seed=k) for k in range(5)], 5),
        ),
        capsys,
    ).splitlines()  # fmt: skip
    height = sum(-(-len(line) // columns) or 1 for line in told)
    assert height <= (25 if columns >= 80 else 28)
    whole = [line for line in told if line.startswith(("Model", "Resume", "More", "    "))]
    assert all(len(line) <= columns for line in told if line not in whole)
    assert all(
        told[told.index(line) + 1][:1] != " " for line in told if line[:4] in ("Best", "Wors")
    )
    assert f"Resume  {command.program()} resume grid" in told


@pytest.mark.slow
def test_a_study_ends_with_forty_lines(tmp_path, capsys, on_terminal):
    on_terminal(80)
    study = write_study(tmp_path / "study", 3, n_test=300, n_validation=200)
    found = sweeps.load(tmp_path / "study")
    from mnist_sweep.analysis.uncertainty import select_again

    selections = {s.name: select_again(found, s.selection) for s in study.stages if s.selection}
    told = shown(
        result_of(found.directory, study=study_file.load_study(found.directory), notices=NOTES,
                  selections=selections), capsys,
    )  # fmt: skip
    assert len(told.splitlines()) < 40
    for words in ("\nBest ", "\nWorst ", "\nStage 1 grid: 12 runs", "dropout=0.2 changed the"):
        assert words in told


def test_the_table_has_the_best_five_and_the_worst_of_many(result, capsys):
    out = shown(result, capsys)
    means = sweeps.load(result.directory).frame.set_index("nodes")["validation.accuracy"]
    rows = [line.split() for line in out.splitlines() if line.lstrip()[:1].isdigit()]
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "20"]
    values = sorted(means, reverse=True)
    assert [float(row[3]) for row in rows] == pytest.approx(
        [100 * values[k] for k in (0, 1, 2, 3, 4, 19)], abs=0.005
    )
    written = (result.directory / "tables" / "comparison.md").read_text()
    assert all(f" {n} " in written for n in range(101, 121))


@pytest.mark.parametrize(
    ("width", "there", "absent"),
    [
        (60, ["Val [%]", "Test [%]", "Lowest test F1"], ["Test recall"]),
        (200, ["Test recall", "Train loss"], []),
    ],
)
def test_the_width_decides_how_many_columns_there_are(
    result, capsys, on_terminal, width, there, absent
):
    on_terminal(width)
    out = shown(result, capsys)
    assert all(heading in out for heading in there)
    assert not any(heading in out for heading in absent)


@pytest.mark.slow
def test_of_many_configurations_it_says_which_settings_matter(some, capsys):
    directory, count = some
    out = shown(result_of(directory), capsys)
    assert ("\nMatters nodes " in out) == (count > 20)


def test_quiet_is_one_line_and_verbose_has_the_whole_tables(result, capsys):
    assert shown(result, capsys, verbosity=Verbosity.QUIET).splitlines() == [
        "grid · MNIST · 0 of 0 runs finished · 2 min 51 s"
    ]
    assert "F1 by digit on MNIST" in shown(result, capsys, verbosity=Verbosity.VERBOSE)


def test_the_missing_mnist_is_said_once_with_its_remedy(tmp_path, capsys):
    directory = write_sweep(tmp_path / "grid", reference_grid(bundled=True, **SMALL))
    out = shown(result_of(directory), capsys)
    assert "bundled digits (NOT MNIST)" in out.splitlines()[0]
    assert out.count("MNIST was not found") == 1
    assert f"{command.program()} data mnist" in out


@pytest.mark.slow
def test_the_directory_is_loaded_once_also_for_the_report(tmp_path, capsys, monkeypatch):
    result, loaded = result_of(write_sweep(tmp_path / "grid", RUNS[:2])), []
    monkeypatch.setattr(files, "write_figures", lambda *_: {})  # they take most of the time
    for module in (sweep_summary, tables, report):
        monkeypatch.setattr(
            module, "load", lambda directory: loaded.append(directory) or sweeps.load(directory)
        )
    result.report = True
    shown(result, capsys)
    assert loaded == [result.directory]
    assert (result.directory / "report.html").exists()


def test_tables_that_cannot_be_written_are_shown(result, capsys):
    (result.directory / "tables").write_text("in the way")
    told = shown(result, capsys)
    assert "No tables written" in told
    assert "Val [%]" in told


def test_the_model_that_is_named_is_the_best_seed_s(tmp_path, capsys):
    runs = [make_run(seed=s, accuracy=a, **SMALL) for s, a in ((0, 0.7), (1, 1.0), (2, 0.8))]
    for run in runs:
        place_network(tmp_path / "grid", run)
    directory = write_sweep(tmp_path / "grid", runs)
    assert f"\nModel   {directory}/runs/{runs[1].directory_name}/model.keras" in shown(
        result_of(directory), capsys
    )


@pytest.mark.slow
def test_more_seeds_are_suggested_where_one_seed_decided(tmp_path, capsys):
    single = shown(result_of(write_sweep(tmp_path / "one", reference_grid(**SMALL))), capsys)
    assert f"resume {tmp_path}/one seed=0,1,2" in single
    assert "a different seed could change the order" in single
    several = shown(
        result_of(write_sweep(tmp_path / "two", reference_grid(seeds=(0, 1), **SMALL))), capsys
    )
    assert "seed=" not in several
    assert "that it is the best" in several


def summary(place: int, status: RunStatus, origin: Origin = Origin.RAN) -> RunSummary:
    return RunSummary(RUN_IDS[place], POINTS[place].label, status, origin)


@pytest.mark.parametrize(
    ("statuses", "changes", "text", "code"),
    [
        (["finished"] * 4, {}, "4 of 4 runs finished", 0),
        (["finished"] * 4, {"skipped": RUN_IDS}, "4 of 4 runs finished (4 earlier)", 0),
        (
            ["finished", "failed", "diverged"],
            {"interrupted": True},
            "1 of 4 runs finished, 1 failed, 1 diverged, 1 not run",
            130,
        ),
        (
            ["finished", "finished", "failed"],
            {
                "skipped": RUN_IDS[:1],
                "summaries": [
                    summary(1, RunStatus.FINISHED, Origin.ALREADY_DONE),
                    summary(3, RunStatus.FAILED),  # its process left no record
                ],
            },
            "2 of 4 runs finished (1 earlier, 1 by another sweep), 2 failed",
            1,
        ),
        (
            ["finished", "finished", "pruned", "pruned"],
            {"objective": ("accuracy", "best"), "n_requested": 4},
            "2 of 4 runs finished, 2 pruned",
            0,
        ),
        (["finished"] * 3 + ["pruned"], {}, "3 of 4 runs finished, 1 pruned", 1),
        (
            ["finished"] * 3,
            {"summaries": [summary(3, RunStatus.FINISHED)]},  # its record was deleted
            "3 of 4 runs finished, 1 not run",
            1,
        ),
    ],
)
def test_the_account_and_the_exit_code(tmp_path, statuses, changes, text, code):
    made = [
        make_run(status=status, **({} if status == "finished" else {"epochs": 2}))
        for status in statuses
    ]
    for run, point in zip(made, POINTS, strict=False):
        run.values |= {"run_id": point.run_id, "label": point.label}
    found = sweeps.load(write_sweep(tmp_path / "grid", made))
    result = SweepResult(found.directory, plan_of(*POINTS), wall_s=40.3, **changes)
    account = SweepAccount.of(result, found)
    assert str(account) == text
    assert account.exit_code == code


def test_what_was_lost_with_a_directory_is_said(tmp_path, capsys):
    result = result_of(write_sweep(tmp_path / "grid", RUNS[:2]))
    gone = make_run(nodes=300, **SMALL)
    result.summaries = [
        RunSummary(run.values["run_id"], run.values["label"], RunStatus.FINISHED)
        for run in (*RUNS[:2], gone)
    ]
    said = " ".join(shown(result, capsys).split())
    assert "Lost: the record of 1 finished run, since" in said
    assert gone.values["label"] in said


def moved(directory):
    directory.rename(directory.with_name("moved"))


def replaced_by_a_file(directory):
    moved(directory)
    directory.write_text("")


def replaced_by_a_link_to_nothing(directory):
    moved(directory)
    directory.symlink_to("nowhere")


def replaced_by_another(directory):
    moved(directory)
    write_sweep(directory, [make_run(nodes=300, **SMALL)])


def emptied_records(directory):
    for path in directory.glob("runs/*/record.json"):
        path.write_bytes(b"")


def without_plan(directory):
    (directory / "sweep.json").unlink()


@pytest.mark.parametrize(
    ("happens", "finished", "said"),
    [
        (moved, 0, "Lost: the records of 2 finished runs"),
        (replaced_by_a_file, 0, "Lost: the records of 2 finished runs"),
        (replaced_by_a_link_to_nothing, 0, "Lost: the records of 2 finished runs"),
        (replaced_by_another, 0, "Lost: the records of 2 finished runs"),
        (emptied_records, 0, "record.json: the file is empty"),
        (without_plan, 2, "Lost: the plan, sweep.json"),
    ],
)
def test_what_happened_to_a_directory_meanwhile_is_said(tmp_path, capsys, happens, finished, said):
    directory = write_sweep(tmp_path / "grid", RUNS[:2])
    names = [(run.values["run_id"], run.values["label"]) for run in RUNS[:2]]
    result = result_of(directory)
    result.plan = plan_of(*(replace(point_of(), run_id=run_id) for run_id, _ in names))
    result.summaries = [RunSummary(*one, RunStatus.FINISHED) for one in names]
    happens(directory)
    code = sweep_summary.show(result)
    out, err = capsys.readouterr()
    assert code == (0 if finished == 2 else 1)
    assert f"{finished} of 2 runs finished" in out
    assert said in " ".join(err.split())


def test_tables_and_figures_are_not_written_through_a_link(tmp_path):
    directory = write_sweep(tmp_path / "grid", RUNS[:1])
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "comparison.csv").write_text("mine")
    for name in ("tables", "figures"):
        (directory / name).symlink_to(elsewhere)
        with pytest.raises(DirectoryError, match=f"{name}: it is a link"):
            report.write_report([directory])
        if name == "tables":
            with pytest.raises(DirectoryError, match="it is a link"):
                tables.write_tables(directory)
        (directory / name).unlink()
    assert [path.read_text() for path in elsewhere.iterdir()] == ["mine"]


@pytest.mark.slow
def test_the_best_and_the_worst_two_layer_network_have_a_line_each(tmp_path, capsys, on_terminal):
    runs = [make_run(layers=layers, nodes=n, n_test=60) for layers in (1, 2) for n in (8, 16)]
    lines = shown(result_of(write_sweep(tmp_path / "grid", runs)), capsys).splitlines()
    (best,) = [line for line in lines if line.startswith("Best ")]
    (worst,) = [line for line in lines if line.startswith("Worst ")]
    frame = sweeps.load(tmp_path / "grid").frame
    assert f"validation {100 * frame['validation.accuracy'].max():.2f} %" in best
    lowest = frame[frame["layers"] == 2]["validation.f1_min"].min()
    assert f"2 with layers=2   validation lowest F1 {lowest:.4f} (digit " in worst
    on_terminal(80)  # where there is no room for all, that others are worse is not left out
    out = shown(result_of(tmp_path / "grid"), capsys)
    assert f"2 with layers=2   val lowest F1 {lowest:.4f}\n" in out


def test_a_single_configuration_is_not_called_the_best(tmp_path, capsys):
    out = shown(result_of(write_sweep(tmp_path / "grid", RUNS[:1])), capsys)
    assert "Best" not in out
    assert "\nResult  1 layer x 101 nodes" in out


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_a_long_name_is_shortened_to_what_fits_in_a_line(tmp_path, capsys, on_terminal, columns):
    on_terminal(columns)
    model = {"_target_": "my.networks.residual", "blocks": 3}
    runs = [
        make_run(model={**model, "activation_of_the_last_layer": name}, optimizer=name, **SMALL)
        for name in ("exponential_linear_unit", "rectified_linear_unit")
    ]
    lines = shown(result_of(write_sweep(tmp_path / "grid", runs)), capsys).splitlines()
    (best,) = [line for line in lines if line.startswith("Best ")]
    assert len(best) <= columns
    assert "residual, " in best
    assert ("   val " in best) == (columns < 200)
    assert ("\N{HORIZONTAL ELLIPSIS}" in best) == (columns < 200)


@pytest.mark.parametrize(
    ("trainer", "form"), [("compiled", "fit"), ("fit", "fit"), ("compiled", "xla")]
)
def test_a_network_that_fell_back_to_fit_is_said_once(tmp_path, capsys, on_terminal, trainer, form):
    on_terminal(80)
    runs = [make_run(nodes=n, trainer={"name": trainer}, **SMALL) for n in (8, 16)]
    for run in runs:
        run.values["training"] = {"form": form, "reason": f"the network has its own {'x' * 80}"}
    out = shown(result_of(write_sweep(tmp_path / "grid", runs)), capsys)
    lines = [line for line in out.splitlines() if "slower fit" in line]
    assert len(lines) == ((trainer, form) == ("compiled", "fit"))
    for line in lines:
        assert "2 of 2 runs, since the network has its own x" in line
        assert len(line) == 80


def test_all_numbers_of_the_account_have_separators(tmp_path):
    ids = [f"{place:012x}" for place in range(1200)]
    statuses = dict(zip(ids, [RunStatus.FINISHED] * 1000 + [RunStatus.FAILED] * 200, strict=True))
    result = result_of(tmp_path, n_requested=2300, skipped=ids)
    assert str(SweepAccount(result, statuses, frozenset())) == (
        "1,000 of 2,300 runs finished (1,000 earlier), 200 failed, 1,100 not run"
    )
