"""`predict`: a run's network gives digits for files of all kinds, and the stored ones again."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from conftest import REPOSITORY, mnist_folder
from mnist_sweep.cli.predict import predict
from mnist_sweep.data import load
from mnist_sweep.errors import MnistSweepError
from mnist_sweep.records.paths import RunPaths
from mnist_sweep.records.predictions import read_predictions
from mnist_sweep.records.store import sealed
from mnist_sweep.reporting.predicted_digits import render
from mnist_sweep.safe_files import sha256_of
from support.factories import make_run, write_run, write_sweep
from support.own_layers import OWN_LAYERS
from support.photographed import photograph, save
from support.trained_run import prepared, train_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load(prepared(tmp_path_factory.mktemp("cache"), mnist_folder()))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """A run's directory: on MNIST where it is, else on the bundled digits."""
    epochs = 3 if mnist_folder() else 30
    made = make_run(layers=1, nodes=100, epochs=epochs)
    directory = tmp_path_factory.mktemp("sweep") / "runs" / made.directory_name
    return train_run(directory, data.info, made, epochs=epochs)


def invoke(*arguments):
    return CliRunner().invoke(predict, [str(word) for word in arguments], catch_exceptions=False)


def refused(*arguments):
    with pytest.raises(MnistSweepError) as caught:
        invoke(*arguments)
    return str(caught.value)


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_text())))


def write_csv(path, images):
    flat = images.reshape(len(images), -1)
    header = ",".join(f"pixel{i}" for i in range(flat.shape[1]))
    np.savetxt(path, flat, fmt="%d", delimiter=",", header=header, comments="")
    return path


def test_predictions_of_all_test_images_are_the_stored_ones(tmp_path, trained, data):
    np.savez(tmp_path / "test.npz", x_test=data.test_images, y_test=data.test_labels)
    result = invoke(trained, tmp_path / "test.npz", "-o", tmp_path / "all.csv", "--probabilities")
    stored = read_predictions(RunPaths(trained).predictions)
    header, *rows = rows_of(tmp_path / "all.csv")
    table = np.array(rows, dtype=float)
    np.testing.assert_array_equal(table[:, 1], stored.test_predicted)
    probability = table[:, 2].astype(np.float32)  # as it was computed, before float16 rounded it
    np.testing.assert_array_equal(probability.astype(np.float16), stored.test_probability)
    assert header[3:] == [f"probability{k}" for k in range(10)]
    np.testing.assert_allclose(table[:, 3:].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(table[:, 3:].argmax(axis=1), stored.test_predicted)
    right = int((stored.test_predicted == stored.test_true).sum())
    assert f"{right:,} of {len(rows):,} predictions" in result.stdout


def test_a_submission_for_a_csv_without_labels(tmp_path, trained, data):
    path = write_csv(tmp_path / "test.csv", data.test_images[:321])
    result = invoke(trained, path, "-o", tmp_path / "new" / "submission.csv")
    header, *rows = rows_of(tmp_path / "new" / "submission.csv")
    assert header == ["ImageId", "Label"]
    assert [int(row[0]) for row in rows] == list(range(1, 322))
    stored = read_predictions(RunPaths(trained).predictions)
    assert [int(row[1]) for row in rows] == stored.test_predicted[:321].tolist()
    assert "321 images" in result.stdout


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_photographs_of_digits_are_read_right(tmp_path, trained, data, suffix):
    stored = read_predictions(RunPaths(trained).predictions)
    rng = np.random.default_rng(20)
    # Of the digits that the network knows, five of different classes, the last as on a blackboard.
    known = np.flatnonzero((stored.test_predicted == stored.test_true)
                           & (stored.test_probability > 0.9))  # fmt: skip
    rows = [int(known[stored.test_true[known] == digit][0]) for digit in (3, 0, 4, 6, 2)]
    pictures = [
        photograph(data.test_images[row], rng, scale=data.info.scale, chalk=number == 4)
        for number, row in enumerate(rows)
    ]
    folder = save(pictures, tmp_path / "photos", suffix)
    invoke(trained, folder, "-o", tmp_path / "photos.json")
    found = json.loads((tmp_path / "photos.json").read_text())
    assert [entry["label"] for entry in found["predictions"]] == [3, 0, 4, 6, 2]
    assert [entry["image"] for entry in found["predictions"]] == [
        f"photo{n}{suffix}" for n in range(1, 6)
    ]
    assert found["run_id"] in str(trained)


def test_one_picture_gives_a_csv_with_its_name(tmp_path, trained, data):
    picture = photograph(data.test_images[0], np.random.default_rng(1), scale=data.info.scale)
    save([picture], tmp_path)
    invoke(trained, tmp_path / "photo1.png", "-o", tmp_path / "one.csv")
    header, row = rows_of(tmp_path / "one.csv")
    assert header == ["image", "label", "probability"]
    assert row[0] == "photo1.png"


@pytest.fixture
def sweep(tmp_path, trained):
    """A sweep of the trained run and worse ones, which have no network."""
    worse = [make_run(layers=1, nodes=n, accuracy=0.5, epochs=2) for n in (7, 8)]
    failed = make_run(layers=3, status="failed")
    directory = write_sweep(tmp_path / "grid", [*worse, failed])
    (directory / "runs" / trained.name).symlink_to(trained, target_is_directory=True)
    return directory


def test_the_best_run_of_a_sweep_is_taken_and_named(tmp_path, sweep, trained, data):
    path = write_csv(tmp_path / "test.csv", data.test_images[:9])
    result = invoke(sweep, path, "-o", tmp_path / "out.csv", "--best")
    # By the sweep's objective.
    assert "best of 3 configurations by validation accuracy" in result.stdout
    assert trained.name.rpartition("-")[2] in result.stdout
    assert "1 without a result" in result.stdout
    invoke(trained, path, "-o", tmp_path / "same.csv")
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "same.csv").read_bytes()


def test_a_sweep_of_several_runs_needs_a_choice(tmp_path, sweep):
    text = refused(sweep, tmp_path, "-o", tmp_path / "out.csv")
    assert "a sweep of 4 runs" in text
    assert "--best" in text


def test_what_cannot_be_predicted_is_refused_before_anything_is_written(tmp_path, sweep, trained):
    out = tmp_path / "out.csv"
    damaged = tmp_path / "test.csv"
    damaged.write_text("pixel0\n1\n")
    cases = [
        ((trained, damaged), "The network was trained on images of shape"),
        ((trained, tmp_path / "nothing.csv"), "does not exist"),
        ((tmp_path / "nothing", damaged), "no such directory"),
        ((trained, damaged, "--by", "accuracy"), "need --best"),
        ((trained, damaged, "--probabilities", "--format", "submission"), "columns ImageId"),
        ((sweep, damaged, "--best", "--where", "layers=9"), "none of 4 matches"),
        ((sweep, damaged, "--best", "--by", "beauty"), "No metric 'beauty'"),
    ]
    for arguments, reason in cases:
        assert reason in refused(*arguments, "-o", out)
    assert not out.exists()


def test_a_run_without_a_network_and_a_failed_run_say_so(tmp_path, trained, data):
    path = write_csv(tmp_path / "test.csv", data.test_images[:2])
    bare = write_run(make_run(), tmp_path / "bare")
    failed = write_run(make_run(status="failed"), tmp_path / "failed")
    (tmp_path / "fit").symlink_to(path)
    record = json.loads(RunPaths(bare).record.read_text())
    record["data"] |= {"shape": list(data.info.shape), "scale": data.info.scale}
    RunPaths(bare).record.write_text(sealed(record))
    assert "no such file" in refused(bare, path, "-o", tmp_path / "out.csv")
    assert "MemoryError: out of memory" in refused(failed, path, "-o", tmp_path / "out.csv")


def test_files_of_two_runs_in_one_directory_are_told_apart(tmp_path, trained, data):
    path = write_csv(tmp_path / "test.csv", data.test_images[:2])
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for file in trained.iterdir():
        (mixed / file.name).write_bytes(file.read_bytes())
    record = json.loads(RunPaths(mixed).record.read_text())
    record["parameters"] += 1
    RunPaths(mixed).record.write_text(sealed(record))
    assert "not the one of its record" in refused(mixed, path, "-o", tmp_path / "out.csv")
    RunPaths(mixed).predictions.write_bytes(b"of another run")
    said = refused(mixed, path, "-o", tmp_path / "out.csv")
    assert "predictions.npz: not the file that the run wrote" in said


def test_an_unwritable_place_is_one_error(tmp_path, trained, data):
    path = write_csv(tmp_path / "test.csv", data.test_images[:2])
    assert "Cannot write" in refused(trained, path, "-o", path / "out.csv")


def test_the_program_refuses_a_bad_file_in_one_paragraph_without_tensorflow(tmp_path, trained):
    bad = tmp_path / "test.csv"
    bad.write_text("pixel0,pixel1\n1,x\n")
    code = (
        "import sys, mnist_sweep.cli\n"
        "try: mnist_sweep.cli.main(sys.argv[1:])\n"
        "finally: print([m for m in ('tensorflow', 'keras', 'hydra') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", trained, bad, "-o", tmp_path / "out.csv"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(Path(REPOSITORY))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr.startswith("mnist-sweep: ")
    assert done.stderr.count("\n") == 1
    assert str(bad) in done.stderr


def test_own_layers_are_imported_where_trusted_and_named(tmp_path, trained, data):
    import keras

    own = types.ModuleType("own_layers_of_a_run")
    exec(OWN_LAYERS, vars(own))
    (tmp_path / "own_layers_of_a_run.py").write_text(OWN_LAYERS + "print('imported')\n")
    run = shutil.copytree(trained, tmp_path / trained.name)
    paths = RunPaths(run)
    layers = [keras.Input(data.info.shape), own.Doubles(), own.Shifts(), keras.layers.Flatten()]
    network = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    network.save(paths.model)
    record = json.loads(paths.record.read_text())
    record["parameters"] = network.count_params()
    record["artefacts"][paths.model.name] = sha256_of(paths.model)
    record["config"]["model"] = {"_target_": "own_layers_of_a_run.build"}
    paths.record.write_text(sealed(record))
    words = (run, write_csv(tmp_path / "test.csv", data.test_images[:7]), "-o", tmp_path / "out")
    assert "`predict --trust` also loads" in refused(*words)
    assert not (tmp_path / "out").exists()
    # In a process that has not imported them.
    done = subprocess.run(
        [sys.executable, "-m", "mnist_sweep", "predict", *map(str, words), "--trust"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stderr.splitlines()[0] == "Importing own_layers_of_a_run (--trust)."
    assert "imported" in done.stdout
    assert "7 images" in done.stdout
    assert [row[0] for row in rows_of(tmp_path / "out")] == ["ImageId", *"1234567"]


def test_names_of_pictures_are_no_formulas_to_a_spreadsheet():
    text = render(
        "csv", np.array([1], np.uint8), np.array([0.5], np.float32), names=["=cmd(),x.png"]
    )
    assert list(csv.reader(io.StringIO(text)))[1] == ["'=cmd(),x.png", "1", "0.5"]


def test_without_images_the_headings_stay():
    nothing = np.zeros((0, 3), np.float32)
    text = render("csv", np.zeros(0, np.uint8), nothing[:, 0], probabilities=nothing)
    assert text == "image,label,probability,probability0,probability1,probability2\n"
