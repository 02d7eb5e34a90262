"""Object diameters and image scales."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..config import SizeRange
from ..errors import ConfigError
from ..polygons import StarPolygons

UNUSUAL_SIZE = 3.0
"""Warn about objects larger or smaller than in training by more than this factor."""

SCALES = (1 / 16, 8.0)
"""Smallest and largest scale of an image."""

SMALLEST_DIAMETER = 0.1
"""Smallest diameter of objects, in pixels."""

LARGEST_OBJECT = 4
"""Largest diameter of objects, in sides of the image: of a larger one nothing but its inside would show."""


_LARGEST_ESTIMATED = 4.0
"""Largest scale that is chosen. Further enlargement adds no information."""


def diameters(polygons: StarPolygons) -> NDArray[np.float64]:
    """Diameter of each polygon in pixels, (n,), from its root-mean-square radius."""
    return 2 * np.sqrt(np.square(polygons.distances, dtype=np.float64).mean(axis=1))


def typical_diameter(polygons: StarPolygons) -> float:
    """Median diameter in pixels; 0 without polygons."""
    return float(np.median(diameters(polygons))) if len(polygons) else 0.0


def scale_for(diameter: float, sizes: SizeRange) -> float:
    """Scale that brings objects of ``diameter`` pixels into the training range.

    Parameters
    ----------
    diameter : float
        Pixels of the image; 0 if unknown.
    sizes : SizeRange
        Diameters the network was trained on.

    Returns
    -------
    float
        1 for objects within the range.
    """
    if not diameter or not sizes.target or sizes.smallest <= diameter <= sizes.largest:
        return 1.0
    return min(max(sizes.target / diameter, SCALES[0]), _LARGEST_ESTIMATED)


def check_scale(scale: float) -> float:
    """Check a scale and return it as float.

    Raises
    ------
    ConfigError
        If it lies outside :data:`SCALES`.
    """
    if not SCALES[0] <= scale <= SCALES[1]:
        raise ConfigError(f"scale: expected a number from {SCALES[0]:g} to {SCALES[1]:g}, got {scale:g}")
    return float(scale)


def check_diameter(diameter: float, shape: tuple[int, ...] = ()) -> float:
    """Check a diameter in pixels; ConfigError unless it is positive and an object of it may show in an image of ``shape``."""
    most = LARGEST_OBJECT * max(shape[:2], default=math.inf)
    if not SMALLEST_DIAMETER <= diameter <= most or diameter == math.inf:
        at_most = f" to {most:g}" if most < math.inf else ""
        raise ConfigError(
            f"diameter: expected a positive number of pixels, {SMALLEST_DIAMETER:g}{at_most} for this image, got {diameter:g}"
        )
    return float(diameter)
