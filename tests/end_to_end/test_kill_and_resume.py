"""A sweep that is killed and resumed keeps what was finished and runs only the rest.

Its runs are of a task, whose processes import no TensorFlow; `tests/reliability` kills sweeps of
networks.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.real_sweeps import Place, kill_group, until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="looks at processes where Linux shows them"
)
WAITS = """
import trouble

def train(seed=0):
    trouble.log("waits", 0, seed)
    trouble.wait("waits", seed)
    return {"accuracy": 0.5}
"""


def test_a_killed_sweep_is_resumed(tmp_path: Path):
    place = Place(tmp_path, tmp_path / "cache")
    (tmp_path / "modules" / "own_task.py").write_text(WAITS)
    (tmp_path / "go_1").touch()
    process = place.start(
        "-m", "task._target_=own_task.train", "seed=1,2,3", "name=s", "n_jobs=2", "report=false"
    )
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
