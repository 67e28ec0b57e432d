"""A run's record, settings, predictions, network and data belong together, or it is refused."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click.testing
import numpy as np
import pytest

from mnist_sweep.analysis.gate import Rules, baseline_of
from mnist_sweep.analysis.gate import check as check_sweep
from mnist_sweep.analysis.resolve_run import resolve_run
from mnist_sweep.cli.compare import compare
from mnist_sweep.cli.results import table
from mnist_sweep.errors import DataError, MnistSweepError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import write_predictions
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.store import sealed, to_json
from mnist_sweep.records.sweep import load
from mnist_sweep.safe_files import sha256_of
from support.damage import SMALL, unseal
from support.factories import make_run, write_run, write_sweep

RUNS = [make_run(nodes=nodes, seed=seed, **SMALL) for nodes in (8, 16) for seed in (0, 1)]


def write_whole(run, directory):
    """A run with a file for its network, whose hash the record holds."""
    paths = RunPaths(write_run(run, directory))
    paths.model.write_bytes(f"the network of {run.values['run_id']}".encode())
    hashes = {path.name: sha256_of(path) for path in paths.artefacts}
    paths.record.write_text(to_json({**run.values, "artefacts": hashes}), "utf-8")
    return paths


@pytest.fixture
def sweep(tmp_path):
    directory = write_sweep(tmp_path / "sweep", RUNS)
    for run in RUNS:
        write_whole(run, directory / "runs" / run.directory_name)
    assert load(directory).problems == ()
    return directory


def paths_of(sweep, number=0):
    return RunPaths(sweep / "runs" / RUNS[number].directory_name)


def change(paths, *place, to):
    """Another value in a record, and nothing else."""
    values = json.loads(paths.record.read_bytes())
    inner = values
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = to
    paths.record.write_text(json.dumps(values), "utf-8")


def other_predictions(sweep):
    shutil.copy(paths_of(sweep, 1).predictions, paths_of(sweep).predictions)
    return paths_of(sweep).predictions


def other_network(sweep):
    shutil.copy(paths_of(sweep, 1).model, paths_of(sweep).model)
    return paths_of(sweep).model


def other_record(sweep):
    shutil.copy(paths_of(sweep, 1).record, paths_of(sweep).record)
    return paths_of(sweep).record


def other_nodes(sweep):
    change(paths_of(sweep), "config", "nodes", to=9)
    return paths_of(sweep).record


def better_accuracy(sweep):
    change(paths_of(sweep), "metrics", "test", "accuracy", to=1.0)
    return paths_of(sweep).record


def less_time(sweep):
    change(paths_of(sweep), "time", "train_s", to=0.001)
    return paths_of(sweep).record


def other_commit(sweep):
    change(paths_of(sweep), "environment", "git_sha", to="f" * 40)
    return paths_of(sweep).record


def cut_network(sweep):
    path = paths_of(sweep).model
    path.write_bytes(path.read_bytes()[:-1])
    return path


def flipped_label(sweep):
    path = paths_of(sweep).predictions
    arrays = {**RUNS[0].arrays, "test_predicted": RUNS[0].arrays["test_predicted"].copy()}
    arrays["test_predicted"][0] ^= 1
    write_predictions(path, arrays)
    return path


def added_network(sweep):
    """A network in a run whose record names none."""
    paths = paths_of(sweep)
    values = json.loads(paths.record.read_bytes())
    del values["artefacts"]["model.keras"]
    paths.record.write_text(sealed(values))
    return paths.model


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)
    return path


def added_to_none(sweep):
    """Predictions and a network beside a record that names no file at all."""
    paths = paths_of(sweep)
    paths.record.write_text(sealed(json.loads(paths.record.read_bytes()) | {"artefacts": {}}))
    return paths.predictions


def predictions_as_pipe(sweep):
    return as_pipe(paths_of(sweep).predictions)


def network_as_pipe(sweep):
    return as_pipe(paths_of(sweep).model)


def network_without_end(sweep):
    path = paths_of(sweep).model
    path.unlink()
    path.symlink_to("/dev/zero")
    return path


def predictions_as_directory(sweep):
    path = paths_of(sweep).predictions
    path.unlink()
    path.mkdir()
    return path


MIXED = [
    other_predictions, other_network, other_record, other_nodes, better_accuracy, less_time,
    other_commit, cut_network, flipped_label, added_network, added_to_none, predictions_as_pipe,
    network_as_pipe, network_without_end, predictions_as_directory,
]  # fmt: skip


@pytest.mark.parametrize("mix", MIXED, ids=lambda one: one.__name__)
def test_what_does_not_belong_together_is_named_and_the_run_not_counted(sweep, mix):
    path = mix(sweep)
    found = load(sweep)
    assert [one.path for one in found.problems] == [path]
    assert len(found.frame) == len(RUNS) - 1
    assert found.missing == ()


@pytest.mark.slow
@pytest.mark.parametrize("mix", MIXED[:5], ids=lambda one: one.__name__)
def test_every_command_says_so(sweep, tmp_path, mix):
    good = shutil.copytree(sweep, tmp_path / "good")
    baseline = baseline_of(load(good))
    path = str(mix(sweep))
    runner = click.testing.CliRunner()
    assert path in runner.invoke(table, [str(sweep)]).output
    assert path in runner.invoke(compare, [str(good), str(sweep)]).output
    result = check_sweep(load(sweep), baseline, Rules())
    assert any(path in one.detail for one in result.failures)
    with pytest.raises(MnistSweepError) as caught:  # what predict does first
        resolve_run(Path(path).parent)
    # The name of a single run's directory says nothing: then its predictions are the wrong ones.
    assert (str(Path(path).parent) if mix is other_record else path) in str(caught.value)


def test_a_record_in_other_white_space_is_the_same(sweep):
    path = paths_of(sweep).record
    values = json.loads(path.read_bytes())
    for text in (
        json.dumps(values),
        json.dumps(values, indent=3),
        path.read_text().replace("\n", "\r\n"),
    ):
        path.write_bytes(text.encode())
        assert load(sweep).problems == ()


def test_a_network_that_was_deleted_to_save_space_is_no_problem(sweep):
    paths_of(sweep).model.unlink()
    assert load(sweep).problems == ()


# --- records of earlier versions ------------------------------------------------------------------


@pytest.fixture
def older(tmp_path):
    paths = RunPaths(write_run(RUNS[0], tmp_path / "run"))
    unseal(paths.record)
    assert not isinstance(read_run(paths), Unread)
    return paths


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (("config", "nodes"), 9, "settings and data are not those of run"),
        (("config", "seed"), 5, "settings and data are not those of run"),
        (("config", "seed"), "zero", "seed must be int, got str"),
        (("config", "learning_rate"), 0.5, "settings and data are not those of run"),
        (("config", "nodes"), 10**400, "nodes must be a number of at most 64 bits"),
        (("config", "data"), None, "not the settings of a run"),
        (("data", "sha256"), "e" * 64, "settings and data are not those of run"),
        (("configuration_id",), "0123456789ab", "settings are not those of configuration"),
        (("metrics", "test", "accuracy"), 1.0, "test.accuracy is 1, but the confusion matrix"),
        (("metrics", "validation", "f1_min"), 0.5, "validation.f1_min is 0.5"),
        (("metrics", "test", "per_class", 3, "recall"), 0.123, r"per_class.3.recall is 0.123"),
        (("metrics", "test", "per_class", 3, "support"), 1, r"per_class.3.support is 1"),
        (("metrics", "test", "per_class", 3, "label"), 2, "classes 0 to 9, each once"),
        (("metrics", "test", "per_class", 3, "label"), 10**400, "less than"),
        (("metrics", "test", "confusion", 0, 0), 1000, "examples, not 60"),
        (("data", "n_test"), 61, "60 examples, not 61"),
    ],
)  # fmt: skip
def test_an_older_record_that_contradicts_itself_is_refused(older, place, value, reason):
    change(older, *place, to=value)
    read = read_run(older)
    assert isinstance(read, Unread)
    assert reason.replace("\\", "") in read.reason


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (RUNS[1].arrays, "confusion matrix"),
        ({**RUNS[0].arrays, "data_sha256": np.array("e" * 64)}, "other data"),
        ({**RUNS[0].arrays, "test_predicted": np.full(60, 10, np.uint8)}, "between 0 and 9"),
        ({**RUNS[0].arrays, "test_predicted": RUNS[0].arrays["test_true"]}, "confusion matrix"),
    ],
)
def test_an_older_run_with_other_predictions_is_refused(older, arrays, reason):
    write_predictions(older.predictions, arrays)
    read = read_run(older)
    assert isinstance(read, Unread)
    assert (read.file, reason in read.reason) == ("predictions.npz", True)


# --- the data that a run is trained on ------------------------------------------------------------


def prepared(tmp_path):
    from mnist_sweep.data import prepare
    from mnist_sweep.settings import defaults

    settings = {**defaults()["data"], "name": "digits"}
    return prepare(settings, {"MNIST_SWEEP_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)})


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_data_that_were_overwritten_are_noticed_before_and_after_a_run(tmp_path, name):
    from mnist_sweep.data import check_unchanged, load

    info = prepared(tmp_path)
    dataset = load(info)
    check_unchanged(dataset)
    path = Path(info.cache) / f"{name}.npy"
    with path.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        last = file.read(100)
        file.seek(-100, os.SEEK_END)
        file.write(bytes(7 - byte % 8 for byte in last))
    with pytest.raises(DataError, match="it was changed"):
        check_unchanged(dataset)
    with pytest.raises(DataError, match="it was changed"):
        load(info)


def cut(path):
    os.truncate(path, 200)


def cut_by_a_byte(path):
    os.truncate(path, path.stat().st_size - 1)


def removed(path):
    path.unlink()


def other_content(path):
    """Another file of the same size, and with the same time."""
    state, content = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def link_to_other(path):
    other = path.with_name("other.npy")
    path.rename(other)
    path.symlink_to(other)
    other_content(other)


def link_to_same(path):
    other = path.with_name("other.npy")
    path.rename(other)
    path.symlink_to(other)


@pytest.mark.parametrize(
    "change", [cut, cut_by_a_byte, removed, other_content, link_to_other, link_to_same]
)
def test_a_run_has_the_data_of_its_hash_or_fails(tmp_path, change):
    from mnist_sweep.data import check_unchanged, load

    info = prepared(tmp_path)
    dataset = load(info)
    before = dataset.train_images[-1].copy()
    path = Path(info.cache) / "train_images.npy"
    change(path)
    # While a run has a file mapped, it still has a removed one's content, but not what was cut off.
    if change in (cut, cut_by_a_byte):
        with pytest.raises(DataError, match="cut"):
            check_unchanged(dataset)
    else:
        check_unchanged(dataset)
        np.testing.assert_array_equal(dataset.train_images[-1], before)
    # The next run of the same sweep.
    if change is link_to_same:
        np.testing.assert_array_equal(load(info).train_images[-1], before)
    else:
        with pytest.raises(DataError, match="missing or damaged"):
            load(info)
    # And the next sweep.
    again = prepared(tmp_path)
    assert again.sha256 == info.sha256
    np.testing.assert_array_equal(load(again).train_images[-1], before)


def test_a_file_of_the_users_that_is_edited_in_mid_sweep_is_another_dataset(tmp_path):
    from mnist_sweep.data import load, prepare
    from mnist_sweep.settings import defaults

    rng = np.random.default_rng(0)
    arrays = {
        f"{kind}_{split}": values
        for split in ("train", "test")
        for kind, values in (
            ("x", rng.integers(0, 256, (40, 4, 4), np.uint8)), ("y", np.arange(40) % 4),
        )
    }  # fmt: skip
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    settings = {**defaults()["data"], "name": "npz", "path": str(path)}
    environment = {"MNIST_SWEEP_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    info = prepare(settings, environment)
    arrays["x_train"][0] = 0
    np.savez(path, **arrays)
    assert load(info).train_images[0].any()  # of the sweep that runs
    again = prepare(settings, environment)
    assert again.deciding() != info.deciding()
    assert not load(again).train_images[0].any()


def test_data_whose_files_were_touched_alone_are_hashed_and_used(tmp_path, monkeypatch):
    from mnist_sweep.data import dataset, load

    info = prepared(tmp_path)
    hashed = []
    original = dataset.content_sha256
    monkeypatch.setattr(dataset, "content_sha256", lambda one: hashed.append(1) or original(one))
    load(info)
    assert hashed == []
    os.utime(Path(info.cache) / "train_images.npy")
    load(info)
    assert hashed == [1]
