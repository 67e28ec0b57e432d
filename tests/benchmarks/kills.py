"""kill -9 of a sweep's whole process group at random moments, resumed until it is done.

    python tests/benchmarks/kills.py [--kills 40] [--runs 24] [--seed 1]

Tiny networks on the bundled digits. After every kill the finished records must be there, bit by
bit; at the end no run may have been begun when its record was there (by the builder's own log),
and the tables must be those of a sweep that nobody disturbed, but for times.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.real_sweeps import Place, kill_group, table, until


def main() -> None:
    """Kill, resume, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--runs", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(Path(scratch), Path(scratch) / "cache")
        began = time.monotonic()
        words = (f"seed=range(0,{options.runs})", "epochs=1")
        if place.sweep(*words, "name=whole").code:
            raise SystemExit("the undisturbed sweep failed")
        wall = time.monotonic() - began
        (place.path / "trouble.log").unlink()
        print(f"seed {options.seed}, {options.runs} runs, undisturbed {wall:.0f} s", flush=True)
        moments = random.Random(options.seed)
        known: dict[str, tuple[int, int, bytes]] = {}
        kills, sweeps, lost = 0, 0, 0
        while kills < options.kills:
            # Enough kills for all of the sweep's time: done early, it starts again from nothing.
            if len(known) == options.runs:
                lost += check(place, known, options.runs)
                sweeps += 1
                known = {}
            name = f"name=killed{sweeps}"
            process = place.start(*place.sweep_words(*words, name))
            begun = len(place.executions())
            if moments.random() < 0.75:
                until(
                    lambda p=process, n=begun: p.poll() is not None or len(place.executions()) > n
                )
                time.sleep(moments.uniform(0, 3))
            else:
                time.sleep(moments.uniform(0, 4))
            kill_group(process)
            kills += 1
            found = place.record_files(f"killed{sweeps}")
            lost += sum(found.get(run) != value for run, value in known.items())
            known = found
            print(f"kill {kills}: {len(known)} of {options.runs} finished", flush=True)
        ended = place.sweep(*words, f"name=killed{sweeps}")
        lost += sum(
            place.record_files(f"killed{sweeps}").get(run) != value for run, value in known.items()
        )
        lost += check(place, place.record_files(f"killed{sweeps}"), options.runs)
        again = begun_again(place, sweeps)
        same = table(place, f"killed{sweeps}") == table(place, "whole")
        left = list(Path(scratch).rglob("*.partial"))
        until(place.gone)
    print(
        f"{kills} kills, {sweeps + 1} sweeps, exit code {ended.code}; finished records lost or "
        f"changed: {lost}; runs begun though recorded: {again}; left-over temporary files: "
        f"{len(left)}; tables identical: {same}"
    )
    if ended.code or lost or again or left or not same:
        raise SystemExit(1)


def check(place: Place, known: dict[str, tuple[int, int, bytes]], runs: int) -> int:
    """How many runs have no finished record."""
    return runs - len(known)


def begun_again(place: Place, sweeps: int) -> int:
    """How many runs were begun when their record of the last sweep was there."""
    last = place.directory(f"killed{sweeps}").glob("runs/*/record.json")
    times = {path.parent.name.partition("seed=")[2].partition("-")[0]: path.stat() for path in last}
    counts = Counter(
        who for who, _, moment in place.executions() if moment > times[who.split(",")[2]].st_mtime
    )
    return sum(counts.values())


if __name__ == "__main__":
    main()
