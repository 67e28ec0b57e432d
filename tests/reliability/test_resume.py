"""The same command again keeps what is finished and runs the rest."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from support.real_sweeps import Place, until


def edit_plan(place: Place, name: str, change: Any) -> None:
    path = place.directory(name) / "sweep.json"
    content = json.loads(path.read_bytes())
    change(content["invocations"][-1])
    path.write_text(json.dumps(content))


def test_a_stopped_sweep_goes_on_where_it_was_stopped(place: Place):
    words = place.sweep_words(
        "model.kind=fine,raises_at_first", "seed=1,2", "name=grid", "retries=0"
    )
    process = place.start(*words)
    until(lambda: any(r["status"] == "failed" for r in place.records("grid").values()))
    os.killpg(process.pid, signal.SIGKILL)
    place.wait(process)
    before = place.record_files("grid")

    # The rest is run, and failed runs are not where that is not wanted.
    ended = place.run(*words, "rerun_failed=false")
    assert ended.code == 1
    finished = place.record_files("grid")
    assert before.items() <= finished.items()
    assert len(finished) == 2
    failed = {r["label"]: r for r in place.records("grid").values() if r["status"] == "failed"}
    assert len(failed) == 2

    # All that is left are failed runs: nothing is run.
    ended = place.run("resume", "outputs/grid")
    assert ended.code == 1
    assert ended.account == "2 of 4 runs finished (2 earlier), 2 failed"
    assert place.record_files("grid") == finished

    # Once the reason is mended, they are run again, and only they.
    (place.path / "mended").touch()
    edit_plan(place, "grid", lambda last: last["versions"].update(keras="0.1"))
    ended = place.run("resume", "outputs/grid", "rerun_failed=true")
    assert ended.code == 0, ended
    assert ended.account == "4 of 4 runs finished (2 earlier)"
    assert "this directory's last sweep ran with 0.1" in ended.err
    assert finished.items() <= place.record_files("grid").items()

    # Another grid under the same name adds runs; data that changed are said to have.
    finished = place.record_files("grid")
    edit_plan(
        place, "grid", lambda last: [data.update(sha256="0" * 64) for data in last["data"].values()]
    )  # fmt: skip
    ended = place.sweep("nodes=4,5", "seed=1", "name=grid")
    assert ended.account == "2 of 2 runs finished (1 earlier)"
    assert "The data differ from this directory's last sweep" in ended.err
    assert len(place.records("grid")) == 5
    assert finished.items() <= place.record_files("grid").items()
