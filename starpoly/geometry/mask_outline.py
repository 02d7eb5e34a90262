"""Outlines of masks as simple polygons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

TOLERANCE = 0.5
"""Pixels by which a simplified outline may leave the boundary."""

_AREA_CHANGE = 0.05


def mask_outline(mask: NDArray[np.bool_], tolerance: float = TOLERANCE) -> NDArray[np.float64]:
    """The outline of a mask's largest piece, holes filled.

    It passes through the middles of pixel edges, which are exact along rows and columns, and is then simplified: vertices
    are left out as long as the boundary stays within ``tolerance``, the area within 5 % and the polygon simple.

    Parameters
    ----------
    mask : (Y, X) bool
    tolerance : float
        In pixels; 0 leaves out what changes nothing.

    Returns
    -------
    (k, 2) float64
        Vertices ``(x, y)``, in the order from x to y, first and last different; the origin at the corner of the mask.
        (0, 2) for an empty mask.
    """
    from ._kernels_mask_outline import follow, is_simple, simplify

    piece = _largest_piece(mask)
    if not piece.any():
        return np.empty((0, 2))
    y = int(piece.any(axis=1).argmax())
    ring = follow(np.ascontiguousarray(piece), y, int(piece[y].argmax()))
    exact = ring[simplify(ring, 0.0)]
    while tolerance > 0.05:
        simple = ring[simplify(ring, tolerance)]
        if len(simple) > 2 and abs(_area(simple) / _area(exact) - 1) <= _AREA_CHANGE and is_simple(simple):
            return simple
        tolerance /= 2
    return exact


def _area(ring: NDArray[np.float64]) -> float:
    x, y = ring.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The piece of most pixels, connected by their edges; the first of several."""
    pieces, n = ndimage.label(mask)
    return mask if n < 2 else pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
