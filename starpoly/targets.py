"""What the network is to answer for a label image: probability, ray distances, class, and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .geometry.boundary import boundary_probability
from .geometry.distances import ray_distances
from .maps import cells

#: A pixel at most this far from foreground and from background ...
BOUNDARY_PIXELS = 3
#: ... counts as much as so many others.
NEAR_BOUNDARY = 4.0


@dataclass(frozen=True)
class Targets:
    """Targets on the grid, float32.

    Parameters
    ----------
    probability : (h, w)
        Distance to the object's boundary, divided by its maximum in the object; 0 in background.
    distances : (h, w, n_rays)
        Ray distances in full-resolution pixels; 0 in background.
    weight : (h, w)
        0 where the label is negative ("ignore"), else 1.
    object_weight : (h, w)
        Weight of the distance error of a pixel's object; see :func:`make_targets`.
    classes : (h, w, n_classes + 1) or None
        One-hot class, background first; all zero where the class of an object is unknown.
    foreground, foreground_weight : (h, w, grid_y * grid_x) or None
        Whether each pixel of a grid cell, row by row, lies in an object, and how much it counts, see
        :func:`foreground_weight`.
    """

    probability: NDArray[np.float32]
    distances: NDArray[np.float32]
    weight: NDArray[np.float32]
    object_weight: NDArray[np.float32]
    classes: NDArray[np.float32] | None = None
    foreground: NDArray[np.float32] | None = None
    foreground_weight: NDArray[np.float32] | None = None


def make_targets(
    labels: NDArray,
    *,
    n_rays: int,
    grid: tuple[int, int] = (1, 1),
    object_balance: float = 0.0,
    classes: NDArray | None = None,
    n_classes: int = 0,
    foreground: bool = False,
) -> Targets:
    """Targets of the network for one label image.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects (small numbers are quick), < 0 ignored.
    n_rays : int
        Number of rays.
    grid : (int, int)
        Every ``gy``-th, ``gx``-th pixel gets a target.
    object_balance : float
        ``object_weight`` is proportional to ``area ** -object_balance``, with mean 1 over the
        pixels of objects: 0 weighs pixels alike, 1 objects.
    classes : (n,) integer, optional
        ``classes[label]`` is the object's class, 1..n_classes, or 0 if unknown.
    n_classes : int
        Number of classes; 0 for none.
    foreground : bool
        Also the foreground, of every pixel.

    Returns
    -------
    Targets
    """
    every = (slice(None, None, grid[0]), slice(None, None, grid[1]))
    positive = np.maximum(labels, 0)
    on_grid = positive[every]
    one_hot = None
    if n_classes:
        lookup = np.zeros(int(positive.max()) + 1, np.int64) if classes is None else np.asarray(classes)
        one_hot = np.eye(n_classes + 1, dtype=np.float32)[lookup[on_grid]]
        one_hot[(on_grid > 0) & (lookup[on_grid] == 0)] = 0
    return Targets(
        probability=boundary_probability(labels)[every],
        distances=ray_distances(positive, n_rays, grid),
        weight=(labels[every] >= 0).astype(np.float32),
        object_weight=_object_weight(positive, object_balance)[every],
        classes=one_hot,
        foreground=cells((labels > 0).astype(np.float32), grid) if foreground else None,
        foreground_weight=cells(foreground_weight(labels), grid) if foreground else None,
    )


def foreground_weight(labels: NDArray) -> NDArray[np.float32]:
    """How much each pixel (Y, X) counts in the loss of the foreground.

    Near where foreground and background meet :data:`NEAR_BOUNDARY`, which is what outlines are made of; elsewhere 1;
    0 where the label is negative.
    """
    inside = labels > 0
    size = 2 * BOUNDARY_PIXELS + 1
    near = ndimage.maximum_filter(inside, size) & ~ndimage.minimum_filter(inside, size)
    return np.where(labels < 0, 0, np.where(near, NEAR_BOUNDARY, 1)).astype(np.float32)


def _object_weight(labels: NDArray, balance: float) -> NDArray[np.float32]:
    area = np.bincount(labels.ravel()).astype(np.float64)
    weight = np.maximum(area, 1) ** -balance
    total = area[1:].sum()
    if total:
        weight /= (weight[1:] * area[1:]).sum() / total
    weight[0] = 1
    return weight[labels].astype(np.float32)
