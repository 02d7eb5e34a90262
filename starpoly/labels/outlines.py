"""Outlines of masks, beside the stars: what is written shows the same object as the labels.

Where an object's pixels are those of its polygon, the polygon is its outline. Elsewhere (better-scored neighbours cover a part,
a piece was lost, the label grew) the outline runs halfway between the object's pixels and the others (marching squares, Lorensen
& Cline 1987). Such a ring is simple, and filling it gives the object's pixels. Holes are not told.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.rasterize import covers_exactly
from ..polygons import Outline, StarPolygons


def mask_outlines(
    polygons: StarPolygons,
    labels: NDArray,
    ids: NDArray[np.integer],
    low: NDArray[np.integer],
    high: NDArray[np.integer],
    origin: tuple[int, int] = (0, 0),
) -> list[Outline | None]:
    """The outline of each object's pixels; None where these are its polygon's.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons.
    labels : (Y, X) integer array
        Labels of a part of the image that holds the objects, each in one connected piece.
    ids : (n,) integer
        Label of each polygon.
    low, high : (n, 2) integer
        Corners ``(y, x)`` of half-open boxes that hold polygon and label, in pixels of the image.
    origin : (int, int)
        Pixel of the image at which ``labels`` begins.

    Returns
    -------
    list of (k, 2) float32 or None
        Vertices ``(y, x)`` in pixels of the image, first and last different.
    """
    boxes = np.concatenate([low, high], axis=1).astype(np.int64)
    is_star = covers_exactly(polygons, ids, boxes, labels, origin)
    found: list[Outline | None] = [None] * len(polygons)
    for i in np.flatnonzero(~is_star).tolist():
        y0, x0, y1, x1 = (boxes[i] - (*origin, *origin)).tolist()
        outline = outline_of(labels[y0:y1, x0:x1] == ids[i])
        found[i] = None if outline is None else outline + np.float32(boxes[i, :2])
    return found


def outline_of(mask: NDArray[np.bool_]) -> Outline | None:
    """The outer outline of a mask in one piece, without vertices on straight lines; None for no pixel."""
    from skimage.measure import find_contours

    rings = find_contours(np.pad(mask, 1).astype(np.float32), 0.5, fully_connected="high")
    if not rings:
        return None
    ring = max(rings, key=lambda ring: np.ptp(ring, axis=0).sum())[:-1] - 1  # holes extend less
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return ring[turns].astype(np.float32)
