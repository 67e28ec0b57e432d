"""How often the gate fails equal reruns, and how often it notices its smallest noticeable drop.

    python tests/benchmarks/gate_calibration.py [reruns [seed]]

Prints the Markdown table kept in `gate_calibration.md`. Takes a minute for 2,000 reruns a row.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.gate_simulation import ACCURACIES, relative_checks, simulated

EVEN = (0.002,) * 4
UNEVEN = (0.001, 0.001, 0.001, 0.004)
ROWS = (
    ("2 seeds, spread 0.2 %", {"repeats": 2, "spread": EVEN}),
    ("3 seeds, spread 0.2 %", {"repeats": 3, "spread": EVEN}),
    ("5 seeds, spread 0.2 %", {"repeats": 5, "spread": EVEN}),
    ("3 seeds, spread 0.1 % but 0.4 % of the last", {"repeats": 3, "spread": UNEVEN}),
    ("3 seeds, spread 0.2 %, 360 images", {"repeats": 3, "spread": EVEN, "n_test": 360}),
    ("5 seeds, the uneven spread, 10,000 images",
     {"repeats": 5, "spread": UNEVEN, "n_test": 10_000}),
)  # fmt: skip


def row(settings: dict, reruns: int, seed: int) -> tuple[float, float, float]:
    """False alarms, catches of the smallest noticeable drop in the last, and its mean size."""
    rng = np.random.default_rng(seed)
    alarms, caught, drops = 0, 0, []
    for _ in range(reruns):
        old = simulated(rng, ACCURACIES, **settings)
        new = simulated(rng, ACCURACIES, **settings)
        judged = relative_checks(old, new)
        alarms += not all(check.passed for check in judged)
        drops.append(judged[3].noticeable)
        lower = (*ACCURACIES[:3], ACCURACIES[3] - drops[-1])
        caught += not relative_checks(old, simulated(rng, lower, **settings))[3].passed
    return alarms / reruns, caught / reruns, float(np.mean(drops))


def main() -> None:
    """Print the table."""
    reruns = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    print(f"{reruns:,} simulated baselines and reruns a row; four configurations of accuracy")
    print(f"{', '.join(map(str, ACCURACIES))}; level 0.95; the drop is planted in the last.\n")
    print("| baseline and rerun | false alarms | caught | smallest noticeable drop, mean |")
    print("|:---|---:|---:|---:|")
    for name, settings in ROWS:
        alarms, caught, drop = row(settings, reruns, seed)
        print(f"| {name} | {alarms:.1%} | {caught:.1%} | {drop:.4f} |", flush=True)


if __name__ == "__main__":
    main()
