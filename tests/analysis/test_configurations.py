"""Settings vary only where runs use them; runs that differ only in seed are one configuration."""

from itertools import pairwise
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.analysis.configurations import (
    configurations,
    extremes,
    has_repeats,
    ranked,
    varying_settings,
)
from mnist_sweep.analysis.varying import _ranks, in_order, order_key, shown_settings, used, varying
from mnist_sweep.metrics import resolve
from mnist_sweep.records.sweep import all_runs, load
from support.factories import make_run, reference_grid, write_run, write_sweep

CNN = {"_target_": "my.models.cnn", "filters": 8}
SMALL = {"n_test": 60, "n_validation": 40}


@pytest.fixture
def table(tmp_path):
    def make(runs, missing=()):
        return all_runs([load(write_sweep(tmp_path / "grid", runs, missing))])

    return make


def test_settings_that_differ_vary_the_seed_last(table):
    runs = [
        make_run(layers=layers, seed=seed, dropout=dropout, optimizer="sgd", **SMALL)
        for layers in (1, 2) for seed in (0, 1) for dropout in (0.0, 0.2)
    ]  # fmt: skip
    assert varying(table(runs)) == ["layers", "dropout", "seed"]


def test_the_size_of_the_built_in_network_is_shown_even_where_it_does_not_vary(table):
    runs = table([make_run(dropout=d, **SMALL) for d in (0, 0.2)])
    assert varying(runs) == ["dropout"]
    assert shown_settings(runs) == ["layers", "nodes", "dropout"]


@pytest.mark.parametrize(("second", "shown"), [("a", []), ("b", ["code.sha256"])])
def test_runs_of_edited_code_differ_in_it(table, second, shown):
    runs = [make_run(model=CNN, seed=seed, **SMALL) for seed in (0, 1)]
    for run, letter in zip(runs, ("a", second), strict=True):
        run.values["code"] = {"sha256": letter * 64, "files": {}}
    names = varying(table([*runs, make_run(seed=2, **SMALL)]))
    assert [name for name in names if name.startswith("code")] == shown


def test_null_is_a_value(table):
    assert varying(table([make_run(weight_decay=w, **SMALL) for w in (None, 0.01)])) == [
        "weight_decay"
    ]


@pytest.mark.parametrize(
    ("same", "name", "values"),
    [
        ({"optimizer": "adam"}, "momentum", (0.0, 0.9)),
        ({"schedule": "constant"}, "schedule_end", (0.01, 0.5)),
        ({}, "save_model", (True, False)),
    ],
)
def test_what_a_run_does_not_use_does_not_vary(table, same, name, values):
    runs = [make_run(**same, seed=k, **{name: value}, **SMALL) for k, value in enumerate(values)]
    assert varying(table(runs)) == ["seed"]


def test_used_options_vary(table):
    runs = [make_run(optimizer="sgd", momentum=m, **SMALL) for m in (0.0, 0.9)]
    assert varying(table(runs)) == ["momentum"]


def test_a_network_of_ones_own_has_no_layers(table):
    runs = table([make_run(model={**CNN, "filters": f}, layers=1, **SMALL) for f in (8, 16)])
    assert shown_settings(runs) == ["model.filters"]
    first, _ = configurations(runs)
    assert "layers" not in first.settings
    assert (first.settings["model"], first.settings["model.filters"]) == ("cnn", 8)


def test_a_setting_of_a_model_is_compared_among_runs_of_that_model(table):
    runs = table([make_run(layers=2, **SMALL), make_run(model=CNN, **SMALL)])
    assert varying(runs) == ["model"]
    assert shown_settings(runs) == ["model", "layers", "nodes"]
    built_in, own = configurations(in_order(runs, ["layers"]).iloc[::-1])
    assert {"layers", "nodes"} <= {*built_in.settings, *own.settings}
    assert [one.settings.get("model.filters") for one in (built_in, own)].count(8) == 1


def test_a_network_of_ones_own_that_uses_nodes_shows_them(table):
    model = {"_target_": "my.models.cnn", "nodes": 64}
    (found,) = configurations(table([make_run(model=model, nodes=64, **SMALL)]))
    assert found.settings["nodes"] == 64
    assert "layers" not in found.settings
    assert "model.nodes" not in found.settings


def test_planned_runs_count_with_the_settings_of_their_name(table):
    assert varying(table([make_run(**SMALL)], [make_run(layers=3)])) == ["layers"]
    runs = table([make_run(**SMALL), make_run(model=CNN, **SMALL)], [make_run(layers=3)])
    assert used("model", runs).tolist() == ["mlp", "cnn", "mlp"]


def test_configurations_group_the_runs_that_differ_only_in_seed(table):
    found = configurations(table(reference_grid(seeds=(0, 1, 2), **SMALL)[::-1]))
    assert [(c.settings["layers"], c.settings["nodes"]) for c in found] == [
        (1, 100), (1, 300), (2, 100), (2, 300),
    ]  # fmt: skip
    assert [c.seeds for c in found] == [(0, 1, 2)] * 4
    assert has_repeats(found)
    for configuration in found:
        for run_id, directory in zip(configuration.run_ids, configuration.directories, strict=True):
            assert directory.name.endswith(run_id)
        assert [record.run_id for record in configuration.records] == [*configuration.run_ids]
        assert configuration.mean("test.accuracy") == pytest.approx(
            sum(r.metrics.test.accuracy for r in configuration.records) / 3
        )


def test_configurations_of_two_sweeps_stay_apart(tmp_path):
    for places in ("a", "b"), ("x/a", "y/b"), ("x/g", "y/g"):
        grid = [make_run(layers=layers, **SMALL) for layers in (1, 2)]
        sweeps = [load(write_sweep(tmp_path / place, grid)) for place in places]
        found = configurations(all_runs(sweeps))
        assert len(found) == 4
        assert len({c.key for c in found}) == 4


def test_failed_runs_are_in_no_configuration(table):
    runs = [make_run(**SMALL), make_run(seed=1, status="failed")]
    (found,) = configurations(table(runs))
    assert found.seeds == (0,)
    assert configurations(table([make_run(layers=4, status="failed")]).iloc[-1:]) == []


def test_keys_are_safe_file_names_whatever_the_label_says(tmp_path):
    run = make_run(**SMALL)
    run.values["label"] = "../../etc/<script>|,\u202e"
    (found,) = configurations(all_runs([load(write_run(run, tmp_path / "alone"))]))
    assert found.key.isascii()
    assert not found.key.startswith(".")
    assert not set(found.key) & set("/<>|\\ ")


def test_of_many_configurations_the_best_and_the_worst_are_kept_in_order(table):
    runs = [make_run(nodes=n, accuracy=0.8 + n / 5000, **SMALL) for n in range(100, 900, 100)]
    every = configurations(table(runs))
    some = extremes(every, 4, resolve("validation.accuracy"))
    ranked = sorted(every, key=lambda c: c.mean("validation.accuracy"))
    assert {c.key for c in some} == {c.key for c in (*ranked[:2], *ranked[-2:])}
    assert [c.key for c in some] == [c.key for c in every if c in some]
    assert extremes(every, 8, resolve("validation.accuracy")) == every


@pytest.mark.parametrize(("name", "order"), [("accuracy", [2, 0, 1, 3]), ("loss", [1, 0, 2, 3])])
def test_a_mean_of_zero_is_a_value_and_none_comes_last(name, order):
    values = [0.5, 0.0, 0.9, None]
    shown = [SimpleNamespace(mean=lambda _, value=value: value) for value in values]
    assert ranked(shown, resolve(name, "validation")) == order


def test_settings_vary_only_where_configurations_differ(table):
    found = configurations(table(reference_grid(seeds=(0, 1), **SMALL)))
    assert varying_settings(found) == ["layers", "nodes"]
    assert varying_settings(found[:2]) == ["nodes"]


def test_null_comes_first_then_numbers_then_text(table):
    runs = [make_run(weight_decay=w, **SMALL) for w in (0.1, None, 0.01)]
    runs += [make_run(threads=k, **SMALL) for k in (10, 9)]
    ordered = in_order(table(runs), ["weight_decay", "threads"])
    assert ordered["weight_decay"].fillna(-1).tolist() == [-1, -1, -1, 0.01, 0.1]
    assert ordered["threads"].tolist()[:3] == [1, 9, 10]


plain = st.sampled_from([None, 1, 2, 1.0, 0.0, -0.0, 0, True, False, "x", "", "1"])
values_to_order = (
    plain | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.lists(st.integers(0, 3))
)


@given(st.lists(values_to_order))
def test_ranks_are_in_the_order_of_the_values(values):
    ranks = list(_ranks(pd.Series(values, dtype=object)))
    order = sorted(range(len(values)), key=lambda place: order_key(values[place]))
    assert sorted(range(len(values)), key=ranks.__getitem__) == order
    for one, other in pairwise(order):
        same = order_key(values[one]) == order_key(values[other])
        assert (ranks[one] == ranks[other]) == same
