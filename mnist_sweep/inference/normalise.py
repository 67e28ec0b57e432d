"""A picture of one digit converted to look like MNIST's: same ink, size, position and polarity.

MNIST's digits were fitted, with their proportions kept and antialiased, into a box of 20x20 pixels,
which was put into 28x28 so that the ink's centre of mass is in the middle; ink is light on black
(LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist). The steps before that are for
photographs: uneven light is subtracted, dark ink on light paper is inverted, noise is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Floats = NDArray[np.float64]

MNIST_BOX = 20 / 28  # side of the box that a digit is fitted into, as a share of the image's
# Smallest difference between ink and background, as a share of the range black to white.
MIN_CONTRAST = 0.08
# A clean picture whose darkest ink reaches this keeps its grey levels unchanged.
MIN_FULL_INK = 0.95
# Amplitude of JPEG's artefacts around strokes at usual qualities, of the range 0 to 1.
JPEG_RINGS = 0.06
_BORDER = 0.08
_EVEN = 0.4
_NOISE_LEVELS = 3.5
_SPECK = 0.08
_MAD_TO_SIGMA = 1.4826  # of a normal distribution


class NoDigitError(ValueError):
    """Nothing in a picture stands out from its background."""


@dataclass(frozen=True)
class Frame:
    """The size of normalised images, in pixels, and the longest side (`box`) of their digits.

    `scale` is the raw value of full ink: 255, or 16 for the bundled digits.
    """

    height: int
    width: int
    scale: float
    box: int

    @classmethod
    def of(cls, shape: tuple[int, ...], scale: float) -> Frame:
        """The frame of a dataset whose images have this shape: MNIST's proportions."""
        height, width = shape[:2]
        side = min(height, width)
        # A margin would cost too much of a small image: 8x8 digits reach from edge to edge.
        return cls(height, width, scale, side if side < 16 else round(side * MNIST_BOX))


def normalise(grey: Floats, frame: Frame, *, lossy: bool = False) -> NDArray[np.uint8]:
    """One digit of any size, dark on light or light on dark, as an image of the frame.

    Args:
        grey: (height, width) float64, brightness from 0 (black) to 1 (white).
        frame: Size and scale of the result, (frame.height, frame.width) uint8.
        lossy: Whether the picture was compressed as JPEG does: faint differences may be artefacts.

    Raises:
        NoDigitError: Nothing stands out from the background.
    """
    ink = extract_ink(grey, lossy=lossy)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    placed = _place(_fit(digit, frame.box), frame)
    return np.rint(placed * frame.scale).astype(np.uint8)


def extract_ink(grey: Floats, *, lossy: bool = False) -> Floats:
    """The amount of ink at each pixel, from 0 to 1, for any paper, light and polarity.

    A picture without noise keeps its grey levels. Arguments and errors are those of `normalise`.
    """
    difference = grey - _background(grey)
    # In a tight crop half of the pixels may be ink, but rarely half of its border.
    noise = min(_spread(difference), _spread(difference[_edge(grey.shape)]))
    noise = max(noise, JPEG_RINGS / _NOISE_LEVELS if lossy else 0.0)
    if noise > 0:
        difference = ndimage.median_filter(difference, size=3)
    floor = _NOISE_LEVELS * noise
    above, below = (np.clip(sign * difference - floor, 0, None) for sign in (1, -1))
    ink = above if above.sum() >= below.sum() else below
    if ink.max(initial=0.0) < MIN_CONTRAST:
        raise NoDigitError("nothing in it stands out from the background")
    if noise > 0:
        ink = _without_specks(ink)
        # The darkest pixels of a noisy picture are noise; nine tenths of its ink are lighter.
        full = float(np.quantile(ink[ink > 0], 0.9))
    else:
        full = float(ink.max())
        full = 1.0 if full > MIN_FULL_INK else full
    return np.clip(ink / full, 0, 1)


def _background(grey: Floats) -> Floats:
    """Paper and light: a quadratic surface through the pixels that are neither ink nor stain."""
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    edge = _edge(grey.shape)
    levels, counts = np.unique(np.round(grey[edge] * 255), return_counts=True)
    if counts.max() >= _EVEN * counts.sum():
        # The light is even; a surface would bend towards the ink of a tight crop.
        return np.full(grey.shape, float(levels[counts.argmax()]) / 255)
    surface = np.full(grey.shape, np.median(grey[edge]))
    # Fitted to the border first, most of which is paper, then to all pixels close to it.
    for region in (edge, edge, edge, edge, *[np.ones_like(edge)] * 4):
        difference = grey - surface
        near = region & (np.abs(difference) <= 2.5 * _spread(difference[region]) + 1e-9)
        if near.sum() < terms.shape[-1]:
            break
        chosen = terms[near]
        # Normal equations: well conditioned for terms within [-1, 1], and 20 times as fast.
        weights = np.linalg.lstsq(chosen.T @ chosen, chosen.T @ grey[near], rcond=None)[0]
        surface = terms @ weights
    # Rounding errors must not make a clean picture a noisy one.
    surface = np.where(np.abs(grey - surface) < 1e-6, grey, surface)
    return np.asarray(surface, dtype=np.float64)


def _edge(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The picture's border, where paper is most likely."""
    edge = np.ones(shape, dtype=bool)
    margin = max(1, round(_BORDER * min(shape)))
    edge[margin:-margin, margin:-margin] = False
    return edge


def _spread(values: Floats) -> float:
    # The standard deviation about 0 by the median, which strokes and specks hardly move.
    return _MAD_TO_SIGMA * float(np.median(np.abs(values)))


def _without_specks(ink: Floats) -> Floats:
    """The ink without pieces that are small or faint compared to the largest one."""
    pieces, count = ndimage.label(ink > MIN_CONTRAST / 2, structure=np.ones((3, 3)))
    mass = ndimage.sum_labels(ink, pieces, np.arange(1, count + 1))
    if not count or np.bincount(pieces.ravel())[1:].max() < max(4, ink.size / 2000):
        raise NoDigitError("nothing in it is larger than a speck")
    kept = np.flatnonzero(mass >= _SPECK * mass.max()) + 1  # piece 0 is the background
    # The soft edges of a stroke lie around its piece.
    around = ndimage.binary_dilation(np.isin(pieces, kept), iterations=1)
    return np.where(around, ink, 0.0)


def _fit(digit: Floats, box: int) -> Floats:
    """Resize, antialiased, so that the longest side is `box`; thin strokes get full ink again."""
    height, width = digit.shape
    factor = box / max(height, width)
    if factor == 1:
        return digit
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray(digit.astype(np.float32))
    resized = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
    resized = np.clip(resized, 0, 1)
    return np.clip(resized / max(float(resized.max()), 1e-9), 0, 1)


def _place(digit: Floats, frame: Frame) -> Floats:
    """Move the centre of mass to the middle, as far as the digit stays inside the frame."""
    placed = np.zeros((frame.height, frame.width))
    size, side = np.array(digit.shape), np.array(placed.shape)
    # Digits that reach from edge to edge are centred by their box, not by their ink.
    fills = frame.box == side.min()
    centre = size / 2 if fills else np.array(ndimage.center_of_mass(digit))
    # The middle is pixel 14 of 0 to 27: only with that do MNIST's own images stay unchanged.
    top, left = np.clip(np.floor(side / 2 - centre + 0.5), 0, side - size).astype(int)
    placed[top : top + size[0], left : left + size[1]] = digit
    return placed
