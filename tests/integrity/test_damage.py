"""Whatever happens to a run's files, no number that is shown changes unnoticed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mnist_sweep.analysis.gate import read_baseline, write_baseline
from mnist_sweep.records.fields import flat
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import load
from support.damage import SMALL, VALUES, changed, cuts, flips, places, run_of, shown
from support.factories import make_run, write_study, write_sweep


@pytest.fixture
def run(tmp_path):
    return run_of(tmp_path / "run")


def test_every_flipped_bit_is_noticed_or_changes_nothing(run):
    before = shown(run)
    found = list(flips(np.random.default_rng(0), run, 400))
    assert [one[:2] for one in found if one[2] not in (None, before)] == []
    assert sum(one[2] is None for one in found) > 390


def test_of_an_older_run_predictions_and_metrics_are_guarded_all_the_same(tmp_path):
    run = run_of(tmp_path / "run", older=True)
    before = shown(run)
    assert before is not None
    for name, bit, after in flips(np.random.default_rng(1), run, 200):
        if name == "predictions.npz" and after is not None:
            # Probabilities are in no metric; zip's own checksums guard them.
            assert after[1] == before[1], bit


@pytest.mark.parametrize("name", ["record", "predictions"])
def test_a_run_with_a_cut_file_is_refused(run, name):
    path = getattr(run, name)
    size = path.stat().st_size
    read = {length for length, after in cuts(path, lambda: shown(run), 37) if after is not None}
    assert read <= {size - 1} if name == "record" else read == set()  # without its last line break


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    directory = tmp_path_factory.mktemp("study") / "study"
    write_study(directory, n_test=60, n_validation=40, epochs=2)
    return directory


def test_a_cut_study_or_plan_is_refused_and_named(study):
    paths = SweepPaths(study)
    for path, read in (
        (paths.study_json, lambda: load_study(study)), (paths.sweep_json, lambda: read_plan(study)),
    ):  # fmt: skip
        whole = read()
        size = path.stat().st_size
        for length, found in cuts(path, read, 101):
            # Without its last line break alone the file says the same.
            assert found is None or (length == size - 1 and found == whole), length
        content = path.read_bytes()
        path.write_bytes(content[: size // 2])
        assert path in [one.path for one in load(study).problems]
        path.write_bytes(content)
    assert load(study).problems == ()


def test_a_cut_baseline_is_refused(tmp_path):
    path = tmp_path / "b.json"
    write_baseline(path, load(write_sweep(tmp_path / "s", [make_run(**SMALL)])))
    size = path.stat().st_size
    for length, found in cuts(path, lambda: read_baseline(path), 53):
        assert found is None or length == size - 1


def test_any_value_in_any_place_of_an_older_record_is_read_or_refused_with_a_reason(tmp_path):
    run = run_of(tmp_path / "run", older=True)
    values = json.loads(run.record.read_bytes())
    everywhere = list(places(values))
    rng = np.random.default_rng(2)
    for number in rng.permutation(len(everywhere) * len(VALUES))[:400]:
        place, value = everywhere[number // len(VALUES)], VALUES[number % len(VALUES)]
        run.record.write_text(json.dumps(changed(values, place, value)), "utf-8")
        read = read_run(run)
        if isinstance(read, Unread):
            assert read.reason
        else:
            json.dumps(flat(read[0]))
