"""Foreground of a label image, and the weights of its pixels, by cells of the grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def foreground_cells(
    labels: NDArray, grid: tuple[int, int], reach: int, near: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Whether each pixel lies in an object, and its weight, by cells of the grid.

    Parameters
    ----------
    labels : (Y, X) integer
        0 background, > 0 objects, < 0 ignored.
    grid : (int, int)
        Height and width of a cell.
    reach : int
        A pixel is near the boundary if a pixel at most so far from it in both axes lies in an object and another does not.
    near : float
        Weight of such pixels; others count 1, ignored ones and those beyond the image 0.
    out : (ceil(Y / grid[0]), ceil(X / grid[1]), 2 * n) float32, optional
        Takes the result; ``n = grid[0] * grid[1]``.

    Returns
    -------
    (ceil(Y / grid[0]), ceil(X / grid[1]), 2 * n) float32
        For the ``n`` pixels of a cell, row by row, 1 or 0, then their weights.
    """
    from . import _kernels_foreground as kernels

    if out is None:
        shape = (-(-length // step) for length, step in zip(labels.shape, grid, strict=True))
        out = np.empty((*shape, 2 * grid[0] * grid[1]), np.float32)
    # only signs matter, so ids of any size fit
    signs = labels if np.can_cast(labels.dtype, np.int32) else np.sign(labels)
    kernels.foreground_cells(np.ascontiguousarray(signs, np.int32), *grid, reach, np.float32(near), out)
    return out


def label_areas(labels: NDArray) -> NDArray[np.int64]:
    """Number of pixels of each label 1..n of (Y, X) labels; 0 for background."""
    from . import _kernels_foreground as kernels

    areas = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    kernels.areas(np.ascontiguousarray(labels, np.int32), areas)
    return areas
