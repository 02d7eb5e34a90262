"""From polygons to a label image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import StarpolyError
from ..parallel import in_parts, n_threads
from ..polygons import StarPolygons
from ..tiling import Box
from .rays import ray_directions

_THREADS_FROM = 1 << 20
"""Pixels from which several threads are faster."""
_POLYGONS_FROM = 500
"""Polygons from which they are faster."""


def render_labels(
    polygons: StarPolygons,
    shape: tuple[int, int],
    *,
    ids: ArrayLike | None = None,
    box: Box | None = None,
    out: NDArray | None = None,
) -> NDArray:
    """Draw polygons into a label image: a pixel belongs to the best-scored polygon that covers it.

    A polygon covers a pixel if the pixel's centre lies inside it or on its boundary, which is the rule of
    ``skimage.draw.polygon``. A polygon whose pixels all belong to better ones, or that covers no pixel's centre,
    does not show.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons in any order; they are drawn in the order of ``polygons.score_order()``.
    shape : (int, int)
        Height and width of the whole image in pixels.
    ids : (n,) integers > 0, optional
        Label of each polygon, by position. Default: 1 for the best-scored polygon up to ``n`` for the worst; so if
        the polygons are sorted by score, polygon ``i`` becomes ``i + 1``.
    box : Box, optional
        Part of the image to draw, inside the image; equal to that crop of the whole image. Default: the whole image.
    out : array of integers with the box's shape, optional
        Drawn into, and returned. Only its pixels that are 0 are written, so earlier drawings stay on top.

    Returns
    -------
    (height, width) of the box, uint32 unless ``out`` is given
        Label image, axes YX; 0 is background.

    Raises
    ------
    StarpolyError
        If the box is not inside the image, or ``ids`` or ``out`` do not fit.
    """
    from ._kernels_rasterize import fill_polygons

    box = Box(0, 0, *shape) if box is None else box
    if box.clip(shape) != box or min(box.shape) < 0:
        raise StarpolyError(f"labels: expected a box inside the image of shape {shape}, got {box}; use box.clip(shape)")
    order = polygons.score_order()
    ids = _ranks(order) if ids is None else np.asarray(ids)
    if out is None:
        out = np.zeros(box.shape, np.uint32)
    _check_target(ids, len(polygons), out, box)
    directions = ray_directions(polygons.n_rays)
    labels = ids.astype(out.dtype)

    def draw(start: int, stop: int) -> None:
        fill_polygons(
            polygons.points, polygons.distances, order, labels, *directions, box.y0 + start, box.x0, out[start:stop]
        )

    threads = n_threads() if out.size > _THREADS_FROM else 1
    in_parts(draw, len(out), threads, parts=2 * threads)
    return out


def covers_exactly(
    polygons: StarPolygons,
    ids: NDArray[np.integer],
    boxes: NDArray[np.int64],
    labels: NDArray,
    origin: tuple[int, int] = (0, 0),
) -> NDArray[np.bool_]:
    """Whether each polygon, drawn alone, covers exactly the pixels of its label.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons.
    ids : (n,) integer
        Their labels.
    boxes : (n, 4) int64
        Half-open boxes ``(y0, x0, y1, x1)`` of the image that hold polygon and label.
    labels : (Y, X) integer
        Labels of a part of the image that holds all boxes.
    origin : (int, int)
        Pixel of the image at which ``labels`` begins.
    """
    from ._kernels_rasterize import covers_exactly

    directions, points, distances = ray_directions(polygons.n_rays), polygons.points, polygons.distances
    labels, ids = np.ascontiguousarray(labels), np.asarray(ids, np.int64)
    same = np.empty(len(polygons), np.bool_)

    def compare(first: int, end: int) -> None:
        part = slice(first, end)
        same[part] = covers_exactly(points[part], distances[part], ids[part], boxes[part], *directions, *origin, labels)

    in_parts(compare, len(same), n_threads() if len(same) > _POLYGONS_FROM else 1)
    return same


def _ranks(order: NDArray[np.intp]) -> NDArray[np.int64]:
    """Rank of each polygon, from 1, given the indices in score order."""
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks


def _check_target(ids: NDArray, n: int, out: NDArray, box: Box) -> None:
    """Refuse ids that are not labels or do not fit into ``out``, and an ``out`` that does not fit the box."""
    if out.shape != box.shape or out.dtype.kind not in "ui":
        raise StarpolyError(
            f"labels: expected an integer array of shape {box.shape}, got {out.dtype} of shape {out.shape}"
        )
    if ids.shape != (n,) or ids.dtype.kind not in "ui":
        raise StarpolyError(f"labels: expected {n} integer ids, got {ids.dtype} of shape {ids.shape}")
    limit = np.iinfo(out.dtype).max
    if n and not (ids.min() >= 1 and ids.max() <= limit):
        raise StarpolyError(
            f"labels: expected ids from 1 to {limit} for {out.dtype}, got {ids.min()} to {ids.max()}; use a wider out"
        )
