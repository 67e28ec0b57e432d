"""A directory means one run: its own, or the best of a sweep; never one by chance."""

import pytest

from mnist_sweep.analysis.resolve_run import resolve_run
from mnist_sweep.errors import DirectoryError, SelectionError, UsageError
from mnist_sweep.records.paths import RunPaths
from support.factories import make_run, write_run, write_sweep


def test_of_the_best_configuration_the_best_seed_is_taken(tmp_path):
    good = [make_run(layers=2, seed=s, accuracy=a) for s, a in enumerate((0.93, 0.97, 0.95))]
    lucky = [make_run(layers=1, seed=s, accuracy=a) for s, a in enumerate((0.6, 0.99, 0.6))]
    sweep = write_sweep(tmp_path / "grid", [*good, *lucky])
    found = resolve_run(sweep, best=True)
    assert found.record.run_id == good[1].values["run_id"]
    assert found.paths.directory.name == good[1].directory_name
    assert "best of 2 configurations by validation accuracy" in found.reason
    assert "its best of 3 seeds" in found.reason


def test_of_a_metric_of_which_less_is_better_the_least_is_taken(tmp_path):
    runs = [make_run(seed=s, train_s=t) for s, t in enumerate((9.0, 2.0, 5.0))]
    sweep = write_sweep(tmp_path / "grid", runs)
    assert resolve_run(sweep, best=True, by="time.train_s").record.seed == 1


def test_a_run_s_own_directory_and_a_sweep_of_one_need_no_choice(tmp_path):
    run = make_run()
    alone = write_run(run, tmp_path / "alone")
    assert resolve_run(alone).paths.directory == alone
    sweep = write_sweep(tmp_path / "grid", [run])
    assert resolve_run(sweep).paths.directory.name == run.directory_name
    assert resolve_run(sweep).reason == ""


def test_several_runs_none_and_failed_ones_are_different_errors(tmp_path):
    two = write_sweep(tmp_path / "two", [make_run(layers=1), make_run(layers=2)])
    with pytest.raises(UsageError, match="a sweep of 2 runs"):
        resolve_run(two)
    with pytest.raises(SelectionError, match=r"failed .*out of memory"):
        resolve_run(write_run(make_run(status="failed"), tmp_path / "failed"))
    for record in two.glob("runs/*/record.json"):
        record.write_text("{")
    with pytest.raises(DirectoryError, match=r"none can be read: .*not valid JSON"):
        resolve_run(two)


def test_a_record_and_predictions_of_different_data_do_not_belong_together(tmp_path):
    directory = write_run(make_run(), tmp_path / "run")
    assert resolve_run(directory).record.run_id == make_run().values["run_id"]
    other = write_run(make_run(bundled=True), tmp_path / "other")
    RunPaths(directory).predictions.write_bytes(RunPaths(other).predictions.read_bytes())
    with pytest.raises(DirectoryError, match=r"predictions\.npz: not the file that the run wrote"):
        resolve_run(directory)
