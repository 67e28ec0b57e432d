"""Names in a sweep's directory, taken apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.records.paths import label_and_run_id, without_seed
from support.factories import make_run, write_sweep


@given(st.lists(st.sampled_from(["seed=1", "a=2", "reseed=3", "seed=", "", "x,seed=4"])))
def test_a_label_without_its_seed(parts):
    label = ",".join(parts)
    expected = ",".join(part for part in label.split(",") if not part.startswith("seed="))
    assert without_seed(label) == (expected or label)


def test_a_run_directory_is_named_by_label_and_run_id(tmp_path):
    run = make_run(n_test=20, n_validation=20)
    sweep = write_sweep(tmp_path / "grid", [run])
    (directory,) = (sweep / "runs").iterdir()
    assert label_and_run_id(directory.name) == (run.values["label"], run.values["run_id"])
