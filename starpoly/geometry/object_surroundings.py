"""Intensities of the objects of a label image and of the background around them, and their neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..parallel import in_parts
from .object_shape import check_boxes, threads_for


def object_intensities(
    labels: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    boxes: NDArray[np.int64],
    pixels: NDArray[np.float64],
    *,
    gap: int,
    reach: int,
) -> NDArray[np.float64]:
    """Statistics of the intensities in objects and around them. Values that are not finite do not count.

    Parameters
    ----------
    labels : (Y, X) uint32
        Contiguous; with a margin of ``reach`` pixels around the boxes, but where the image ends.
    ids : (n,) uint32
        The objects to measure.
    boxes : (n, 4) int64
        Half-open boxes ``(y0, x0, y1, x1)`` that hold all pixels of each, in pixels of ``labels``.
    pixels : (C, Y, X) float64
        Contiguous.
    gap, reach : int
        The background of an object is all pixels without a label that are more than ``gap`` and at most ``reach`` pixels
        away, the larger of the distances along rows and columns.

    Returns
    -------
    (n, C, 7) float64
        Mean, median, standard deviation (divided by the number), minimum, maximum and sum in the object, and mean of the
        background; NaN where there is no value.
    """
    from ._kernels_object_surroundings import N_STATISTICS, measure_intensities

    _check(boxes, labels.shape, reach)
    out = np.full((len(ids), len(pixels), N_STATISTICS), np.nan)

    def measure(start: int, stop: int) -> None:
        part = slice(start, stop)
        measure_intensities(labels, ids[part], boxes[part], pixels, gap, reach, out[part])

    in_parts(measure, len(ids), threads_for(boxes, reach))
    return out


def object_neighbours(
    labels: NDArray[np.uint32], ids: NDArray[np.uint32], boxes: NDArray[np.int64], *, reach: int
) -> NDArray[np.int64]:
    """Number of other objects near each object, (n,).

    Parameters
    ----------
    labels, ids, boxes
        As for :func:`object_intensities`.
    reach : int
        Near is what has a pixel at most this far away, the larger of the distances along rows and columns.
    """
    from ._kernels_object_surroundings import count_neighbours

    _check(boxes, labels.shape, reach)
    counts = np.zeros(len(ids), np.int64)

    def count(start: int, stop: int) -> None:
        part = slice(start, stop)
        count_neighbours(labels, ids[part], boxes[part], reach, counts[part])

    in_parts(count, len(ids), threads_for(boxes, reach))
    return counts


def _check(boxes: NDArray, shape: tuple[int, ...], reach: int) -> None:
    from ._kernels_object_surroundings import LARGEST_REACH

    check_boxes(boxes, shape)
    if not 0 <= reach <= LARGEST_REACH:
        raise StarpolyError(f"objects: expected a reach from 0 to {LARGEST_REACH} pixels, got {reach}")
