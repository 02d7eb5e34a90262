"""Outlines of masks, beside the stars: what is written shows the same object as the labels.

Where an object's pixels are those of its polygon, the polygon is its outline. Elsewhere (better-scored neighbours cover a part,
a piece was lost, the label grew) it is the outline of the mask (:mod:`starpoly.geometry.mask_outline`): simple, without holes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.mask_outline import mask_outline
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
        Labels of a part of the image that holds the objects, each in one piece, connected by edges of pixels.
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
        ring = mask_outline(labels[y0:y1, x0:x1] == ids[i], is_one_piece=True)
        found[i] = (ring[:, ::-1] + (boxes[i, :2] - 0.5)).astype(np.float32) if len(ring) else None
    return found
