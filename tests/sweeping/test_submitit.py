"""Hydra's submitit launcher: a machine of its own for every run, tried with processes here."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.real_sweeps import Place

pytest.importorskip(
    "hydra_plugins.hydra_submitit_launcher",
    reason="needs hydra-submitit-launcher: pip install 'mnist-sweep[slurm]'",
)

BUILDER = """
import os, signal
import keras

def build(input_shape, classes, kind):
    if kind == "killed" and "SUBMITIT_LOCAL_JOB_ID" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),
                             keras.layers.Dense(classes, activation="softmax")])
"""
WORDS = ("-m", "data=digits", "epochs=1", "report=false", "model=own", "model._target_=mine.build")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at Linux's /proc")
def test_a_killed_job_costs_its_run_and_the_rest_is_resumed(tmp_path: Path):
    place = Place(tmp_path / "place", tmp_path / "cache")
    (place.path / "modules" / "mine.py").write_text(BUILDER)
    words = (*WORDS, "+model.kind=killed,fine", "name=there")
    ended = place.run(*words, "hydra/launcher=submitit_local")
    assert ended.code == 1, ended
    assert ended.account == "1 of 2 runs finished, 1 failed"
    # The first of the jobs died at once; the plugin alone would not have waited for the other.
    statuses = {label.split(",")[1]: r["status"] for label, r in place.records("there").items()}
    assert statuses == {"kind=killed": "failed", "kind=fine": "finished"}
    assert "failed: its job ended with" in ended.err
    kept = place.record_files("there")
    again = place.run(*words)
    assert again.code == 0, again
    assert again.account == "2 of 2 runs finished (1 earlier)"
    assert kept.items() <= place.record_files("there").items()
    # The builder makes the same network of both words: submitit's run and the pool's are alike.
    there, here = place.records("there").values()
    assert there["run_id"] != here["run_id"]
    assert (there["metrics"], there["history"]) == (here["metrics"], here["history"])
