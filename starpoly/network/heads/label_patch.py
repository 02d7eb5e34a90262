"""A patch of a label image, with quantities shared by several heads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...geometry.boundary import boundary_probability
from ...geometry.foreground import label_areas


@dataclass(frozen=True)
class LabelPatch:
    """Labels of a training patch.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects (small ids are faster), < 0 ignored.
    grid : (int, int)
        Every ``gy``-th, ``gx``-th pixel gets a target.
    classes : (n,) integer, optional
        ``classes[label]`` is the object's class, 1..n_classes, or 0 if unknown.
    object_balance : float
        0 gives all object pixels equal weight, 1 all objects; see :attr:`object_weight`.
    """

    labels: NDArray
    grid: tuple[int, int] = (1, 1)
    classes: NDArray | None = None
    object_balance: float = 0.0

    @cached_property
    def on_grid(self) -> NDArray:
        """(h, w) labels of the grid points, 0 where ignored."""
        return np.maximum(self._at_grid_points, 0)

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """(h, w): 0 where the label is negative ("ignore"), else 1."""
        return (self._at_grid_points >= 0).astype(np.float32)

    @cached_property
    def probability(self) -> NDArray[np.float32]:
        """(h, w): distance to the object's boundary, divided by its maximum in the object; 0 in background."""
        return boundary_probability(self.labels, self.grid)

    @cached_property
    def object_weight(self) -> NDArray[np.float32]:
        """(h, w): proportional to ``area ** -object_balance`` of the object, with mean 1 over the pixels of objects."""
        return _object_weights(self.labels, self.object_balance)[self.on_grid]

    @property
    def _at_grid_points(self) -> NDArray:
        return self.labels[:: self.grid[0], :: self.grid[1]]


def _object_weights(labels: NDArray, balance: float) -> NDArray[np.float32]:
    """Weight of each label, background first."""
    area = label_areas(labels).astype(np.float64)
    weight = np.maximum(area, 1) ** -balance
    total = area[1:].sum()
    if total:
        weight /= (weight[1:] * area[1:]).sum() / total
    weight[0] = 1
    return weight.astype(np.float32)
