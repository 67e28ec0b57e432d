"""Two and four identical sweeps started at once in one directory, again and again.

    python tests/benchmarks/side_by_side.py [--repeats 10] [--runs 8]

Each point must be run exactly once (by the builder's own log), all sweeps must exit 0 and print
the same tables. Then pairs of sweeps without a name, started at once, must have two directories.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.real_sweeps import Place


def main() -> None:
    """Start, wait, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--runs", type=int, default=8)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "cache"
        for repeat in range(options.repeats):
            for sweeps in (2, 4):
                wrong += not together(scratch, cache, sweeps, repeat, options.runs)
            wrong += not unnamed(scratch, cache, repeat)
    print(f"{options.repeats} repeats, {wrong} wrong")
    raise SystemExit(bool(wrong))


def together(scratch: str, cache: Path, sweeps: int, repeat: int, runs: int) -> bool:
    """Whether identical sweeps shared their work."""
    place = Place(Path(scratch) / f"{sweeps}-{repeat}", cache)
    words = place.sweep_words(f"seed=range(0,{runs})", "epochs=1", "name=shared")
    processes = [place.start(*words) for _ in range(sweeps)]
    ended = [place.wait(process) for process in processes]
    counts = Counter(who for who, _, _ in place.executions())
    tables = {e.out.partition("\n")[2] for e in ended}
    codes = [e.code for e in ended]
    fine = codes == [0] * sweeps and len(tables) == 1
    fine = fine and len(counts) == runs and set(counts.values()) == {1}
    print(
        f"{sweeps} sweeps: exit codes {codes}, {len(tables)} table, executions {counts}", flush=True
    )
    return fine


def unnamed(scratch: str, cache: Path, repeat: int) -> bool:
    """Whether two sweeps without a name had two directories."""
    place = Place(Path(scratch) / f"unnamed-{repeat}", cache)
    processes = [place.start(*place.sweep_words("epochs=1")) for _ in range(2)]
    codes = [place.wait(process).code for process in processes]
    made = sorted(p.parent.name for p in place.path.glob("outputs/*/sweep.json"))
    print(f"unnamed: exit codes {codes}, directories {made}", flush=True)
    return codes == [0, 0] and len(made) == 2


if __name__ == "__main__":
    main()
