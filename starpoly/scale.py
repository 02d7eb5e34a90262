"""Small objects are looked at enlarged: whether to, and an image of twice the size that is never held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .polygons import StarPolygons
from .tiling import Box

#: Side in pixels of the middle part of a large image on which the size of its objects is estimated.
SAMPLE_SIDE = 1024
#: Objects this many times larger or smaller than those met in training are worth a word.
UNUSUAL_SIZE = 3.0


def typical_diameter(polygons: StarPolygons) -> float:
    """Median diameter of the circles with the polygons' mean squared radius, in pixels; 0 without polygons."""
    if not len(polygons):
        return 0.0
    return 2 * float(np.median(np.sqrt(np.square(polygons.distances, dtype=np.float64).mean(axis=1))))


def middle(shape: tuple[int, int]) -> Box:
    """The middle of an image, at most :data:`SAMPLE_SIDE` pixels a side."""
    sides = [min(length, SAMPLE_SIDE) for length in shape]
    y, x = ((length - side) // 2 for length, side in zip(shape, sides, strict=True))
    return Box(y, x, y + sides[0], x + sides[1])


class Enlarged:
    """An image at twice its size, interpolated linearly, of which only the regions that are asked for exist.

    Every region is that crop of the whole enlarged image, bit for bit.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Anything with ``shape`` and slicing.
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, image: Any) -> None:
        self._image = image
        self.shape = (2 * int(image.shape[0]), 2 * int(image.shape[1]), int(image.shape[2]))

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.float32]:
        """``enlarged[y0:y1, x0:x1]``, shape (y1 - y0, x1 - x0, C)."""
        (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(key, self.shape[:2], strict=True))
        rows, y_from, y_to = _neighbours(y0, y1, self.shape[0] // 2)
        columns, x_from, x_to = _neighbours(x0, x1, self.shape[1] // 2)
        crop = np.asarray(self._image[y_from:y_to, x_from:x_to]).astype(np.float32)
        near, far = np.float32(0.75), np.float32(0.25)
        crop = near * crop[rows[0]] + far * crop[rows[1]]
        return near * crop[:, columns[0]] + far * crop[:, columns[1]]


def _neighbours(start: int, stop: int, length: int) -> tuple[tuple[NDArray, NDArray], int, int]:
    """For each enlarged pixel its nearer and farther original one, relative to the first that is needed; and which are."""
    pixels = np.arange(start, max(stop, start))
    near = pixels // 2
    # the centre of an even pixel lies a quarter before that of the original one, of an odd pixel a quarter behind
    far = np.clip(near + np.where(pixels % 2 == 0, -1, 1), 0, length - 1)
    if not len(pixels):
        return (near, far), 0, 0
    first, last = int(min(near[0], far.min())), int(max(near[-1], far.max())) + 1
    return (near - first, far - first), first, last
