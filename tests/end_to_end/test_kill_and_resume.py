"""A sweep that is killed and resumed keeps what was finished and runs only the rest."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.real_sweeps import Place, kill_group, until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="looks at processes where Linux shows them"
)


def test_a_killed_sweep_is_resumed(tmp_path: Path):
    place = Place(tmp_path, tmp_path / "cache")
    words = place.sweep_words("model.kind=waits", "seed=1,2,3", "epochs=1", "name=s", "n_jobs=2")
    (tmp_path / "go_1").touch()
    process = place.start(*words)
    until(lambda: place.record_files("s") and len(place.executions()) == 3)
    kill_group(process)
    until(place.gone)
    killed_at, before = time.time(), place.record_files("s")
    assert len(before) == 1

    (tmp_path / "go").touch()
    ended = place.run("resume", "outputs/s")
    assert ended.code == 0, ended
    assert ended.account == "3 of 3 runs finished (1 earlier)"
    assert before.items() <= place.record_files("s").items(), "a finished record changed"
    again = [who.split(",")[2] for who, _, moment in place.executions() if moment > killed_at]
    assert sorted(again) == ["2", "3"]
    assert [path for path in tmp_path.rglob("*") if ".partial" in path.name] == []
    assert not list(place.directory("s").glob("runs/*/progress.jsonl"))
