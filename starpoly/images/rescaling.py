"""The size at which an image is looked at: which it is to be, and an image of that size that is never held."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..polygons import StarPolygons
from ..tiling import Box

#: Side in pixels of the middle part of a large image on which the size of its objects is estimated.
SAMPLE_SIDE = 1024
#: Objects this many times larger or smaller than those met in training are worth a word.
UNUSUAL_SIZE = 3.0
#: Images are looked at at sizes between these, as parts of their own.
SCALES = (1 / 16, 8.0)


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


def check_scale(scale: float) -> float:
    """The scale as a number.

    Raises
    ------
    ConfigError
        If it is not within :data:`SCALES`.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ConfigError(f"scale: expected a number from {SCALES[0]:g} to {SCALES[1]:g}, got {scale:g}")
    return float(scale)


def check_diameter(diameter: float) -> float:
    """The diameter in pixels; ConfigError if it is not positive and finite."""
    if not 0 < diameter < math.inf:
        raise ConfigError(f"diameter: expected a positive number of pixels, got {diameter:g}")
    return float(diameter)


@dataclass(frozen=True)
class Diameter:
    """How wide objects are: in pixels of the image or, ``physical``, in micrometres."""

    value: float
    physical: bool = False

    def in_pixels(self, pixel_size: tuple[float, float] | None) -> float:
        """The diameter in pixels.

        Parameters
        ----------
        pixel_size : (float, float) or None
            Micrometres per pixel (y, x); None if unknown.

        Raises
        ------
        ConfigError
            If it is in micrometres and nobody knows how large a pixel is.
        """
        if not self.physical:
            return self.value
        if pixel_size is None:
            raise ConfigError(
                f"diameter: expected an image that tells the size of its pixels, to know how many are {self.value:g} um, got "
                "one that does not; give --pixel-size, or the diameter in pixels"
            )
        return self.value / math.sqrt(pixel_size[0] * pixel_size[1])


def rescaled_shape(shape: tuple[int, int], factor: float) -> tuple[int, int]:
    """Height and width in pixels of an image at ``factor`` times its size."""
    return max(1, round(factor * shape[0])), max(1, round(factor * shape[1]))


class Rescaled:
    """An image at another size, of which only the regions that are asked for exist.

    Pixels are interpolated linearly; where the image becomes smaller, they are averages with weights that fall off linearly over as
    many pixels as one becomes (a triangle filter), so that nothing is skipped. Every region is that crop of the whole
    rescaled image, bit for bit.

    Parameters
    ----------
    image : array-like (Y, X, C)
        Anything with ``shape`` and slicing.
    factor : float
        Size of the rescaled image, as a part of the image's. Corners lie on corners.
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, image: Any, factor: float) -> None:
        self._image, self._factor = image, float(factor)
        self.shape = (*rescaled_shape(image.shape[:2], factor), int(image.shape[2]))

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.float32]:
        """``rescaled[y0:y1, x0:x1]``, shape (y1 - y0, x1 - x0, C)."""
        (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(key, self.shape[:2], strict=True))
        rows, weights_y = _taps(y0, y1, self._image.shape[0], self._factor)
        columns, weights_x = _taps(x0, x1, self._image.shape[1], self._factor)
        if not rows.size or not columns.size:
            return np.zeros((max(0, y1 - y0), max(0, x1 - x0), self.shape[2]), np.float32)
        top, left = int(rows.min()), int(columns.min())
        crop = np.asarray(self._image[top : int(rows.max()) + 1, left : int(columns.max()) + 1]).astype(np.float32)
        return _mixed(_mixed(crop, rows - top, weights_y, 0), columns - left, weights_x, 1)


def _taps(start: int, stop: int, length: int, factor: float) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each pixel from ``start`` to ``stop`` the original ones that it is made of, and how much of each; (n, taps)."""
    reach = max(1.0, 1 / factor)
    centres = (np.arange(start, max(stop, start)) + 0.5) / factor - 0.5
    first = np.floor(centres - reach).astype(np.intp) + 1
    taps = first[:, None] + np.arange(math.ceil(2 * reach))
    weights = np.maximum(0, 1 - np.abs(taps - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(taps, 0, length - 1), weights.astype(np.float32)


def _mixed(
    crop: NDArray[np.float32], taps: NDArray[np.intp], weights: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    """Sums along an axis, tap by tap, so that the bits do not depend on the crop."""
    along = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    total = np.take(crop, taps[:, 0], axis=axis) * weights[:, 0].reshape(along)
    for tap, weight in zip(taps.T[1:], weights.T[1:], strict=True):
        total += np.take(crop, tap, axis=axis) * weight.reshape(along)
    return total
