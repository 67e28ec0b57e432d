"""The split is stratified, whole, decided by its seed, and refuses what it cannot share out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from mnist_sweep.data import split
from mnist_sweep.errors import DataError


@given(
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_is_in_one_part_and_every_class_keeps_its_share(
    counts: list[int], fraction: float, seed: int
) -> None:
    assume(sum(counts))
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    try:
        rest, held_out = split(labels, fraction, seed)
    except DataError:
        # Refused only where some class is too small to be in both parts.
        assert min(n for n in counts if n) * min(fraction, 1 - fraction) < 2
        return
    np.testing.assert_array_equal(np.sort(np.concatenate([rest, held_out])), np.arange(len(labels)))
    assert rest.dtype == held_out.dtype == np.int32
    assert np.all(np.diff(rest) > 0)
    assert np.all(np.diff(held_out) > 0)
    share = len(held_out) / len(labels)
    for label, n in enumerate(counts):
        if n:
            here = int(np.sum(labels[held_out] == label))
            assert 0 < here < n
            assert abs(here - share * n) < 1 + 1e-9


def test_it_is_scikit_learns_own_split() -> None:
    labels = (np.arange(500) % 7).astype(np.uint8)
    rest, held_out = split(labels, 0.25, 11)
    expected = train_test_split(np.arange(500), test_size=0.25, random_state=11, stratify=labels)
    np.testing.assert_array_equal(rest, np.sort(expected[0]))
    np.testing.assert_array_equal(held_out, np.sort(expected[1]))


def test_another_seed_is_another_split_and_the_same_is_the_same() -> None:
    labels = (np.arange(200) % 4).astype(np.uint8)
    first, again, other = (split(labels, 0.2, seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("counts", "fraction", "said"),
    [
        ([50, 1], 0.1, "class 1 has a single one among 51"),
        ([5, 5, 5], 0.1, "leaves 13 for training and 2 for validation"),
        ([5, 5, 5], 0.9, "leaves 1 for training and 14 for validation"),
        (
            [300, 3],
            0.1,
            r"data.validation_fraction=0.1 leaves no example of class 1 for validation",
        ),
    ],
)
def test_a_class_too_small_for_both_parts_is_refused(
    counts: list[int], fraction: float, said: str
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    with pytest.raises(DataError, match=said):
        split(labels, fraction, 0)


def test_the_message_names_the_setting_of_the_part() -> None:
    with pytest.raises(DataError, match=r"another data\.test_fraction"):
        split(np.array([0, 0, 1], np.uint8), 0.5, 0, part="test")
