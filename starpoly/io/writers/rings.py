"""Convert polygons, or the outlines of their masks, to rings of (x, y): simple, clipped to the image, origin at the image's corner."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...polygons import StarPolygons

_DECIMALS = 3
_LEAST_DISTANCE = 0.1
_AT_ONCE = 4096  # polygons


def outlines(polygons: StarPolygons, shape: tuple[int, int]) -> Iterator[NDArray[np.float64]]:
    """The ring of each polygon, or of its outline where it has one.

    The corner of the image is the origin, so a pixel's centre lies at + 0.5; coordinates have three decimals. Rings are
    cut at the image's border. Distances below 0.1 pixels are drawn as 0.1: a star whose distances are positive crosses
    itself nowhere and has an area, which a ray of length zero would spoil.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons with finite coordinates.
    shape : (int, int)
        Height and width of the image in pixels.

    Yields
    ------
    (k, 2) float64
        Vertices ``(x, y)``, k >= 3, in the order from x to y, first and last different; (0, 2) for a polygon that lies
        outside the image.
    """
    height, width = shape
    for start in range(0, len(polygons), _AT_ONCE):
        part = polygons.take(np.arange(start, min(start + _AT_ONCE, len(polygons))))
        grown = StarPolygons(part.points, np.maximum(part.distances, _LEAST_DISTANCE), part.probabilities)
        rings = grown.vertices()[:, ::-1].transpose(0, 2, 1) + 0.5
        cuts = np.any((rings < 0) | (rings > (width, height)), axis=(1, 2)).tolist()
        of_masks = part.outlines or [None] * len(part)
        for ring, is_cut, of_mask in zip(rings, cuts, of_masks, strict=True):
            if of_mask is not None:
                yield _tidy(of_mask[:, ::-1].astype(np.float64) + 0.5)
            else:
                yield _tidy(_clip(ring, width, height) if is_cut else ring)


def ring_area(ring: NDArray[np.float64]) -> float:
    """Area inside a ring, in square pixels."""
    x, y = (ring - ring[:1]).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _clip(ring: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Cut at one border after the other (Sutherland and Hodgman 1974); a star seen from inside stays one."""
    for axis, limit, sign in ((0, 0, -1), (0, width, 1), (1, 0, -1), (1, height, 1)):
        ring = _clip_side(ring, axis, limit, sign)
    return ring


def _clip_side(ring: NDArray[np.float64], axis: int, limit: int, sign: int) -> NDArray[np.float64]:
    following = np.roll(ring, -1, axis=0)
    beyond = sign * (ring[:, axis] - limit)
    beyond_next = np.roll(beyond, -1)
    crosses = (beyond > 0) != (beyond_next > 0)
    part = np.divide(beyond, beyond - beyond_next, out=np.zeros(len(ring)), where=crosses)
    crossings = ring + part[:, None] * (following - ring)
    crossings[:, axis] = limit
    # each vertex inside, and after it where its edge crosses the border
    return np.stack([ring, crossings], axis=1)[np.stack([beyond <= 0, crosses], axis=1)]


def _tidy(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round, and drop vertices that repeat."""
    ring = np.round(ring, _DECIMALS) + 0.0  # no -0.0
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    return ring if len(ring) > 2 and ring_area(ring) > 0 else ring[:0]
