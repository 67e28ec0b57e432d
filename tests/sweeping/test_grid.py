"""A grid: the product of everything the overrides sweep over."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_sweep.errors import SettingsError
from mnist_sweep.sweeping.plan import overrides


def expanded(*words: str, max_points: int = 10_000) -> list[list[str]]:
    axes = overrides.axes_of(overrides.parse(words), max_points)
    points = itertools.product(*axes)
    return [[overrides.text_of(option) for option in point] for point in points]


def test_no_override_is_one_point():
    assert expanded() == [[]]


def test_the_last_axis_varies_fastest():
    assert expanded("layers=1,2", "seed=5", "nodes=100,300") == [
        ["layers=1", "seed=5", "nodes=100"], ["layers=1", "seed=5", "nodes=300"],
        ["layers=2", "seed=5", "nodes=100"], ["layers=2", "seed=5", "nodes=300"],
    ]  # fmt: skip


def test_a_later_override_of_a_key_wins():
    assert expanded("layers=1,2", "nodes=7", "layers=3") == [["layers=3", "nodes=7"]]


def test_choosing_a_group_and_setting_its_values_do_not_replace_each_other():
    assert expanded("model=cnn", "model={filters:8}", "model=mlp") == [
        ["model=mlp", "model={filters:8}"]
    ]


def test_groups_additions_and_quoted_words_keep_their_form():
    assert expanded("data=digits,mnist", "+model.x=1,2", "name='a b'", "~model.layers") == [
        [f"data={data}", f"+model.x={x}", "name='a b'", "~model.layers"]
        for data in ("digits", "mnist")
        for x in (1, 2)
    ]


def test_axes_know_their_values_and_whether_they_choose_a_group():
    axes = overrides.axes_of(
        overrides.parse(["data=digits,mnist", "layers=1,2", "dropout=0.5"]), 100
    )
    found = [
        (axis[0].key_or_group, [one.value() for one in axis], overrides.chooses_group(axis[0]))
        for axis in axes
    ]
    assert found == [
        ("data", ["digits", "mnist"], True), ("layers", [1, 2], False), ("dropout", [0.5], False),
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["shuffle(1,2,3,4,5,6,7,8)", "shuffle(range(1,9))"])
def test_a_shuffled_axis_pairs_each_value_with_its_own_override(words: str):
    (axis,) = overrides.axes_of(overrides.parse([f"layers={words}"]), 100)
    assert {overrides.text_of(one) for one in axis} == {f"layers={n}" for n in range(1, 9)}
    assert all(overrides.text_of(one) == f"layers={one.value()}" for one in axis)


@pytest.mark.parametrize(
    ("words", "points", "product"),
    [
        (["seed=range(0,101)"], "101", "101 seed"),
        (["layers=1,2", "seed=range(0,100)"], "200", "2 layers x 100 seed"),
        (["seed=range(0,1000000000000)"], "1,000,000,000,000", "1000000000000 seed"),
        (["seed=range(0,1000000)", "nodes=range(0,1000000)"], "1,000,000,000,000",
         "1000000 seed x 1000000 nodes"),
        (["model=cnn,mlp", "model={filters: 8}", "seed=range(0,51)"], "102", "2 model x 51 seed"),
    ],
)  # fmt: skip
def test_too_large_a_grid_is_refused_before_it_is_expanded(
    words: list[str], points: str, product: str
):
    with pytest.raises(SettingsError) as refused:
        expanded(*words, max_points=100)
    assert f"has {points} points ({product}), more than max_points=100" in str(refused.value)


def test_a_grid_of_exactly_the_most_points_is_expanded():
    assert len(expanded("seed=range(0,100)", max_points=100)) == 100


@given(
    st.integers(-50, 50), st.integers(-50, 50), st.integers(-7, 7).filter(lambda step: step != 0)
)
def test_the_size_of_a_range_is_known_without_expanding_it(start: int, stop: int, step: int):
    expected = len(range(start, stop, step))
    if expected == 0:
        return
    override = overrides.parse([f"seed=range({start},{stop},{step})"])
    assert overrides.size(override[0]) == expected == len(overrides.axes_of(override, 1000)[0])


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_points_are_the_product_of_the_axes(values: list[list[int]]):
    keys = ["seed", "layers", "nodes", "epochs"]
    words = [f"{key}={','.join(map(str, axis))}" for key, axis in zip(keys, values, strict=False)]
    found = expanded(*words)
    assert len(found) == math.prod(len(axis) for axis in values)
    assert found == [
        [f"{key}={value}" for key, value in zip(keys, point, strict=False)]
        for point in itertools.product(*values)
    ]
