"""What becomes of damaged files: every byte cut, bits flipped, other values in every place.

    python tests/benchmarks/damage.py [--flips 10000] [--scratch DIR]

Prints for each kind how many changes were made, refused, and without effect, and how many changed
what is shown unnoticed (0 but for older records, which have no hashes). Everything happens in one
process, by the functions by which all commands read.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from mnist_sweep.analysis.gate import read_baseline, write_baseline
from mnist_sweep.records.fields import flat
from mnist_sweep.records.paths import SweepPaths
from mnist_sweep.records.plan_file import read_plan
from mnist_sweep.records.reading import Unread, read_run
from mnist_sweep.records.study_file import load_study
from mnist_sweep.records.sweep import load
from support.damage import VALUES, changed, cuts, flips, places, run_of, shown
from support.factories import write_study


def main() -> None:
    """Make the files, damage them, print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        place = Path(scratch)
        run, older = run_of(place / "run"), run_of(place / "older", older=True)
        rng = np.random.default_rng(0)
        for name, one in (("run", run), ("older run", older)):
            before = shown(one)
            found = [after for _, _, after in flips(rng, one, options.flips)]
            report(f"{name}: one flipped bit", found, before)
            for path in (one.record, one.predictions):
                found = [after for _, after in cuts(path, partial(shown, one))]
                report(f"{name}: {path.name} cut", found, before)
        values_everywhere(older)
        study = place / "study"
        write_study(study, n_test=60, n_validation=40, epochs=2)
        paths, baseline = SweepPaths(study), place / "baseline.json"
        write_baseline(baseline, load(study))
        readers: dict[Path, Callable[[], Any]] = {
            paths.study_json: lambda: load_study(study),
            paths.sweep_json: lambda: read_plan(study),
            baseline: lambda: repr(read_baseline(baseline).to_dict()),
        }
        for path, read in readers.items():
            report(f"{path.name} cut", [after for _, after in cuts(path, read)], read())


def report(what: str, found: Iterable[Any], before: Any) -> None:
    """Print one line of counts."""
    counts = Counter(
        "refused" if after is None else "the same" if after == before else "UNNOTICED"
        for after in found
    )
    print(f"{what:32s} {counts.total():6,} {dict(counts)}", flush=True)


def values_everywhere(run: Any) -> None:
    """Other values in every place of a record without hashes: refused, or usable."""
    values = json.loads(run.record.read_bytes())
    counts: Counter[str] = Counter()
    for where in places(values):
        for value in VALUES:
            run.record.write_text(json.dumps(changed(values, where, value)), "utf-8")
            read = read_run(run)
            if not isinstance(read, Unread):
                json.dumps(flat(read[0]))
            counts["refused" if isinstance(read, Unread) else "read"] += 1
    print(f"{'older run: any value anywhere':32s} {counts.total():6,} {dict(counts)}", flush=True)


if __name__ == "__main__":
    main()
