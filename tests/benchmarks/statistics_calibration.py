"""Whether intervals, tests and selections hold what they promise, on predictions of known truth.

    python tests/benchmarks/statistics_calibration.py [--simulations 400] [--only NAME]

prints the tables kept in `statistics_calibration.md`. The suite runs the same functions with fewer
simulations.

The simulated world: an image of true class k is answered rightly by a run of configuration c if
level[c] + ease[k] + seeds * u[run] + shared[image] + own[c, image] + noise[run, image] > 0, all
random parts normal. How often a run is right on endless images is then a normal probability,
and a configuration's mean over seeds a Gauss-Hermite sum. Wrong answers fall on the two
neighboring classes, 3 to 1, by the image.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from mnist_sweep.analysis.statistics import (
    SeedVariances,
    compare_all,
    decide,
    interval,
    resample_predictions,
)
from mnist_sweep.metrics import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_sweep.analysis.statistics import Comparisons

Floats = NDArray[np.float64]
CLASSES = 10
NEIGHBOR = 0.75
EASE = np.linspace(0.25, -0.25, CLASSES)
REPLICATES = 400


@dataclass(frozen=True)
class World:
    """Configurations with known truth.

    Attributes:
        levels: How good each configuration is, as its approximate accuracy, (n,).
        seeds: Standard deviation between seeds, on the scale on which image noise is 1.
        images: How many test images a simulation draws.
        shared: Share of image noise common to all runs.
        own: Share of it common to a configuration's runs; the rest is the run's alone.
        ease: How much easier each class is, (10,).
    """

    levels: tuple[float, ...]
    seeds: float = 0.07
    images: int = 1000
    shared: float = 0.4
    own: float = 0.1
    ease: Floats = field(default_factory=lambda: EASE)

    def draw(
        self, repeats: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], Floats]:
        """Predictions (n * repeats, images), true classes, and seeds of the runs."""
        count = len(self.levels)
        true = rng.integers(CLASSES, size=self.images)
        base = ndtri(np.array(self.levels))[:, None, None] + self.ease[true]
        base = base + np.sqrt(self.shared) * rng.standard_normal(self.images)
        base = base + np.sqrt(self.own) * rng.standard_normal((count, 1, self.images))
        effects = rng.standard_normal((count, repeats))
        rest = np.sqrt(1 - self.shared - self.own)
        noise = rest * rng.standard_normal((count, repeats, self.images))
        right = base + self.seeds * effects[..., None] + noise > 0
        wrong = (true + np.where(rng.random(self.images) < NEIGHBOR, 1, CLASSES - 1)) % CLASSES
        predicted = np.where(right, true, wrong).reshape(count * repeats, self.images)
        return predicted.astype(np.uint8), true.astype(np.uint8), effects.ravel()

    def truth_of_runs(self, metric: str, configuration: int, effects: Floats) -> Floats:
        """The metric of runs with given seed effects (n,) on endless images, (n,)."""
        location = ndtri(self.levels[configuration]) + self.ease + self.seeds * effects[:, None]
        right = ndtr(location)
        wrong = 1 - right
        mistaken = NEIGHBOR * np.roll(wrong, 1, axis=1)
        mistaken += (1 - NEIGHBOR) * np.roll(wrong, -1, axis=1)
        return resolve(metric).compute(np.ones(CLASSES), right + mistaken, right)

    def truth(self, metric: str, configuration: int = 0) -> float:
        """The metric's mean over seeds on endless images."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(31)
        values = self.truth_of_runs(metric, configuration, nodes)
        return float(values @ weights / weights.sum())


class Coverage(NamedTuple):
    """Share of intervals that hold the truth, that lie below it, and their mean width."""

    held: float
    below: float
    width: float


def interval_coverage(
    world: World, metric: str, repeats: int, simulations: int, rng: np.random.Generator
) -> Coverage:
    """How often the interval of the world's first configuration holds the truth.

    The truth is a single run's own, or the configuration's mean. The others show how seeds vary.
    """
    truth = world.truth(metric)
    found = []
    for _ in range(simulations):
        predicted, true, effects = world.draw(repeats, rng)
        if repeats == 1:
            truth = float(world.truth_of_runs(metric, 0, effects)[0])
        table = resample_predictions(predicted, true, [metric], rng, replicates=REPLICATES)[metric]
        values = table.observed.reshape(len(world.levels), repeats)[1:]
        others = None
        if repeats > 1:
            df = np.full(len(values), repeats - 1.0)
            others = SeedVariances(values.var(axis=1, ddof=1), df)
        one = interval(table.rows(range(repeats)), others=others)
        found.append((one.low <= truth <= one.high, one.high < truth, one.high - one.low))
    return Coverage(*np.mean(found, axis=0).tolist())


def selected(
    world: World, metric: str, repeats: int, rng: np.random.Generator
) -> tuple[Comparisons, NDArray[np.uint8], NDArray[np.uint8]]:
    """Select the worst configuration of a world; also its predictions and true classes."""
    predicted, true, _ = world.draw(repeats, rng)
    table = resample_predictions(predicted, true, [metric], rng, replicates=REPLICATES)[metric]
    groups = np.split(np.arange(len(predicted)), len(world.levels))
    return compare_all(table, groups, "worst", rng), predicted, true


def distinctions(
    world: World, metric: str, repeats: int, simulations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """How often configurations are called different from the chosen one, wrongly and rightly.

    The share of simulations that call any of the same level different, and the mean share of those
    of other levels that are called different.
    """
    wrong, right = 0, []
    for _ in range(simulations):
        found, _, _ = selected(world, metric, repeats, rng)
        same = np.array(world.levels) == world.levels[found.chosen]
        wrong += bool((found.distinguishable & same).any())
        right.append(found.distinguishable[~same].mean() if (~same).any() else np.nan)
    return wrong / simulations, float(np.mean(right))


def probability_pairs(
    metric: str, repeats: int, simulations: int, rng: np.random.Generator, *, count: int = 4
) -> tuple[Floats, NDArray[np.bool_]]:
    """Stated probabilities of being the worst and whether it was so, (simulations, count) each.

    True levels are drawn for each simulation, from nearly equal to far apart.
    """
    stated, happened = [], []
    for index in range(simulations):
        gap = (0.02, 0.05, 0.1, 0.2)[index % 4]
        levels = ndtr(ndtri(0.95) + gap * rng.standard_normal(count))
        world = World(tuple(levels), seeds=0.0 if repeats == 1 else 0.05)
        stated.append(selected(world, metric, repeats, rng)[0].probability)
        happened.append(np.arange(count) == np.argmin(levels))
    return np.array(stated), np.array(happened)


class Decisions(NamedTuple):
    """What came of deciding selections: shares of simulations, and runs per simulation."""

    decided: float
    wrong: float
    runs: float
    equal_runs: float


def decisions(
    world: World, metric: str, max_repeats: int, simulations: int, rng: np.random.Generator
) -> Decisions:
    """Decide the worst configuration, giving further runs only to those that contend."""
    worst = int(np.argmin(world.levels))
    count = len(world.levels)
    rows = []
    for _ in range(simulations):
        predicted, true, _ = world.draw(max_repeats, rng)
        table = resample_predictions(predicted, true, [metric], rng, replicates=REPLICATES)[metric]
        taken = [2] * count
        while True:
            groups = [number * max_repeats + np.arange(taken[number]) for number in range(count)]
            found = decide(table, groups, "worst", max_repeats=max_repeats)
            if not found.next_runs:
                break
            for number in found.next_runs:
                taken[number] += 1
        wrong = worst not in found.contenders
        rows.append((found.state == "decided", wrong, sum(taken), max(taken) * count))
    return Decisions(*np.mean(rows, axis=0).tolist())


def report_intervals(simulations: int, rng: np.random.Generator) -> None:
    """Coverage of intervals over metrics, images and repeats."""
    print("\n## Coverage of 95 % intervals of a metric (a single run: of its own truth)\n")
    print("Of the first of four configurations in a sweep.\n")
    print("| metric | images | repeats | covered | below the truth | mean width |")
    print("| --- | --- | --- | --- | --- | --- |")
    for metric in ("accuracy", "f1", "f1_min"):
        for images in (360, 2000):
            for repeats in (1, 2, 3, 5):
                world = World((0.95, 0.93, 0.96, 0.97), images=images)
                found = interval_coverage(world, metric, repeats, simulations, rng)
                print(
                    f"| {metric} | {images} | {repeats} | {found.held:.1%} | {found.below:.1%} "
                    f"| {found.width:.4f} |",
                    flush=True,
                )


def report_selection(simulations: int, rng: np.random.Generator) -> None:
    """False and true distinctions, and calibration of P(worst)."""
    print("\n## Selections: configurations called different from the chosen one\n")
    print("Half of the configurations are as good as the chosen one, half better by 2 points.\n")
    print("| configurations | images | repeats | any wrongly | share of the better ones |")
    print("| --- | --- | --- | --- | --- |")
    for count, images, repeats in (
        (4, 360, 2), (4, 360, 3), (4, 2000, 2), (4, 2000, 3), (4, 2000, 5), (20, 2000, 3),
    ):  # fmt: skip
        levels = (0.95,) * (count // 2) + (0.97,) * (count // 2)
        wrong, right = distinctions(
            World(levels, images=images), "accuracy", repeats, simulations, rng
        )
        print(f"| {count} | {images} | {repeats} | {wrong:.1%} | {right:.0%} |", flush=True)
    print("\n## P(worst) beside how often it was so\n")
    print("| repeats | stated | mean stated | happened | cases |\n| --- | --- | --- | --- | --- |")
    for repeats in (1, 3):
        stated, happened = probability_pairs("accuracy", repeats, simulations, rng)
        for low in np.arange(0, 1, 0.2):
            chosen = (stated >= low) & ((stated < low + 0.2) | (low == 0.8))
            print(
                f"| {repeats} | {low:.1f} to {low + 0.2:.1f} | {stated[chosen].mean():.2f} "
                f"| {happened[chosen].mean():.2f} | {chosen.sum()} |",
                flush=True,
            )


def report_decisions(simulations: int, rng: np.random.Generator) -> None:
    """Errors and runs of deciding."""
    print("\n## Deciding with up to 8 repeats\n")
    print("| accuracies | decided | truly worst eliminated | runs | with equal repeats |")
    print("| --- | --- | --- | --- | --- |")
    for levels in ((0.95, 0.95, 0.95, 0.95), (0.94, 0.95, 0.96, 0.97)):
        found = decisions(World(levels, images=2000), "accuracy", 8, max(simulations // 4, 1), rng)
        print(
            f"| {' '.join(map(str, levels))} | {found.decided:.0%} | {found.wrong:.1%} "
            f"| {found.runs:.1f} | {found.equal_runs:.1f} |",
            flush=True,
        )


def report_speed(_simulations: int, rng: np.random.Generator) -> None:
    """50 configurations of 20 runs, and 1,000 of one, on 10,000 images with 2,000 replicates."""
    print("\n## Time of a selection by f1_min, 10,000 images, 2,000 replicates\n")
    print("| configurations | repeats | CPU seconds |\n| --- | --- | --- |")
    for count, repeats in ((5, 1), (50, 20), (1000, 1)):
        true = rng.integers(CLASSES, size=10_000)
        hard = rng.standard_normal(10_000)
        levels = ndtri(np.linspace(0.97, 0.985, count).repeat(repeats))
        noise = rng.standard_normal((count * repeats, 10_000))
        wrong = levels[:, None] + 0.9 * hard + 0.44 * noise < 0
        predicted = np.where(wrong, (true + 1) % CLASSES, true)
        start = time.process_time()
        table = resample_predictions(predicted, true, ["f1_min"], rng)["f1_min"]
        compare_all(table, np.split(np.arange(count * repeats), count), "worst", rng)
        print(f"| {count} | {repeats} | {time.process_time() - start:.2f} |", flush=True)


def report_good_networks(simulations: int, rng: np.random.Generator) -> None:
    """Intervals of f1_min of one run whose classes are nearly or exactly as good as each other."""
    print("\n## f1_min of good networks, one run\n")
    print("Wrong answers are spread evenly over the other classes.\n")
    print("| accuracy of the classes | images | covered | truth above | mean width |")
    print("| --- | --- | --- | --- | --- |")
    for low, high in ((0.968, 0.988), (0.98, 0.98)):
        for images in (144, 360, 2000, 10_000):
            confusion = np.tile((1 - np.linspace(low, high, CLASSES))[:, None], CLASSES) / 9
            np.fill_diagonal(confusion, np.linspace(low, high, CLASSES))
            truth = (2 * confusion.diagonal() / (1 + confusion.sum(axis=0))).min()
            held = []
            for _ in range(simulations):
                cells = rng.multinomial(images, confusion.ravel() / CLASSES)
                true, predicted = np.divmod(np.repeat(np.arange(CLASSES**2), cells), CLASSES)
                tables = resample_predictions(
                    predicted, true, ["f1_min"], rng, replicates=REPLICATES
                )
                found = interval(tables["f1_min"])
                width = found.high - found.low
                held.append((found.low <= truth <= found.high, found.high < truth, width))
            covered, above, width = np.mean(np.array(held, dtype=float), axis=0)
            print(
                f"| {low} to {high} | {images} | {covered:.1%} | {above:.1%} | {width:.4f} |",
                flush=True,
            )


REPORTS: dict[str, Callable[[int, np.random.Generator], None]] = {
    "speed": report_speed,
    "intervals": report_intervals,
    "selection": report_selection,
    "decisions": report_decisions,
    "good": report_good_networks,
}


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--only", choices=list(REPORTS))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"# Statistics on known truth, {arguments.simulations} simulations")
    for index, (name, report) in enumerate(REPORTS.items()):
        if arguments.only in (None, name):
            report(arguments.simulations, np.random.default_rng([arguments.seed, index]))


if __name__ == "__main__":
    main()
