"""What a search may choose, as Hydra's own words say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mnist_sweep.errors import MnistSweepError
from mnist_sweep.settings import SearchSettings
from mnist_sweep.sweeping.search.sampler import suggest
from mnist_sweep.sweeping.search.search import read_search_plan
from mnist_sweep.sweeping.search.space import Dimension, Space

pytest.importorskip("optuna", reason="a search needs Optuna: pip install 'mnist-sweep[optuna]'")

WORDS = [
    "layers=choice(1,2,3)", "nodes=range(50,400,50)", "dropout=interval(0,0.5)",
    "learning_rate=tag(log,interval(1e-4,1e-2))", "epochs=7",
]  # fmt: skip


@pytest.fixture
def space_of(hydra_master) -> Callable[..., Space]:
    def make(*words: str) -> Space:
        loaded = hydra_master()
        return Space(words, loaded.master, loaded.loader)

    return make


def at_random(space: Space, attempt: int) -> tuple[float, ...]:
    return suggest(space, [], SearchSettings(sampler="random"), maximize=True, attempt=attempt)


def values(dimension: Dimension) -> list[Any]:
    return [option.value() for option in dimension.axis]


def test_hydras_words_make_dimensions(space_of):
    layers, nodes, dropout, rate = space_of(*WORDS).dimensions
    assert (values(layers), layers.ordered) == ([1, 2, 3], False)
    assert values(nodes) == [50, 100, 150, 200, 250, 300, 350]
    assert nodes.ordered
    assert (dropout.low, dropout.high, dropout.log, dropout.whole) == (0.0, 0.5, False, False)
    assert (rate.low, rate.high, rate.log) == (1e-4, 1e-2, True)
    assert [str(d) for d in (layers, dropout, rate)] == [
        "1, 2, 3", "0.0 to 0.5", "0.0001 to 0.01, logarithmic",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "size"),
    [
        ("nodes=interval(50,400)", 351), ("nodes=tag(log,range(1,100))", 99),
        ("nodes=int(interval(50,400))", 351), ("nodes=8,16", 2), ("model=mlp,cnn", 2),
        ("dropout=interval(0,0.5)", float("inf")), ("nodes=range(1,5)", 4),
        ("nodes=tag(log,choice(8,16))", 2),
    ],
)  # fmt: skip
def test_a_whole_numbered_key_has_whole_numbers_only(space_of, word: str, size: float):
    space = space_of(word)
    assert space.size == size
    for attempt in range(5):
        settings = space.composed(at_random(space, attempt)).settings
        assert isinstance(settings["nodes"], int)


@pytest.mark.parametrize(
    ("word", "whole"),
    [
        ("interval(8,64)", True), ("tag(log,interval(start=8, end=64))", True),
        ("interval(8.0,64.0)", False), ("interval(8,64.5)", False), ("interval(1e1,64)", False),
        ("float(interval(8,64))", False), ("int(interval(8.0,64.0))", True),
    ],
)  # fmt: skip
def test_of_a_networks_own_setting_the_writing_tells_whether_it_is_whole(
    space_of, word: str, whole: bool
):
    space = space_of("model=cnn", f"model.filters={word}")
    assert (space.size < float("inf")) is whole
    found = [space.composed(at_random(space, n)).settings["model"]["filters"] for n in range(5)]
    assert {type(value) for value in found} == {int if whole else float}
    if whole:
        assert list(space.like({"model.filters": found[0]}.get)) == [(found[0],)]


def test_whole_numbers_on_a_logarithmic_scale_are_as_likely_at_the_ends(space_of):
    (dimension,) = space_of("nodes=tag(log,interval(1,2))").dimensions
    chance = np.random.default_rng(0)
    ones = sum(dimension.draw(chance) == 1 for _ in range(4000))
    # log-uniform from 0.5 to 2.5, of which 0.5 to 1.5 becomes 1
    assert ones / 4000 == pytest.approx(np.log(3) / np.log(5), abs=0.03)


@pytest.mark.parametrize("attempt", range(6))
def test_every_point_is_composed_as_hydra_would_and_found_again(hydra_master, attempt: int):
    loaded = hydra_master()
    words = [*WORDS, "name=fixed"]  # by default the time
    space = Space(words, loaded.master, loaded.loader)
    parameters = at_random(space, attempt)
    settings = space.composed(parameters).settings
    composer, axes = loaded.composer(*space.composed(parameters).overrides)
    assert settings == composer.settings(tuple(axis[0] for axis in axes))
    assert list(space.like(settings.__getitem__)) == [parameters]
    # Four digits, and still between the ends.
    assert float(f"{settings['learning_rate']:.4g}") == settings["learning_rate"]
    assert 1e-4 <= settings["learning_rate"] <= 1e-2
    assert 0 <= settings["dropout"] <= 0.5
    assert settings["epochs"] == 7


def test_a_group_is_searched_and_a_run_fits_each_of_its_choices(space_of):
    space = space_of("model=mlp,cnn", "nodes=8,16")
    models = [space.composed(p).settings["model"]["_target_"] for p in space.points()]
    assert [target.rpartition(".")[2] for target in models] == ["mlp", "mlp", "cnn", "cnn"]
    assert list(space.like({"nodes": 16}.get)) == [(0, 1), (1, 1)]
    assert list(space.like({"nodes": 17}.get)) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["layers=2"], "needs something to search"),
        (["dropout=interval(0,1)"], "dropout=1.0: must be a number from 0 to below 1"),
        (["layers=interval(0,20)"], "layers=0: must be a whole number from 1 to 16"),
        (["layers=interval(1.5,2)"], "must be a whole number"),
        (["dropout=interval(0.5,0)"], "starts at its lower end"),
        (["dropout=tag(log,interval(0,0.5))"], "starts above 0"),
        (["nodes=tag(log,range(10,100,10))"], "takes every whole number from 1 up"),
        (["activation=relu,rely", "nodes=interval(1,0)"], "did you mean relu"),
        (["name=a,b", "layers=1,2"], "one value for the whole search"),
        (["data=digits,mnist"], "on the same data"),
        (["data.split_seed=1,2"], "on the same data"),
        (["momentum=0.5,0.9", "optimizer=adam"], "has no effect here"),
        (["model=mlp,nosuch"], "nosuch"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_is_refused(space_of, words: list[str], said: str):
    with pytest.raises(MnistSweepError, match=said):
        _ = space_of(*words).ends


def test_all_that_is_wrong_is_said_at_once(space_of):
    with pytest.raises(MnistSweepError) as refused:
        space_of("activation=rely,relu", "dropout=interval(0,2)", "nodez=1,2")
    assert all(word in str(refused.value) for word in ("relu", "dropout=2.0", "nodes"))


def test_a_setting_without_effect_at_an_end_has_its_default_there(space_of):
    ends = space_of("momentum=0,0.9", "optimizer=adam,sgd").ends
    assert [(s["momentum"], s["optimizer"]) for s in ends] == [
        (0, "adam"), (0, "adam"), (0, "sgd"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("search", "words", "said"),
    [
        ("search.by=test.accuracy", [], "by the validation split alone"),
        ("search.by=time.train_s", [], "by the validation split alone"),
        ("search.by=accuracyy", [], "did you mean"),
        ("search.sampler=grid", [], "dropout, learning_rate has no end of values"),
        ("search.pruner=hyperband", ["epochs=2,4"], "one number of epochs"),
        ("search.sampler=tpe", ["seed=range(0,9)"], "luckiest seed"),
        ("max_points=2", [], None),
    ],
)  # fmt: skip
def test_what_a_search_goes_by_is_checked(
    hydra_master, search: str, words: list[str], said: str | None
):
    loaded = hydra_master(search)
    space = Space([*WORDS, *words], loaded.master, loaded.loader)
    if said is None:
        assert read_search_plan(loaded.master, space).runs == 20
        return
    with pytest.raises(MnistSweepError, match=said):
        read_search_plan(loaded.master, space)


@pytest.mark.parametrize(
    ("by", "direction", "maximize", "figure", "more_goes_on"),
    [
        ("accuracy", "best", True, "val_accuracy", True),
        ("f1_min", "worst", False, "val_accuracy", False),
        ("loss", "best", False, "val_loss", False),
        ("validation.loss", "worst", True, "val_loss", True),
    ],
)
def test_the_direction_follows_from_the_metric(
    hydra_master, by: str, direction: str, maximize: bool, figure: str, more_goes_on: bool
):
    loaded = hydra_master(f"search.by={by}", f"search.direction={direction}")
    asked = read_search_plan(loaded.master, Space(WORDS, loaded.master, loaded.loader))
    assert asked.figures == (figure,)
    assert (asked.maximize, asked.maximize_figure) == (maximize, more_goes_on)


@pytest.mark.slow
def test_a_grid_has_as_many_runs_as_points(hydra_master):
    words = ["layers=1,2", "nodes=range(10,40,10)", "seed=0,1"]
    for search, runs in (("null", 12), ("5", 5), ("99", 12)):
        loaded = hydra_master("search.sampler=grid", f"search.runs={search}")
        space = Space(words, loaded.master, loaded.loader)
        assert read_search_plan(loaded.master, space).runs == runs
    loaded = hydra_master("search.sampler=grid", "max_points=11")
    with pytest.raises(MnistSweepError, match="12 points, more than max_points=11"):
        read_search_plan(loaded.master, Space(words, loaded.master, loaded.loader))
