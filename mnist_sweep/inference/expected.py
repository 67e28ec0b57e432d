"""What a network wants to be given, and what was found for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mnist_sweep.data.arrays import Bytes
from mnist_sweep.errors import DataError


@dataclass(frozen=True)
class Expected:
    """The images a network was trained on.

    Attributes:
        shape: One image's, as (28, 28).
        scale: The raw pixel value that means 1.0: 255, or 16 for the bundled digits.
        classes: How many classes there are; labels that come along must be below it.
    """

    shape: tuple[int, ...]
    scale: float
    classes: int

    def fit(self, images: Bytes, where: str) -> Bytes:
        """The images in the expected shape.

        Args:
            images: (n, *any shape) uint8 of as many pixels an image.
            where: The file (and array) they are from, for the message.

        Raises:
            DataError: There are none, they have another size, or a pixel is above the scale.
        """
        pixels = math.prod(self.shape)
        found = images.shape[1:]
        if not len(images):
            raise DataError(f"{where} holds no images: its shape is {images.shape}.")
        flat = (pixels,)
        channel = (*self.shape, 1)
        if found not in (self.shape, flat, channel) and (*found, 1) != self.shape:
            raise DataError(
                f"The network was trained on images of shape {self.shape}, but those in {where} "
                f"are {found}. Give images of that size, or a picture file (PNG or JPEG), "
                "which is fitted to it."
            )
        fitted = images.reshape(len(images), *self.shape)
        largest = int(fitted.max(initial=0))
        if largest > self.scale:
            raise DataError(
                f"The network was trained on pixels from 0 to {self.scale:g}, but {where} has one "
                f"of {largest}. Give pixels on that scale, or a run trained on data like these."
            )
        return fitted

    def check_labels(self, labels: Bytes, n_images: int, where: str) -> Bytes:
        """The labels, one for each image and each of them a class.

        Raises:
            DataError: They are not.
        """
        if labels.ndim != 1 or len(labels) != n_images:
            raise DataError(
                f"There must be one label for each of {n_images} images, but {where} has the "
                f"shape {labels.shape}. Do these belong together?"
            )
        largest = int(labels.max(initial=0))
        if largest >= self.classes:
            raise DataError(
                f"The network knows the classes 0 to {self.classes - 1}, but {where} has the label "
                f"{largest}. Leave the labels out, or give a run trained on data like these."
            )
        return labels


@dataclass(frozen=True)
class Inputs:
    """Images to predict.

    Attributes:
        images: (n, *shape) uint8, raw pixel values as the network's training images had.
        labels: (n,) uint8, the true classes where the file tells them.
        names: File names of pictures, one each; None where images have numbers only.
        source: Where they came from, for people.
    """

    images: Bytes
    source: str
    labels: Bytes | None = None
    names: tuple[str, ...] | None = None
