"""A run's result does not depend on what carried it out, nor on what ran beside it."""

from __future__ import annotations

import numpy as np

from support.real_sweeps import Place

WAYS = {
    "pool": ["nodes=4,5"],
    "alone": ["nodes=5,4", "n_jobs=1"],
    "basic": ["nodes=5", "hydra/launcher=basic"],
    "joblib": ["nodes=4,5", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
}


def test_launchers_workers_and_order_leave_the_bits_alone(place: Place):
    for way, words in WAYS.items():
        ended = place.sweep(*words, f"name={way}")
        assert ended.code == 0, (way, ended)
        count = len(place.records(way))
        runs = "run" if count == 1 else "runs"
        assert ended.account == f"{count} of {count} {runs} finished"
        assert (place.directory(way) / "tables" / "comparison.md").exists()
    usual = results(place, "pool")
    for way in WAYS:
        for run_id, result in results(place, way).items():
            assert result == usual[run_id], way
    resume_and_fail_truthfully(place)


def resume_and_fail_truthfully(place: Place) -> None:
    """Further points where Hydra's basic launcher ran one, and their builder broken."""
    kept = place.record_files("basic")
    trouble = place.path / "modules" / "trouble.py"
    trouble.write_text(trouble.read_text().replace("def misbehave(kind):", BROKEN))
    ended = place.sweep("nodes=4,5", "hydra/launcher=basic", "name=basic")
    assert ended.code == 1, ended
    # The code was edited, so the run that is there is another.
    assert ended.account == "0 of 2 runs finished, 2 failed"
    assert "broken on purpose" in ended.err
    assert kept.items() <= place.record_files("basic").items()


def results(place: Place, name: str) -> dict:
    found = {}
    for record in place.records(name).values():
        directory = place.directory(name) / "runs" / f"{record['label']}-{record['run_id']}"
        with np.load(directory / "predictions.npz", allow_pickle=False) as arrays:
            bits = {key: arrays[key].tobytes() for key in arrays.files}
        assert (directory / "job.log").stat().st_size > 0
        found[record["run_id"]] = (record["metrics"], record["history"], bits)
    return found


BROKEN = """
_built = build
def build(input_shape, classes, **settings):
    import inspect
    if "_run" in [frame.function for frame in inspect.stack(0)]:
        raise ValueError("broken on purpose")
    return _built(input_shape, classes, **settings)

def misbehave(kind):"""
