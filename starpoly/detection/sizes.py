"""Diameters of objects and scales of images, as numbers."""

from __future__ import annotations

import math

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
