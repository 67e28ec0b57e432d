"""Runs that are stopped early: what they leave, what counts them, and what ends them."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mnist_sweep.analysis.gate import baseline_of
from mnist_sweep.analysis.resolve_run import resolve_run
from mnist_sweep.analysis.selection import select
from mnist_sweep.data import load as load_data
from mnist_sweep.data import prepare
from mnist_sweep.errors import SelectionError
from mnist_sweep.records.record import build
from mnist_sweep.records.status import RunStatus
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.reporting.phrases.selection import sentences
from mnist_sweep.reporting.report import write_report
from mnist_sweep.reporting.summary import ReportSummary
from mnist_sweep.reporting.tables.render import render
from mnist_sweep.reporting.tables.tables import comparison
from mnist_sweep.sweeping.launch.job import RunSummary, is_up_to_date, record_of, summary_of
from mnist_sweep.sweeping.launch.progress import Progress
from support.factories import make_run, write_run, write_sweep
from support.real_sweeps import Place, until
from support.sweep_parts import job_of


def pruned_run(epoch: int = 3, **settings: Any) -> Any:
    run = make_run(status="pruned", **settings)
    figures = [0.5 + 0.1 * n for n in range(epoch)]
    run.values["history"] = {
        "loss": figures, "accuracy": figures, "val_loss": figures, "val_accuracy": figures,
    }  # fmt: skip
    message = f"stopped after epoch {epoch} of 20: validation accuracy 70.00% is behind"
    run.values["error"] = {"type": "Pruned", "message": message, "traceback": None}
    run.values["time"] = {"total_s": 0.1, "train_s": 0.1, "epoch_s": [0.01] * epoch}
    return run


@pytest.fixture
def half_pruned(tmp_path: Path) -> Path:
    runs = [make_run(layers=1), make_run(layers=2, accuracy=0.9)]
    return write_sweep(tmp_path / "half", [*runs, pruned_run(layers=3), pruned_run(layers=4)])


def test_a_pruned_record_says_how_far_it_came():
    record = pruned_run().record
    assert (record.status, record.metrics, len(record.history.loss)) == ("pruned", None, 3)
    with pytest.raises(ValueError, match="status is pruned but there is no error"):
        build({**pruned_run().values, "error": None})


@pytest.mark.parametrize(("prune", "stands"), [(True, True), (False, False)])
def test_a_pruned_run_stands_only_where_runs_may_be_pruned(
    tmp_path: Path, prune: bool, stands: bool
):
    run = pruned_run()
    job = job_of(tmp_path, run, prune=prune)
    write_run(run, job.paths.directory)
    assert is_up_to_date(job, record_of(job)) is stands
    record = record_of(job)
    assert record
    summary = summary_of(job, record)
    assert (summary.status, summary.total_s) == ("pruned", 0.1)


def test_tables_show_pruned_runs_in_their_place_and_give_them_no_marks(half_pruned: Path):
    table = comparison([load(half_pruned)])[0]
    layers = table.content.values("layers")
    cells = {own: row.cells for own, row in zip(layers, table.rows, strict=True)}
    assert cells[3][-1].text == "pruned after epoch 3 of 20, validation accuracy 70.0 %"
    # They took the least time, and that is no merit.
    assert [cell.mark for cell in (*cells[3], *cells[4]) if cell.mark] == []
    assert any(cell.mark for cell in cells[1])


def test_a_pruned_run_is_shown_quietly_and_a_failed_one_is_not(half_pruned: Path):
    failing = make_run(layers=5, status="failed")
    write_run(failing, half_pruned / "runs" / failing.directory_name)
    tables = comparison([load(half_pruned)])
    lines = render(tables, width=300, colour=True).splitlines()
    pruned, failed = (next(x for x in lines if word in x) for word in ("pruned a", "failed:"))
    assert "\x1b[2mpruned after epoch 3" in pruned
    assert "\x1b[31m" not in pruned
    assert "\x1b[31m\x1b[1mfailed: " in failed


@pytest.mark.slow
def test_the_report_tells_pruned_runs_apart_from_failures(half_pruned: Path, tmp_path: Path):
    def parts() -> list[str]:
        written = write_report([half_pruned], tmp_path, answer=ReportSummary(), figures=False)
        page = written.page.read_text()
        parts = (page.partition(f'id="{name}"')[2] for name in ("problems", "stopped"))
        return [page.partition('id="details"')[0], *(x.partition("</ul>")[0] for x in parts)]

    lead, problems, stopped = parts()
    assert "2 stopped early" in lead
    assert "without a result" not in lead
    assert "layers=" not in problems
    assert "after epoch 3 of 20, validation accuracy 70.0 %" in stopped
    assert stopped.count("<li>") == 2
    failing = make_run(layers=5, status="failed")
    write_run(failing, half_pruned / "runs" / failing.directory_name)
    lead, problems, stopped = parts()
    assert "1 without a result" in lead
    assert "layers=5" in problems
    assert "pruned" not in problems
    assert stopped.count("<li>") == 2


def test_a_pruned_run_has_no_network_and_is_not_to_be_run_as_it_was(tmp_path: Path):
    directory = write_run(pruned_run(), tmp_path / "run")
    with pytest.raises(SelectionError, match=r"was pruned .*Run its point as a grid \(without s"):
        resolve_run(directory)


def test_a_pruned_run_is_no_candidate_and_is_told(half_pruned: Path):
    found = select(all_runs([load(half_pruned)]), by="accuracy", direction="best")
    assert [c.settings["layers"] for c in found.candidates] == [1, 2]
    assert [run.status for run in found.uncounted] == ["pruned", "pruned"]
    text = " ".join(sentences(found))
    assert "Excluded: 2 runs were stopped early (pruned)" in text
    assert "layers=4,nodes=100,seed=0 after epoch 3 of 20, validation accuracy 70.0 %" in text
    with pytest.raises(SelectionError, match="is pruned: after epoch 3 of 20"):
        select(all_runs([load(half_pruned)]), ["layers=3"])


def test_a_sweep_with_pruned_runs_is_no_baseline(half_pruned: Path):
    with pytest.raises(Exception, match=r"layers=3,nodes=100,seed=0: pruned"):
        baseline_of(load(half_pruned))


def test_the_display_counts_pruned_runs_apart():
    job = job_of(Path("sweep"))
    message = "stopped after epoch 3 of 20: it is behind"
    summary = RunSummary.of(job, RunStatus.PRUNED, message)
    for live in (False, True):
        console = Console(force_terminal=live, width=100, record=True)
        told = Progress(console, live=live)
        told.begin(2, 1)
        told.started(job)
        told.ended(summary)
        told.end()
        text = console.export_text() + (told._totals() if live else "")
        wanted = "0 done, 1 pruned, 1 left" if live else "stopped after epoch 3"
        assert wanted in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compiled", "fit"])
def test_a_stopped_training_is_the_beginning_of_the_whole_one(name: str):
    from support.training_settings import settings as settings_of  # isort: skip  (sets it up)
    import keras

    from mnist_sweep.training import model
    from mnist_sweep.training.train import trainer

    digits = load_data(prepare(settings_of(data__name="digits")["data"]))
    histories = []
    for stop in (None, 2, 3):
        keras.utils.set_random_seed(0)
        network = model.mlp((8, 8), 10, layers=1, nodes=8)
        asked: list[int] = []

        def watch(epoch: int, _so_far: Any, asked: list[int] = asked, stop: Any = stop) -> Any:
            asked.append(epoch)
            return "enough" if stop and epoch >= stop else None

        found = trainer(name)(network, digits, settings_of(epochs=3, nodes=8), watch)
        histories.append(found.history)
        # After the last epoch there is nothing left to be saved: the run has come to its end.
        assert found.pruned == ("enough" if stop == 2 else None)
        assert asked == list(range(1, (stop or 3) + 1))
        assert len(found.epoch_s) == (stop or 3)
    whole, part, to_its_end = histories
    assert to_its_end == whole
    assert part.val_accuracy == whole.val_accuracy[:2]
    assert part.loss == whole.loss[:2]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's /proc")
@pytest.mark.parametrize("by", ["kill -9", "Ctrl-C"])
def test_a_worker_that_waits_for_its_answer_ends_with_its_parent(tmp_path: Path, by: str):
    pytest.importorskip("optuna", reason="a search needs Optuna")
    place = Place(tmp_path / "place", tmp_path / "cache")
    process = place.start(
        *place.sweep_words(
            "hydra/sweeper=search", "nodes=range(2,9)", "epochs=100000", "name=waits",
            "search.runs=2", "search.pruner=median", "n_jobs=1",
        )
    )  # fmt: skip
    try:
        until(place.executions, "for a run to begin")
        worker = place.executions()[0][1]
        until(lambda: cpu_ticks(worker) > 30, "for the run's epochs")
        process.send_signal(signal.SIGSTOP)
        # It has sent an epoch and waits: it works no more, although it has epochs left.
        until(lambda: idle(worker), "for the worker to wait")
        if by == "kill -9":
            process.kill()
        else:
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGCONT)
    except BaseException:
        process.kill()  # stopped, it would stay for ever
        raise
    ended = place.wait(process)
    assert ended.code == (-signal.SIGKILL if by == "kill -9" else 130)
    until(place.gone, "for all its processes to end")
    assert place.records("waits") == {}


def cpu_ticks(process_id: int) -> int:
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def idle(process_id: int) -> bool:
    before = cpu_ticks(process_id)
    time.sleep(0.3)
    return cpu_ticks(process_id) == before
