"""Diameters of objects and scales of images, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..polygons import StarPolygons

UNUSUAL_SIZE = 3.0
"""Starpoly warns of objects this many times larger or smaller than those met in training."""

SCALES = (1 / 16, 8.0)
"""Smallest and largest scale at which an image is analysed, as a part of its own size."""


def typical_diameter(polygons: StarPolygons) -> float:
    """Median diameter of the circles with the polygons' mean squared radius, in pixels; 0 without polygons."""
    if not len(polygons):
        return 0.0
    return 2 * float(np.median(np.sqrt(np.square(polygons.distances, dtype=np.float64).mean(axis=1))))


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
