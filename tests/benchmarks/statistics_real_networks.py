"""Whether intervals and tests hold what they promise on networks that were really trained.

    python tests/benchmarks/statistics_real_networks.py train FOLDER
    python tests/benchmarks/statistics_real_networks.py measure FOLDER

`train` trains each network with 80 seeds on 10,000 images of MNIST (`MNIST_SWEEP_DATA`, a folder of
IDX files) and keeps its answers to the other 60,000, in a few minutes. These 60,000
are then the world, and the mean over the 80 seeds the truth: `measure` draws test images and seeds
from them and prints the tables kept in `statistics_calibration.md`.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logit

from mnist_sweep.analysis.statistics import (
    SeedVariances,
    compare_all,
    corrected,
    difference,
    interval,
    resample_predictions,
)
from mnist_sweep.analysis.study_effect import corrected_in_sequence
from mnist_sweep.metrics import resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnist_sweep.analysis.statistics import Resampled

    Labels = NDArray[np.uint8]

NETWORKS = ((1, 40, 2), (1, 80, 2), (1, 160, 3), (2, 40, 3), (2, 80, 2), (3, 64, 3))
"""Layers, nodes and epochs."""
SEEDS = 80
N_TRAIN = 10_000
REPLICATES = 400
METRICS = ("accuracy", "f1", "f1_min")
DIGITS = tuple(f"f1.{digit}" for digit in range(10))


def mnist() -> tuple[Labels, Labels]:
    """All 70,000 images and their labels, in an order of its own."""
    folder = Path(os.environ["MNIST_SWEEP_DATA"])

    def read(kind: str, header: int) -> Labels:
        parts = []
        for split in ("train", "t10k"):
            with gzip.open(next(folder.glob(f"{split}-{kind}*.gz"))) as file:
                parts.append(np.frombuffer(file.read(), np.uint8)[header:])
        return np.concatenate(parts)

    images = read("images", 16).reshape(-1, 784)
    order = np.random.default_rng(2026).permutation(len(images))
    return images[order], read("labels", 8)[order]


def train(folder: Path) -> None:
    """Train what is not in the folder yet, all seeds of a network in one program."""
    images, labels = mnist()
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "true.npy", labels[N_TRAIN:])
    for layers, nodes, epochs in NETWORKS:
        path = folder / f"{layers}x{nodes}_{epochs}.npy"
        if not path.exists():
            start = time.perf_counter()
            np.save(path, answers_of(images, labels, [784, *[nodes] * layers, 10], epochs))
            print(f"{path.stem}: {time.perf_counter() - start:.0f} s", flush=True)


def answers_of(images: Labels, labels: Labels, widths: list[int], epochs: int) -> Labels:
    """Train dense networks of the given widths with Adam and batches of 50, one for each seed.

    Returns:
        Their answers to the images not trained on, (80, 60000).
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(sum(widths))
    glorot = keras.initializers.GlorotUniform()
    weights = []
    for wide, narrow in itertools.pairwise(widths):
        kernels = np.stack([glorot((wide, narrow)) for _ in range(SEEDS)])
        weights += [tf.Variable(kernels), tf.Variable(tf.zeros((SEEDS, 1, narrow)))]
    optimizer = keras.optimizers.Adam()
    optimizer.build(weights)

    def logits(x: tf.Tensor) -> tf.Tensor:
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = tf.nn.relu(x @ kernel + bias)
        return x @ weights[-2] + weights[-1]

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x))
            loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))
        optimizer.apply(tape.gradient(loss, weights), weights)

    @tf.function
    def answer(x: tf.Tensor) -> tf.Tensor:
        return tf.argmax(logits(x), -1, output_type=tf.int32)

    x, rng = images.astype(np.float32) / 255, np.random.default_rng(sum(widths))
    for _ in range(epochs):
        order = rng.permuted(np.tile(np.arange(N_TRAIN), (SEEDS, 1)), axis=1)
        for batch in np.split(order, N_TRAIN // 50, axis=1):
            step(tf.constant(x[batch]), tf.constant(labels[batch].astype(np.int32)))
    parts = [answer(tf.constant(part[None])).numpy() for part in np.split(x[N_TRAIN:], 60)]
    return np.concatenate(parts, axis=1).astype(np.uint8)


class World:
    """The trained networks' answers: (80, 60000) for each, with their truth."""

    def __init__(self, folder: Path) -> None:
        self.true: Labels = np.load(folder / "true.npy")
        paths = [folder / f"{layers}x{nodes}_{epochs}.npy" for layers, nodes, epochs in NETWORKS]
        self.answers: list[Labels] = [np.load(path) for path in paths]
        support = np.bincount(self.true, minlength=10).astype(float)
        self.values: list[dict[str, NDArray[np.float64]]] = []
        for network in self.answers:
            counts = [
                (
                    np.bincount(one, minlength=10),
                    np.bincount(self.true[one == self.true], minlength=10),
                )
                for one in network
            ]
            predicted, hits = (np.array(part, dtype=float) for part in zip(*counts, strict=True))
            self.values.append(
                {m: resolve(m).compute(support, predicted, hits) for m in (*METRICS, *DIGITS)}
            )

    def draw(
        self,
        networks: list[int],
        repeats: int,
        images: int,
        metrics: tuple[str, ...],
        rng: np.random.Generator,
    ) -> tuple[list[NDArray[np.intp]], dict[str, Resampled]]:
        """Seeds of each asked network, none twice, and the metrics of all their runs, in order."""
        chosen = rng.integers(len(self.true), size=images)
        orders = [rng.permutation(SEEDS) for _ in self.answers]
        taken = [0] * len(orders)
        seeds = []
        for network in networks:
            seeds.append(orders[network][taken[network] : taken[network] + repeats])
            taken[network] += repeats
        runs = [self.answers[k][own][:, chosen] for k, own in zip(networks, seeds, strict=True)]
        return seeds, resample_predictions(
            np.concatenate(runs), self.true[chosen], metrics, rng, replicates=REPLICATES
        )


def variances(table: Resampled, repeats: int, places: list[int]) -> SeedVariances:
    """Of the configurations in some places of a table of equal repeats."""
    own = [table.observed[k * repeats : (k + 1) * repeats].var(ddof=1) for k in places]
    return SeedVariances(np.array(own), np.full(len(own), repeats - 1.0))


def side(table: Resampled, repeats: int, place: int) -> Resampled:
    """The runs of one configuration of such a table."""
    return table.rows(range(place * repeats, (place + 1) * repeats))


def coverage(world: World, simulations: int, rng: np.random.Generator) -> None:
    """Intervals of every network in a sweep of all of them."""
    every = list(range(len(world.answers)))
    print("\n## Real networks: coverage of 95 % intervals\n")
    print(
        f"{len(every) * simulations} intervals in each row. The last column is the mean width over"
    )
    print("that which the same intervals would need to cover 95 %.\n")
    print("| metric | images | repeats | covered | least of a network | width | width / needed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for images in (144, 360, 2000, 10_000):
        found: dict[tuple[str, int], list[list[tuple[bool, float, float]]]] = {}
        for _ in range(simulations):
            seeds, tables = world.draw(every, 10, images, METRICS, rng)
            for metric, table in tables.items():
                for repeats in (1, 2, 3, 5, 10):
                    rows = np.concatenate([k * 10 + np.arange(repeats) for k in every])
                    part = table.rows(rows)
                    row = []
                    for k in every:
                        values = world.values[k][metric]
                        truth = values[seeds[k][0]] if repeats == 1 else values.mean()
                        others = [j for j in every if j != k]
                        one = interval(
                            side(part, repeats, k),
                            others=variances(part, repeats, others) if repeats > 1 else None,
                        )
                        ends = logit(np.clip([one.low, one.high], 1e-9, 1 - 1e-9))
                        away = abs(logit(truth) - ends.mean()) / max(np.ptp(ends) / 2, 1e-9)
                        row.append((one.low <= truth <= one.high, one.high - one.low, away))
                    found.setdefault((metric, repeats), []).append(row)
        for (metric, repeats), rows_ in sorted(found.items()):
            held, width, away = np.moveaxis(np.array(rows_, dtype=float), 2, 0)
            print(
                f"| {metric} | {images} | {repeats} | {held.mean():.1%} "
                f"| {held.mean(axis=0).min():.1%} | {width.mean():.4f} "
                f"| {1 / np.quantile(away, 0.95):.2f} |",
                flush=True,
            )


def study_errs(
    world: World, network: int, repeats: int, images: int, rng: np.random.Generator
) -> bool:
    """Whether a study of one network under six names, where nothing differs, says that it does."""
    _, tables = world.draw([network] * 6, repeats, images, (*METRICS, *DIGITS), rng)
    groups = [np.arange(repeats) + k * repeats for k in range(4)]
    said = []
    for metric, direction in (("accuracy", "best"), ("f1_min", "worst")):
        said.append(
            compare_all(tables[metric], groups, direction, rng, questions=4).distinguishable.any()
        )
    best = int(np.argmax([tables["accuracy"].observed[rows].mean() for rows in groups]))
    changed = [
        difference(
            side(tables[m], repeats, 4), side(tables[m], repeats, 5),
            others=variances(tables[m], repeats, list(range(4))),
        )
        for m in ("accuracy", "f1_min", *DIGITS)
    ]  # fmt: skip
    beside = difference(
        side(tables["accuracy"], repeats, best), side(tables["accuracy"], repeats, 5),
        others=variances(tables["accuracy"], repeats, [k for k in range(5) if k != best]),
    )  # fmt: skip
    said += [one.differs for one in (*corrected_in_sequence(changed, 4), *corrected([beside], 4))]
    return bool(np.any(said))


def compare_errs(world: World, repeats: int, images: int, rng: np.random.Generator) -> bool:
    """Whether a comparison of all networks with themselves, on other seeds, finds a change."""
    every = [k for k in range(len(world.answers)) for _ in range(2)]
    _, tables = world.draw(every, repeats, images, (*METRICS, *DIGITS), rng)
    family = [
        difference(side(table, repeats, 2 * k), side(table, repeats, 2 * k + 1))
        for table in tables.values()
        for k in range(len(world.answers))
    ]
    return any(one.differs for one in corrected(family))


def gate_errs(world: World, repeats: int, images: int, rng: np.random.Generator) -> bool:
    """Whether the gate takes all networks on other seeds for worse than themselves."""
    from mnist_sweep.analysis.gate.noise import level_of_each, noise_limits

    every = [k for k in range(len(world.answers)) for _ in range(2)]
    _, tables = world.draw(every, repeats, images, ("accuracy",), rng)
    values = tables["accuracy"].observed.reshape(len(world.answers), 2, repeats)
    level = level_of_each(0.95, len(values))
    for before, after in values:
        limits = noise_limits(before.tolist(), after.tolist(), 1 / images, level)
        if limits and before.mean() - after.mean() > limits[0]:
            return True
    return False


def false_discoveries(world: World, simulations: int, rng: np.random.Generator) -> None:
    """Any false discovery of a whole study, comparison or check, where nothing differs."""
    print("\n## Real networks: any false discovery where nothing differs\n")
    print("| images | repeats | a whole study | a whole compare | a whole gate |")
    print("| --- | --- | --- | --- | --- |")
    for images in (360, 2000, 10_000):
        for repeats in (2, 3, 5):
            wrong = np.zeros(3)
            for index in range(simulations):
                network = index % len(world.answers)
                wrong += (
                    study_errs(world, network, repeats, images, rng),
                    compare_errs(world, repeats, images, rng),
                    gate_errs(world, repeats, images, rng),
                )
            study, compare, gate = wrong / simulations
            print(
                f"| {images} | {repeats} | {study:.1%} | {compare:.1%} | {gate:.1%} |", flush=True
            )


def power(world: World, simulations: int, rng: np.random.Generator) -> None:
    """How often a pair of different networks in a sweep is called different, or equivalent."""
    print("\n## Real networks: how often networks that differ are called different\n")
    print("One comparison in a sweep of all networks, p not corrected.\n")
    print("| true difference of accuracy | images | repeats | called different |")
    print("| --- | --- | --- | --- |")
    every = list(range(len(world.answers)))
    for first, second in ((0, 1), (1, 2)):
        gap = world.values[second]["accuracy"].mean() - world.values[first]["accuracy"].mean()
        for images in (360, 2000, 10_000):
            for repeats in (2, 3, 5):
                found = []
                for _ in range(simulations):
                    _, tables = world.draw(every, repeats, images, ("accuracy",), rng)
                    table = tables["accuracy"]
                    rest = [k for k in every if k not in (first, second)]
                    sides = side(table, repeats, first), side(table, repeats, second)
                    one = difference(*sides, others=variances(table, repeats, rest))
                    found.append(one.differs)
                print(
                    f"| {100 * gap:+.2f} points | {images} | {repeats} | {np.mean(found):.0%} |",
                    flush=True,
                )


def main() -> None:
    """Train, or print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["train", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--simulations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.command == "train":
        train(arguments.folder)
        return
    world = World(arguments.folder)
    for index, report in enumerate((coverage, false_discoveries, power)):
        report(world, arguments.simulations, np.random.default_rng([arguments.seed, index]))


if __name__ == "__main__":
    main()
