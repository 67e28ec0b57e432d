"""Which settings matter: known shares of additive metrics, intervals that cover them."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from mnist_sweep.analysis import importance as analysis
from mnist_sweep.analysis.configurations import Configuration
from mnist_sweep.analysis.importance import importance
from mnist_sweep.metrics import resolve

METRIC = resolve("validation.accuracy")


def sweep_of(points, values):
    """Configurations with these settings, one run each or several values."""
    names = tuple(points[0])
    return [
        Configuration(
            str(k), "s", point, names, str(k),
            pd.DataFrame({"run_id": "r", METRIC.column: np.atleast_1d(value)}),
        )
        for k, (point, value) in enumerate(zip(points, values, strict=True))
    ]  # fmt: skip


def test_shares_of_an_additive_grid_are_its_anova_s():
    points = [{"layers": a, "nodes": b} for a, b in product((1, 2), (10, 20, 30))]
    values = [0.9 + 0.03 * (p["layers"] == 2) + 0.001 * p["nodes"] for p in points]
    found = {one.setting: one.share for one in importance(sweep_of(points, values), METRIC)}
    parts = {"layers": 0.015**2, "nodes": np.var([0.01, 0.02, 0.03])}
    total = sum(parts.values())
    assert found == pytest.approx({name: part / total for name, part in parts.items()})


def test_the_most_important_comes_first_and_chance_explains_nothing_in_the_mean(monkeypatch):
    monkeypatch.setattr(analysis, "REPLICATES", 20)
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(20):
        points = [
            {"lr": float(lr), "p": float(p), "kind": str(kind)}
            for lr, p, kind in zip(
                10 ** rng.uniform(-4, -1, 40), rng.random(40), rng.choice(["a", "b"], 40),
                strict=True,
            )
        ]  # fmt: skip
        values = [0.9 - 0.02 * (np.log10(p["lr"]) + 3) ** 2 + rng.normal(0, 1e-3) for p in points]
        found = importance(sweep_of(points, values), METRIC)
        assert found[0].setting == "lr"
        assert found[0].share > 0.97, "a parabola of the logarithm"
        assert all(one.low <= one.high for one in found)
        shares += [one.share for one in found[1:]]
    assert np.mean(shares) < 0.01


def test_repeats_count_as_runs_and_narrow_the_interval():
    points = [{"layers": a, "nodes": b} for a, b in product((1, 2), (10, 20))]
    rng = np.random.default_rng(1)
    ends = [0.9, 0.91, 0.92, 0.93]

    def width(repeats):
        values = [end + rng.normal(0, 0.002, repeats) for end in ends]
        first = importance(sweep_of(points, values), METRIC)[0]
        assert first.setting == "layers"
        return first.high - first.low

    assert width(40) < width(3)


@pytest.mark.parametrize(
    ("points", "values"),
    [
        ([{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}], [0.1, 0.2, 0.3]),
        ([{"a": k} for k in range(9)], np.linspace(0, 1, 9)),
        ([{"a": a, "b": b} for a, b in product((1, 2), (1, 2))], [0.5] * 4),
    ],
    ids=["too few runs", "one setting", "no difference"],
)
def test_there_is_none_where_there_is_nothing_to_tell(points, values):
    assert importance(sweep_of(points, values), METRIC) == []
