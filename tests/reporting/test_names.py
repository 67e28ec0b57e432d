"""A network is named by what varies and by its own settings, data by what they are."""

import pytest

from mnist_sweep.analysis.configurations import configurations
from mnist_sweep.analysis.selection import reason_of
from mnist_sweep.metrics import resolve
from mnist_sweep.records.sweep import all_runs, load
from mnist_sweep.reporting.phrases.names import data_name, extent, with_names
from support.factories import make_run, reference_grid, write_sweep

SMALL = {"n_test": 60, "n_validation": 40}
RESNET = {"_target_": "my.models.resnet", "depth": 18}


def names(directory, runs):
    found = configurations(all_runs([load(write_sweep(directory, runs))]))
    return [configuration.name for configuration in with_names(found)]


def test_the_built_in_network_is_named_by_its_size_and_what_varies(tmp_path):
    runs = [
        make_run(layers=layers, nodes=300, dropout=dropout, **SMALL)
        for layers in (1, 2) for dropout in (0, 0.2)
    ]  # fmt: skip
    assert names(tmp_path / "s", runs) == [
        "1 layer x 300 nodes, dropout=0", "1 layer x 300 nodes, dropout=0.2",
        "2 layers x 300 nodes, dropout=0", "2 layers x 300 nodes, dropout=0.2",
    ]  # fmt: skip


def test_a_network_of_ones_own_is_named_by_its_builder_and_its_own_settings(tmp_path):
    runs = [make_run(model=RESNET, batch_size=b, **SMALL) for b in (16, 32)]
    assert names(tmp_path / "a", runs) == [
        "resnet, depth=18, batch_size=16", "resnet, depth=18, batch_size=32",
    ]  # fmt: skip
    for run, code in zip(runs, ("a" * 64, "b" * 64), strict=True):  # edited between the runs
        run.values["code"] = {"sha256": code, "files": {"my/models.py": code}}
    assert names(tmp_path / "c", runs)[0] == f"resnet, depth=18, batch_size=16, code={'a' * 12}"
    runs = [make_run(model={**RESNET, "depth": d, "width": 8}, **SMALL) for d in (18, 50)]
    assert names(tmp_path / "b", runs) == ["resnet, depth=18", "resnet, depth=50"]


def test_different_networks_are_each_named_by_their_own_settings(tmp_path):
    runs = [make_run(model=RESNET, **SMALL), make_run(layers=2, **SMALL)]
    assert set(names(tmp_path / "s", runs)) == {"resnet, depth=18", "2 layers x 100 nodes"}


def test_equal_names_are_numbered_and_data_are_named(tmp_path):
    runs = [make_run(**SMALL), make_run(bundled=True, **SMALL)]
    assert names(tmp_path / "s", runs) == [
        "1 layer x 100 nodes, data=digits", "1 layer x 100 nodes, data=mnist",
    ]  # fmt: skip
    sweeps = [load(write_sweep(tmp_path / p / "g", reference_grid(**SMALL)[:1])) for p in "xy"]
    found = with_names(configurations(all_runs(sweeps)))
    assert [one.name for one in found] == ["1 layer x 100 nodes", "1 layer x 100 nodes (2)"]


def test_long_and_hostile_names_stay_short_and_visible(tmp_path):
    runs = [make_run(optimizer=f"\n{'x' * 90}{k}", **SMALL) for k in range(2)]
    found = names(tmp_path / "s", runs)
    assert all(len(name) <= 64 and name.isprintable() for name in found)
    assert len(set(found)) == 2


def test_bundled_digits_are_never_called_mnist():
    assert data_name("mnist", None) == "MNIST"
    assert data_name("digits", "stand in for MNIST") == "bundled digits (NOT MNIST)"
    assert data_name("digits", None) == "digits"


def test_a_part_is_said_to_be_one():
    by = resolve("validation.accuracy")
    assert extent([1, 2], [1, 2, 3], by) == "the best and worst 2 of 3 by validation accuracy"
    assert extent([1], [1], by) == ""


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"status": "missing", "error.message": "not run"}, "not run"),
        ({"status": "failed", "error.type": "E", "error.message": "m"}, "E: m"),
        ({"status": "failed"}, "no reason recorded"),
        (
            {"status": "pruned", "epochs": 20, "epochs_trained": 3, "history.val_accuracy": 0.912},
            "after epoch 3 of 20, validation accuracy 91.2 %",
        ),
    ],
)
def test_why_a_run_has_no_result(row, text):
    assert reason_of(row) == text
