"""What the network is to answer for a label image: probability, ray distances, class, and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.boundary import boundary_probability
from ..geometry.distances import fill_ray_distances
from ..geometry.foreground import foreground_cells, label_areas

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
        Whether each pixel of a grid cell, row by row, lies in an object, and how much it counts: near where foreground
        and background meet :data:`NEAR_BOUNDARY`, as outlines are made of that, elsewhere 1, where the label is negative 0.
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
    distances_out: NDArray[np.float32] | None = None,
    foreground_out: NDArray[np.float32] | None = None,
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
    distances_out : (h, w, n_rays + 2) float32, optional
        Where the distances are written, and behind them, as the loss wants it, ``probability`` and ``weight * object_weight``.
    foreground_out : (h, w, 2 * grid_y * grid_x) float32, optional
        Where the foreground and its weight are written, one behind the other.

    Returns
    -------
    Targets
    """
    every = (slice(None, None, grid[0]), slice(None, None, grid[1]))
    on_grid = np.maximum(labels[every], 0)
    one_hot = None
    if n_classes:
        lookup = np.zeros(int(labels.max(initial=0)) + 1, np.int64) if classes is None else np.asarray(classes)
        one_hot = np.eye(n_classes + 1, dtype=np.float32)[lookup[on_grid]]
        one_hot[(on_grid > 0) & (lookup[on_grid] == 0)] = 0
    probability, weight = boundary_probability(labels, grid), (labels[every] >= 0).astype(np.float32)
    object_weight = _object_weights(labels, object_balance)[on_grid]
    if distances_out is None:
        distances_out = np.empty((*on_grid.shape, n_rays + 2), np.float32)
    fill_ray_distances(labels, n_rays, grid, distances_out, np.stack([probability, weight * object_weight], axis=-1))
    n_pixels = grid[0] * grid[1]
    pixels = foreground_cells(labels, grid, BOUNDARY_PIXELS, NEAR_BOUNDARY, foreground_out) if foreground else None
    return Targets(
        probability=probability,
        distances=distances_out[..., :n_rays],
        weight=weight,
        object_weight=object_weight,
        classes=one_hot,
        foreground=None if pixels is None else pixels[..., :n_pixels],
        foreground_weight=None if pixels is None else pixels[..., n_pixels:],
    )


def _object_weights(labels: NDArray, balance: float) -> NDArray[np.float32]:
    """The weight of each label, that of background first."""
    area = label_areas(labels).astype(np.float64)
    weight = np.maximum(area, 1) ** -balance
    total = area[1:].sum()
    if total:
        weight /= (weight[1:] * area[1:]).sum() / total
    weight[0] = 1
    return weight.astype(np.float32)
