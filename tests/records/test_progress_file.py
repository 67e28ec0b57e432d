"""The epochs of a run under way: what was written is read, and what is half written is left out."""

from __future__ import annotations

import math
from pathlib import Path

from mnist_sweep.records import locks
from mnist_sweep.records.progress_file import Progress, add_epoch, read_progress


def test_epochs_are_read_as_they_were_reported(tmp_path: Path):
    path = tmp_path / "run" / "progress.jsonl"
    add_epoch(path, 1, 3, {"loss": 0.5, "val_loss": math.nan})
    add_epoch(path, 2, 3, {"loss": 0.25, "val_loss": 0.75})
    assert read_progress(path) == Progress(2, 3, {"loss": {1: 0.5, 2: 0.25}, "val_loss": {2: 0.75}})


def test_a_new_attempt_replaces_the_one_before(tmp_path: Path):
    for epoch in (1, 2, 3, 1):
        add_epoch(tmp_path / "p", epoch, None, {"loss": float(epoch)})
    assert read_progress(tmp_path / "p") == Progress(1, None, {"loss": {1: 1.0}})


def test_what_is_half_written_or_damaged_is_left_out(tmp_path: Path):
    path = tmp_path / "p"
    add_epoch(path, 1, 2, {"loss": 0.5})
    with path.open("a") as file:
        file.write('[]\n{"epoch": "x", "epochs": 2, "figures": {}}\n')
        file.write('{"epoch": 1e999, "epochs": 2, "figures": {}}\n{"epoch": 2, "epo')
    assert read_progress(path) == Progress(1, 2, {"loss": {1: 0.5}})
    assert read_progress(tmp_path / "none") == Progress()


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path):
    (tmp_path / "run").write_text("a file in the way")
    add_epoch(tmp_path / "run" / "progress.jsonl", 1, None, {})


def test_a_lock_is_seen_without_being_taken_or_made(tmp_path: Path):
    path = tmp_path / ".locks" / "run"
    assert not locks.is_held(path)
    assert not path.exists()
    held = locks.try_lock(path)
    assert held is not None
    assert locks.is_held(path)
    locks.release(held)
    assert not locks.is_held(path)
