"""How often `compare` calls equal networks different, and finds a planted difference.

    python tests/benchmarks/compare_calibration.py [comparisons]

Each comparison is of four shared configurations; an error is a verdict other than noise, so the
rate is of the whole comparison and not of one test. Prints the table kept in
`compare_calibration.md`; a few minutes for 300 comparisons a row.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mnist_sweep.analysis.compare import VerdictKind, changes, compare, load_side
from support.factories import make_run, write_sweep

ACCURACIES = (0.975, 0.985, 0.972, 0.955)
ROWS = (
    ("equal, single runs of the same seed", 0.0, 0, (0,), (0,)),
    ("equal, single runs of other seeds", 0.0, 0, (0,), (1,)),
    ("equal, 3 seeds each, the same", 0.0, 0, (0, 1, 2), (0, 1, 2)),
    ("equal, 3 seeds each, others", 0.0, 0, (0, 1, 2), (3, 4, 5)),
    ("1 point lower, single runs of the same seed", 0.01, 0, (0,), (0,)),
    ("2 points lower, single runs of the same seed", 0.02, 0, (0,), (0,)),
    ("2 points lower, single runs of other seeds", 0.02, 0, (0,), (1,)),
    ("2 points lower, 3 seeds each, others", 0.02, 0, (0, 1, 2), (3, 4, 5)),
    ("digit 8 alone 15 points lower, 3 seeds each", 0.0, 0.15, (0, 1, 2), (0, 1, 2)),
)
N_TEST = 2000


def sweep(place: Path, number: int, epochs: int, drop: float, digit: float, seeds: tuple) -> Path:
    """Simulated runs; `number` gives them other predictions."""
    runs = [
        make_run(
            layers=index + 1, nodes=100, epochs=epochs, seed=seed, n_test=N_TEST, n_validation=20,
            accuracy=[accuracy - drop - (digit if k == 8 else 0) for k in range(10)],
            simulation_seed=number * 100_000 + index * 1000 + epochs * 10 + seed,
        )
        for index, accuracy in enumerate(ACCURACIES)
        for seed in seeds
    ]  # fmt: skip
    return write_sweep(place, runs)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    changes.DEFAULT_REPLICATES = 500
    print(f"{count} comparisons a row of four configurations on {N_TEST:,} images, level 0.95.\n")
    print("| truth | called different | of these with the right sign | digit 8 named |")
    print("|:---|---:|---:|---:|")
    for name, drop, digit, first_seeds, second_seeds in ROWS:
        different = right = named = 0
        for number in range(count):
            with tempfile.TemporaryDirectory() as place:
                first = sweep(Path(place) / "a", number, 20, 0.0, 0.0, first_seeds)
                second = sweep(Path(place) / "b", number, 5, drop, digit, second_seeds)
                pair = compare([load_side(first), load_side(second)], seed=number).pairs[0]
            kind = pair.verdict.kind
            different += kind not in (VerdictKind.NOISE, VerdictKind.UNTESTED)
            right += kind is VerdictKind.WORSE
            named += any(
                change.metric == "f1.8" and change.significant
                for one in pair.changes
                for change in one.digits
            )
        sign = f"{right / different:.0%}" if different and drop + digit else ""
        print(f"| {name} | {different / count:.1%} | {sign} | {named / count:.0%} |", flush=True)


if __name__ == "__main__":
    main()
