"""What candidates and thresholds must be before suppression looks at them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, StarpolyError
from ..polygons import StarPolygons
from ..tiling import Box

LARGEST_DISTANCE = 1e7
"""Largest distance, in pixels, that suppression accepts: areas stay well within float64."""


def check_threshold(nms_threshold: float) -> None:
    """ConfigError unless the threshold is in [0, 1]."""
    if not 0 <= nms_threshold <= 1:
        raise ConfigError(f"nms_threshold: expected a number from 0 to 1, got {nms_threshold}")


def check_values(candidates: StarPolygons) -> None:
    """StarpolyError unless probabilities are finite and not negative, and centres finite."""
    if len(candidates) == 0:
        return
    if not candidates.probabilities.min() >= 0 or not np.isfinite(candidates.probabilities.max()):
        raise StarpolyError("suppression: expected finite probabilities of at least 0, got others")
    if not np.isfinite(candidates.points).all():
        raise StarpolyError("suppression: expected finite centres, got others")


def check_inside(points: NDArray[np.float32], region: Box) -> None:
    """StarpolyError unless all centres ``(y, x)`` lie in the region."""
    y, x = points[:, 0], points[:, 1]
    outside = ~((y >= region.y0) & (y < region.y1) & (x >= region.x0) & (x < region.x1))
    if outside.any():
        first = tuple(map(float, points[outside.argmax()]))
        raise StarpolyError(
            f"suppression: expected centres within {region}, got {outside.sum()} others, the first {first}"
        )


def bad_distances(largest: float = math.nan, max_distance: float = LARGEST_DISTANCE) -> StarpolyError:
    """The error for distances that are negative, not finite (``largest`` is NaN then) or too large."""
    if not math.isfinite(largest):
        return StarpolyError("suppression: expected finite distances of at least 0, got others; clip the distances")
    return StarpolyError(
        f"suppression: expected distances of at most max_distance = {max_distance:g} pixels, got {largest:g}; "
        "clip the distances before"
    )
