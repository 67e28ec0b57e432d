"""A picture of a digit becomes an image like MNIST's: same box, same middle, same polarity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from mnist_sweep.data.readers import idx
from mnist_sweep.inference.normalise import Frame, NoDigitError, extract_ink, normalise

MNIST = Frame.of((28, 28), 255.0)


def seven(height=60, width=40, thick=6):
    """A clean 7 in ink 1 on 0."""
    ink = np.zeros((height, width))
    ink[5 : 5 + thick, 5 : width - 5] = 1
    for row in range(5, height - 5):
        left = round((width - 5 - thick) * (1 - (row - 5) / height))
        ink[row, left : left + thick] = 1
    return ink


def test_mnists_own_images_are_left_as_they_are(real_mnist):
    images = idx.read(real_mnist)[1].images[:400]
    same = [np.array_equal(normalise(image / 255.0, MNIST), image) for image in images]
    assert all(same)


def test_the_box_is_20_of_28_pixels_and_the_whole_of_a_small_image():
    assert Frame.of((28, 28), 255.0).box == 20
    assert Frame.of((28, 28, 1), 255.0).box == 20
    assert Frame.of((8, 8), 16.0).box == 8


@settings(max_examples=25, deadline=None)
@given(
    factor=st.integers(1, 7),
    top=st.integers(0, 90),
    left=st.integers(0, 90),
    dark_on_light=st.booleans(),
    contrast=st.floats(0.3, 1),
)
def test_size_place_polarity_and_contrast_do_not_matter(factor, top, left, dark_on_light, contrast):
    small = seven()
    ink = np.kron(small, np.ones((factor, factor)))
    page = np.zeros((ink.shape[0] + 100, ink.shape[1] + 100))
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = contrast * ink
    image = normalise(1 - page if dark_on_light else page, MNIST)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert ndimage.center_of_mass(image) == pytest.approx((14, 14), abs=0.51)
    assert image.max() == 255
    reference = normalise(np.pad(small, 30), MNIST).astype(float)
    assert np.abs(image - reference).mean() < 6


def test_a_uniform_light_that_fades_over_the_page_is_no_ink():
    y, x = np.mgrid[0:1:120j, 0:1:90j]
    light = 0.9 - 0.4 * x - 0.2 * y * y
    ink = np.pad(seven(), ((30, 30), (25, 25)))
    found = extract_ink(light * (1 - 0.8 * ink))
    assert found[ink == 0].max() < 0.1
    assert found[ink == 1].min() > 0.35


def test_noise_and_specks_are_not_taken_for_strokes():
    rng = np.random.default_rng(0)
    ink = np.pad(seven(), ((40, 40), (30, 30)))
    page = 0.85 - 0.6 * ink + rng.normal(0, 0.03, ink.shape)
    page[3:6, 3:6] = 0.2  # a speck of dirt in the corner
    found = extract_ink(page)
    assert not found[:20].any()
    assert (found > 0.5).mean() == pytest.approx(ink.mean(), rel=0.15)


def test_the_proportions_of_a_one_are_kept():
    page = np.zeros((100, 100))
    page[20:80, 45:51] = 1
    image = normalise(page, MNIST)
    assert np.flatnonzero(image.any(axis=1)).size == 20
    assert np.flatnonzero(image.any(axis=0)).size <= 3


def test_reduction_is_antialiased():
    page = np.pad(seven(400, 300, 20), 40)
    image = normalise(page, MNIST)
    assert len(np.unique(image)) > 20
    wanted = np.asarray(
        Image.fromarray(seven(400, 300, 20)[5:395, 5:295].astype(np.float32)).resize(
            (15, 20), Image.Resampling.BICUBIC
        )
    )
    assert image.astype(float).sum() / 255 == pytest.approx(wanted.clip(0, 1).sum(), rel=0.05)


@pytest.mark.parametrize(
    "page",
    [
        np.zeros((30, 30)),
        np.ones((64, 64)),
        np.full((28, 28), 0.5),
        np.linspace(0, 1, 900).reshape(30, 30),
        np.random.default_rng(1).normal(0.5, 0.1, (80, 80)),
        np.ones((1, 1)),
        np.zeros((1, 50)),
    ],
    ids=["black", "white", "grey", "gradient", "noise", "one pixel", "one line"],
)
def test_a_picture_of_nothing_is_said_to_show_no_digit(page):
    with pytest.raises(NoDigitError):
        normalise(np.clip(page, 0, 1), MNIST)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["noise", "binary", "sparse"]),
)
def test_any_picture_gives_an_image_of_the_frame_or_no_digit(height, width, seed, kind):
    rng = np.random.default_rng(seed)
    page = rng.random((height, width))
    page = {"noise": page, "binary": page.round(), "sparse": (page > 0.95) * 1.0}[kind]
    for frame in (MNIST, Frame.of((8, 8), 16.0)):
        try:
            image = normalise(page, frame)
        except NoDigitError:
            continue
        assert image.shape == (frame.height, frame.width)
        assert image.dtype == np.uint8
        assert 0 < image.max() <= frame.scale
