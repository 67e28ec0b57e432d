"""Real digits as if photographed on paper: other sizes, shading, noise, dark on light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CREAM = np.array([236.0, 228.0, 208.0])
BLUE_INK = np.array([38.0, 48.0, 96.0])


def photograph(
    digit: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    scale: float = 255.0,
    chalk: bool = False,
) -> Image.Image:
    """A digit upright on a sheet of paper, somewhere in a larger picture.

    Args:
        digit: (height, width) uint8, light ink on 0.
        rng: Decides on place, size, light and noise.
        scale: The digit's value of full ink.
        chalk: Light on dark instead, as on a blackboard.
    """
    height, width = (int(side) for side in rng.integers(180, 640, 2))
    ink = np.zeros((height, width))
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / scale
    size = rng.uniform(0.35, 0.75) * min(height, width) / max(cut.shape)
    drawn = Image.fromarray(cut.astype(np.float32)).resize(
        (max(1, round(cut.shape[1] * size)), max(1, round(cut.shape[0] * size))),
        Image.Resampling.BICUBIC,
    )
    top = int(rng.integers(8, height - drawn.height - 8))
    left = int(rng.integers(8, width - drawn.width - 8))
    ink[top : top + drawn.height, left : left + drawn.width] = np.clip(drawn, 0, 1)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    tilt = rng.uniform(-0.3, 0.3, 2)
    light = (
        0.8 + tilt[0] * (x - 0.5) + tilt[1] * (y - 0.5) - 0.2 * ((x - 0.4) ** 2 + (y - 0.5) ** 2)
    )
    paper, pen = (CREAM, BLUE_INK) if not chalk else (BLUE_INK, CREAM)
    colours = light[..., None] * (paper + (pen - paper) * 0.9 * ink[..., None])
    noisy = colours + rng.normal(0, 6, (height, width, 1)) + rng.normal(0, 3, colours.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def save(pictures: list[Image.Image], folder: Path, suffix: str = ".png") -> Path:
    """The pictures as photo1, photo2, … in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, start=1):
        picture.save(folder / f"photo{number}{suffix}")
    return folder
