"""Outlines of masks as simple polygons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

TOLERANCE = 0.5
"""Pixels by which a simplified outline may leave the boundary."""

_AREA_CHANGE = 0.05
_EDGES = ndimage.generate_binary_structure(2, 1)


def mask_outline(
    mask: NDArray[np.bool_], tolerance: float = TOLERANCE, *, is_one_piece: bool = False
) -> NDArray[np.float64]:
    """The outline of a mask's largest piece, holes filled.

    It passes through the middles of pixel edges, which are exact along rows and columns, and is then simplified: vertices
    are left out as long as the boundary stays within ``tolerance``, the area within 5 % and the polygon simple.

    Parameters
    ----------
    mask : (Y, X) bool
    tolerance : float
        In pixels; 0 leaves out what changes nothing.
    is_one_piece : bool
        Whether all of the mask is known to be connected by edges of pixels: it is then not looked for pieces.

    Returns
    -------
    (k, 2) float64
        Vertices ``(x, y)``, in the order from x to y, first and last different; the origin at the corner of the mask.
        (0, 2) for an empty mask.
    """
    from ._kernels_mask_outline import enclosed, follow, is_simple, simplify

    piece = mask if is_one_piece else _largest_piece(mask)
    if not piece.any():
        return np.empty((0, 2))
    y = int(piece.any(axis=1).argmax())
    ring = follow(np.ascontiguousarray(piece), y, int(piece[y].argmax()))
    exact = ring[simplify(ring, 0.0)]
    area = enclosed(exact)
    while tolerance > 0.05:
        simple = ring[simplify(ring, tolerance)]
        if len(simple) > 2 and abs(enclosed(simple) / area - 1) <= _AREA_CHANGE and is_simple(simple):
            return simple
        tolerance /= 2
    return exact


def _largest_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The piece of most pixels, connected by their edges; the first of several."""
    pieces, n = ndimage.label(mask, _EDGES)
    return mask if n < 2 else pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax())
