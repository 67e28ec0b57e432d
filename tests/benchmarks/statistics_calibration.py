"""Whether the statistics keep their promises, on simulated predictions whose truth is known.

    python tests/benchmarks/statistics_calibration.py [--simulations 2000] [--only NAME]

prints the tables kept in `statistics_calibration.md`. The suite runs the same functions with fewer
simulations.

The simulated world: an image of true class k is answered rightly by a run of configuration c if
level[c] + ease[k] + seeds * u[run] + shared[image] + own[c, image] + noise[run, image] > 0, all
random parts normal. How often a run is right on endless images is then a normal probability,
and a configuration's mean over seeds a Gauss-Hermite sum. Wrong answers fall on the two
neighbouring classes, 3 to 1, by the image.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from mnist_sweep.analysis.statistics import (
    compare_runs,
    decide,
    effect_of_change,
    metric_intervals,
    selection_uncertainty,
)
from mnist_sweep.analysis.statistics.measures import metric_from_counts

if TYPE_CHECKING:
    from collections.abc import Callable

Floats = NDArray[np.float64]
CLASSES = 10
NEIGHBOUR = 0.75
EASE = np.linspace(0.25, -0.25, CLASSES)


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
    seeds: float = 0.05
    images: int = 1000
    shared: float = 0.4
    own: float = 0.1
    ease: Floats = field(default_factory=lambda: EASE)

    def draw(
        self, repeats: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.intp], Floats]:
        """Predictions (n_runs, n_images), true classes, configurations and seeds of the runs."""
        count = len(self.levels)
        true = rng.integers(CLASSES, size=self.images)
        base = ndtri(np.array(self.levels))[:, None, None] + self.ease[true]
        base = base + np.sqrt(self.shared) * rng.standard_normal(self.images)
        base = base + np.sqrt(self.own) * rng.standard_normal((count, 1, self.images))
        effects = rng.standard_normal((count, repeats))
        rest = np.sqrt(1 - self.shared - self.own)
        noise = rest * rng.standard_normal((count, repeats, self.images))
        right = base + self.seeds * effects[..., None] + noise > 0
        wrong = (true + np.where(rng.random(self.images) < NEIGHBOUR, 1, CLASSES - 1)) % CLASSES
        predicted = np.where(right, true, wrong).reshape(count * repeats, self.images)
        configuration = np.repeat(np.arange(count), repeats)
        return predicted.astype(np.uint8), true.astype(np.uint8), configuration, effects.ravel()

    def truth_of_run(self, metric: str, configuration: int, effects: Floats) -> Floats:
        """The metric of runs with given seed effects (n,) on endless images, (n,)."""
        location = ndtri(self.levels[configuration]) + self.ease + self.seeds * effects[:, None]
        right = ndtr(location)
        wrong = 1 - right
        mistaken = NEIGHBOUR * np.roll(wrong, 1, axis=1)
        mistaken += (1 - NEIGHBOUR) * np.roll(wrong, -1, axis=1)
        return metric_from_counts(metric, np.ones(CLASSES), right + mistaken, right)

    def truth(self, metric: str, configuration: int = 0) -> float:
        """The metric's mean over seeds on endless images."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(31)
        values = self.truth_of_run(metric, configuration, nodes)
        return float(values @ weights / weights.sum())


def interval_coverage(
    world: World, metric: str, repeats: int, simulations: int, rng: np.random.Generator
) -> float:
    """How often the interval holds the truth: a single run's own, or the configuration's mean."""
    held = 0
    for _ in range(simulations):
        predicted, true, configuration, effects = world.draw(repeats, rng)
        truth = (
            world.truth(metric) if repeats > 1 else float(world.truth_of_run(metric, 0, effects)[0])
        )
        table = metric_intervals(predicted, true, configuration, [metric], rng, replicates=400)
        found = table[0][metric]
        held += found.low <= truth <= found.high
    return held / simulations


def difference_errors(
    world: World, metric: str, repeats: int, simulations: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Coverage of the difference of two alike configurations, family error by class, raw error.

    The raw error is the share of simulations in which some class's uncorrected p-value is below
    0.05.
    """
    held = family = raw = 0
    for _ in range(simulations):
        predicted, true, configuration, _ = world.draw(repeats, rng)
        first, second = predicted[configuration == 0], predicted[configuration == 1]
        found = compare_runs(first, second, true, metric, rng, replicates=400)
        truth = world.truth(metric, 1) - world.truth(metric, 0)
        held += found.overall.low <= truth <= found.overall.high
        family += min(member.p_holm for member in found.per_class) <= 0.05
        raw += min(member.p_value for member in found.per_class) <= 0.05
    return held / simulations, family / simulations, raw / simulations


def false_distinctions(
    world: World, metric: str, repeats: int, simulations: int, rng: np.random.Generator
) -> float:
    """Share of simulations in which a configuration as good as the selected is set apart."""
    wrong = 0
    for _ in range(simulations):
        predicted, true, configuration, _ = world.draw(repeats, rng)
        found = selection_uncertainty(
            predicted, true, configuration, metric, "worst", rng, replicates=400
        )
        level = world.levels[found.selected]
        wrong += any(
            one.distinguishable and world.levels[one.configuration] == level
            for one in found.candidates
        )
    return wrong / simulations


def probability_pairs(
    metric: str, repeats: int, simulations: int, rng: np.random.Generator, *, count: int = 4
) -> tuple[Floats, NDArray[np.bool_]]:
    """Stated probabilities of being the worst and whether it was so, (simulations, count) each.

    True levels are drawn anew each time, from nearly equal to far apart.
    """
    stated, happened = [], []
    for index in range(simulations):
        gap = (0.02, 0.05, 0.1, 0.2)[index % 4]
        levels = ndtr(ndtri(0.95) + gap * rng.standard_normal(count))
        world = World(tuple(levels), seeds=0.0 if repeats == 1 else 0.05)
        predicted, true, configuration, _ = world.draw(repeats, rng)
        found = selection_uncertainty(
            predicted, true, configuration, metric, "worst", rng, replicates=1000
        )
        by_number = {one.configuration: one.probability for one in found.candidates}
        stated.append([by_number[number] for number in range(count)])
        happened.append(np.arange(count) == np.argmin(levels))
    return np.array(stated), np.array(happened)


@dataclass(frozen=True)
class Race:
    """What came of deciding selections: shares of simulations, and runs per simulation."""

    decided: float
    wrong: float
    runs: float
    equal_runs: float


def decisions(
    world: World, metric: str, max_repeats: int, simulations: int, rng: np.random.Generator
) -> Race:
    """Decide the worst configuration, giving further runs only to those that contend."""
    worst = int(np.argmin(world.levels))
    decided = wrong = runs = equal = 0
    for _ in range(simulations):
        predicted, true, configuration, _ = world.draw(max_repeats, rng)
        taken = np.tile(np.arange(max_repeats), len(world.levels)) < 2
        while True:
            found = decide(
                predicted[taken],
                true,
                configuration[taken],
                metric,
                "worst",
                np.random.default_rng(1),
                max_repeats=max_repeats,
                replicates=400,
            )
            if not found.next_runs:
                break
            for number in found.next_runs:
                taken[np.flatnonzero((configuration == number) & ~taken)[0]] = True
        decided += found.decided
        wrong += worst not in found.contenders
        runs += int(taken.sum())
        equal += found.equal_runs
    scale = 1 / simulations
    return Race(decided * scale, wrong * scale, runs * scale, equal * scale)


def effects(
    repeats: int, simulations: int, rng: np.random.Generator, *, gain: float = 0.0
) -> tuple[float, float, float, float]:
    """Select the worst of four alike single runs, then change it; the change adds `gain`.

    Returns:
        Coverage of the paired interval; its mean estimate less the truth; the naive difference's
        mean less the truth; share of simulations that call the change real.
    """
    base = World((0.95,) * 4, seeds=0.1)
    pair = (0.95, 0.95 + gain)
    fresh = World(pair, seeds=0.1)
    truth = fresh.truth("f1_min", 1) - fresh.truth("f1_min", 0)
    held = called = 0
    honest, naive = [], []
    for _ in range(simulations):
        # One draw of images for all: six configurations, of which the last two are the fresh ones.
        world = World(base.levels + pair, seeds=0.1)
        predicted, true, configuration, _ = world.draw(repeats, rng)
        first = predicted[[np.flatnonzero(configuration == number)[0] for number in range(4)]]
        ranked = selection_uncertainty(
            first, true, np.arange(4), "f1_min", "worst", rng, replicates=100
        )
        found = effect_of_change(
            predicted[configuration == 4],
            predicted[configuration == 5],
            first[ranked.selected],
            true,
            "f1_min",
            rng,
            replicates=400,
        )
        held += found.overall.low <= truth <= found.overall.high
        called += found.overall.p_value <= 0.05
        honest.append(found.overall.estimate - truth)
        naive.append(found.naive - truth)
    return (
        held / simulations,
        float(np.mean(honest)),
        float(np.mean(naive)),
        called / simulations,
    )


def report_intervals(simulations: int, rng: np.random.Generator) -> None:
    """Coverage over seeds' spread, number of repeats, and metrics."""
    print("\n## Coverage of 95 % intervals of a metric\n")
    print("Seed spread in standard errors of one run's accuracy over the images.\n")
    print("| metric | repeats | seed spread | coverage |\n| --- | --- | --- | --- |")
    # One run's accuracy varies over images by 0.0069; the latent scale turns 1 into 0.103.
    unit = 0.0069 / 0.103
    for metric in ("accuracy", "f1", "f1_min"):
        for repeats, spreads in ((1, (1.0,)), (2, (0.5, 1, 2)), (3, (0.5, 1, 2)), (5, (0.5, 1, 2))):
            for spread in spreads:
                if metric != "accuracy" and repeats > 1 and spread != 1:
                    continue
                # For f1_min one class is clearly the hardest.
                ease = np.where(np.arange(CLASSES) == 8, -0.5, 0.0) if metric == "f1_min" else EASE
                world = World((0.95,), seeds=spread * unit, ease=ease)
                share = interval_coverage(world, metric, repeats, simulations, rng)
                about = "its own truth" if repeats == 1 else f"{spread:g}"
                print(f"| {metric} | {repeats} | {about} | {share:.1%} |", flush=True)


def report_differences(simulations: int, rng: np.random.Generator) -> None:
    """Two alike configurations compared."""
    print("\n## Differences of two configurations that do not differ\n")
    print("| repeats | coverage | some class called different: Holm | uncorrected |")
    print("| --- | --- | --- | --- |")
    for repeats in (1, 3, 5):
        world = World((0.95, 0.95), seeds=0.0 if repeats == 1 else 0.07)
        held, family, raw = difference_errors(world, "f1", repeats, simulations, rng)
        print(f"| {repeats} | {held:.1%} | {family:.1%} | {raw:.1%} |", flush=True)


def report_selection(simulations: int, rng: np.random.Generator) -> None:
    """False distinctions, and calibration of P(worst)."""
    print("\n## Selections: a configuration just as good as the selected is called different\n")
    print("| configurations | repeats | simulations in which any is |\n| --- | --- | --- |")
    for count, repeats in ((2, 1), (2, 5), (4, 1), (4, 2), (4, 3), (4, 5), (10, 3)):
        world = World((0.95,) * count, seeds=0.0 if repeats == 1 else 0.07)
        share = false_distinctions(world, "f1", repeats, simulations, rng)
        print(f"| {count} | {repeats} | {share:.1%} |", flush=True)
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
    print("| accuracies | decided | truly worst put out | runs | with equal repeats |")
    print("| --- | --- | --- | --- | --- |")
    for levels in (
        (0.95, 0.95, 0.95, 0.95),
        (0.94, 0.95, 0.96, 0.97),
        (0.92, 0.925, 0.96, 0.965, 0.97, 0.975),
        (0.92, 0.95, 0.96, 0.97, 0.975, 0.98),
    ):
        race = decisions(World(levels, images=2000), "accuracy", 8, max(simulations // 4, 1), rng)
        print(
            f"| {' '.join(map(str, levels))} | {race.decided:.0%} | {race.wrong:.1%} "
            f"| {race.runs:.1f} | {race.equal_runs:.1f} |",
            flush=True,
        )


def report_effects(simulations: int, rng: np.random.Generator) -> None:
    """The effect of a change beside the naive difference."""
    print("\n## The effect of changing the worst of four alike networks (f1_min)\n")
    print("| true gain in accuracy | fresh seeds | coverage | bias | naive bias | called real |")
    print("| --- | --- | --- | --- | --- | --- |")
    for gain, repeats in ((0.0, 3), (0.0, 5), (0.01, 5)):
        held, honest, naive, called = effects(repeats, simulations, rng, gain=gain)
        print(
            f"| {gain} | {repeats} | {held:.1%} | {honest:+.4f} | {naive:+.4f} | {called:.1%} |",
            flush=True,
        )


def report_speed(_simulations: int, rng: np.random.Generator) -> None:
    """50 configurations, 20 repeats, 10,000 images, 2,000 replicates; and five single runs."""
    print("\n## Time and memory (process peak) of selection_uncertainty by f1_min\n")
    print("| runs | images | replicates | seconds | peak MB |\n| --- | --- | --- | --- | --- |")
    for count, repeats in ((5, 1), (50, 20)):
        levels = tuple(np.linspace(0.97, 0.985, count))
        true = rng.integers(CLASSES, size=10_000).astype(np.uint8)
        world = World(levels, images=10_000)
        # Drawn configuration by configuration: the world's own arrays would be the largest.
        seed = int(rng.integers(2**31))
        parts = []
        for level in levels:
            one = World((level,), images=10_000)
            predicted, drawn, _, _ = one.draw(repeats, np.random.default_rng(seed))
            parts.append((predicted + (true - drawn) % CLASSES) % CLASSES)
        predicted = np.concatenate(parts).astype(np.uint8)
        configuration = np.repeat(np.arange(count), repeats)
        start = time.perf_counter()
        selection_uncertainty(predicted, true, configuration, "f1_min", "worst", rng)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        runs = count * repeats
        print(f"| {runs} | {world.images} | 2000 | {seconds:.2f} | {peak:.0f} |", flush=True)


REPORTS: dict[str, Callable[[int, np.random.Generator], None]] = {
    "speed": report_speed,
    "intervals": report_intervals,
    "differences": report_differences,
    "selection": report_selection,
    "decisions": report_decisions,
    "effects": report_effects,
}


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--only", choices=list(REPORTS))
    arguments = parser.parse_args()
    print(f"# Statistics on known truth, {arguments.simulations} simulations")
    for index, (name, report) in enumerate(REPORTS.items()):
        if arguments.only in (None, name):
            report(arguments.simulations, np.random.default_rng([2024, index]))


if __name__ == "__main__":
    main()
