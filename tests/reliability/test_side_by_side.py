"""Sweeps that run at the same time share a directory's work, or have directories of their own."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from support.real_sweeps import Place, table


def test_identical_sweeps_share_the_work_and_end_alike(place: Place):
    words = place.sweep_words("model.kind=fine,slow", "seed=1,2", "name=shared")
    processes = [place.start(*words) for _ in range(2)]
    ended = [place.wait(process) for process in processes]
    assert [e.code for e in ended] == [0, 0], ended
    assert set(Counter(who for who, _, _ in place.executions()).values()) == {1}
    assert len(place.executions()) == 4
    shown = [e.out.partition("\n")[2] for e in ended]
    assert shown[0] == shown[1]
    assert table(place, "shared")[0]["rows"]


def test_sweeps_without_a_name_never_share_a_directory(place: Place):
    # Directories of the coming seconds are taken, as by sweeps started at the same moment.
    now = datetime.now()  # noqa: DTZ005  (names are made of local time)
    taken = [now + timedelta(seconds=s) for s in range(120)]
    for moment in taken:
        place.directory(f"{moment:%Y-%m-%d_%H-%M-%S}").mkdir(parents=True)
    processes = [place.start(*place.sweep_words("epochs=1")) for _ in range(2)]
    assert [place.wait(process).code for process in processes] == [0, 0]
    made = [p.parent for p in (place.path / "outputs").glob("*/sweep.json")]
    assert len(made) == 2
    assert all(p.name.rpartition("-")[2] in ("2", "3") for p in made)
    assert all(len(list(p.glob("runs/*/record.json"))) == 1 for p in made)
