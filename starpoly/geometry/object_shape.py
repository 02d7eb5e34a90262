"""Shape of the objects of a label image, each from its own box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..parallel import in_parts, n_threads

_THREADS_FROM = 1 << 18
"""Pixels in boxes from which several threads are faster."""
_ROWS = 256
"""Rows of labels that are converted at once."""


@dataclass(frozen=True)
class Shapes:
    """Shape of ``n`` objects, in pixels of the image. An object without a pixel has the area 0 and NaN for the rest.

    Attributes
    ----------
    areas : (n,) int64
        Number of pixels.
    boxes : (n, 4) int64
        Half-open bounding boxes ``(y0, x0, y1, x1)``; zeros without a pixel.
    centroids : (n, 2) float64
        ``(y, x)``.
    moments : (n, 3) float64
        Central moments yy, xx and xy, divided by the area.
    perimeters : (n,) float64
        As ``skimage.measure.perimeter`` defines it.
    convex_areas : (n,) float64
        Number of pixels in the convex hull, as ``skimage.morphology.convex_hull_image`` defines it.
    feret, feret_scaled : (n,) float64
        Largest Feret diameter of the convex hull, in pixels and in the unit of the spacing.
    """

    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    centroids: NDArray[np.float64]
    moments: NDArray[np.float64]
    perimeters: NDArray[np.float64]
    convex_areas: NDArray[np.float64]
    feret: NDArray[np.float64]
    feret_scaled: NDArray[np.float64]


def label_boxes(labels: NDArray, n: int) -> NDArray[np.int64]:
    """Half-open bounding boxes ``(y0, x0, y1, x1)`` of the labels 1..n, (n, 4); zeros for a label without a pixel.

    Parameters
    ----------
    labels : (Y, X) integer array
        From 0 to ``n``, which is below 2**32.
    n : int
    """
    from ._kernels_object_shape import find_boxes

    boxes = np.zeros((n + 1, 4), np.int64)
    boxes[:, :2] = labels.shape
    for top in range(0, labels.shape[0], _ROWS):
        find_boxes(np.ascontiguousarray(labels[top : top + _ROWS], np.uint32), top, boxes)
    boxes[boxes[:, 2] == 0] = 0
    return boxes[1:]


def object_shapes(
    labels: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    boxes: NDArray[np.int64],
    *,
    corner: tuple[int, int] = (0, 0),
    spacing: tuple[float, float] = (1.0, 1.0),
) -> Shapes:
    """Measure the shape of objects.

    Parameters
    ----------
    labels : (Y, X) uint32
        Contiguous.
    ids : (n,) uint32
        The objects to measure.
    boxes : (n, 4) int64
        Half-open boxes ``(y0, x0, y1, x1)`` that hold all pixels of each, in pixels of ``labels``.
    corner : (int, int)
        Where ``labels`` begin in the image.
    spacing : (float, float)
        Height and width of a pixel in any unit.

    Raises
    ------
    StarpolyError
        If a box is not inside ``labels``.
    """
    from ._kernels_object_shape import N_FLOATS, N_INTEGERS, measure_shapes

    check_boxes(boxes, labels.shape)
    integers, floats = np.zeros((len(ids), N_INTEGERS), np.int64), np.full((len(ids), N_FLOATS), np.nan)
    size = np.array(spacing, np.float64)

    def measure(start: int, stop: int) -> None:
        part = slice(start, stop)
        measure_shapes(labels, ids[part], boxes[part], size, integers[part], floats[part])

    in_parts(measure, len(ids), threads_for(boxes))
    areas, sums = integers[:, :1], integers[:, 5:] + integers[:, :1] * corner
    boxes = np.where(areas > 0, integers[:, 1:5] + np.tile(corner, 2), 0)
    with np.errstate(invalid="ignore"):
        centroids = sums / areas  # of exact sums, so the same in any window
    return Shapes(areas[:, 0], boxes, centroids, floats[:, :3], *floats[:, 3:].T)


def threads_for(boxes: NDArray[np.int64], margin: int = 0) -> int:
    """Threads with which to look at boxes (n, 4) with so many pixels around each."""
    sides = boxes[:, 2:] - boxes[:, :2] + 2 * margin
    return n_threads() if sides.prod(axis=1).sum() > _THREADS_FROM else 1


def check_boxes(boxes: NDArray, shape: tuple[int, ...]) -> None:
    """Refuse boxes that reach beyond an image.

    Raises
    ------
    StarpolyError
        If one does.
    """
    if len(boxes) and (boxes.min() < 0 or (boxes[:, 2:] > shape).any()):
        raise StarpolyError(f"objects: expected boxes inside labels of shape {shape}, got others; clip them")
