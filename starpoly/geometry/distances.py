"""Distances from each pixel of an object to the object's boundary along rays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, StarpolyError


def ray_distances(
    labels: ArrayLike, n_rays: int = 32, grid: tuple[int, int] = (1, 1), *, parallel: bool = False
) -> NDArray[np.float32]:
    """Distance from each labelled pixel to the boundary of its object, along each ray.

    Parameters
    ----------
    labels : (height, width) bool or integer array
        Label image, axes YX; 0 and negative values are background. All of int64's range is told apart.
    n_rays : int
        Number of rays, at least 3; ray ``k`` has the angle ``2 pi k / n_rays``.
    grid : (int, int)
        Only every ``grid[0]``-th row and ``grid[1]``-th column, from pixel (0, 0), is evaluated.
    parallel : bool
        Share the rows among numba's threads. The values are the same.

    Returns
    -------
    (ceil(height / grid[0]), ceil(width / grid[1]), n_rays) float32
        Distances in pixels of the full-resolution image; 0 on background.

    Raises
    ------
    DataError
        If ``labels`` is not two-dimensional or not of integers.
    StarpolyError
        For fewer than three rays or a grid below one.

    Notes
    -----
    The definition is that of StarDist [1]_ (``star_dist`` of version 0.9.2 gives equal values; for some
    numbers of rays above 48 its directions, and so the values, differ in the last bit of float32): from the pixel's
    centre go in unit steps along the ray, adding in float32, until the nearest pixel carries another label or lies
    outside the image; then go back by ``1 - 0.5 / max(|sin|, |cos|)`` of a step.

    References
    ----------
    .. [1] U. Schmidt, M. Weigert, C. Broaddus and G. Myers, "Cell Detection with Star-convex Polygons", MICCAI 2018.
    """
    from . import _kernels_distances as kernels

    labels = _as_kernel_labels(labels)
    grid_y, grid_x = (int(step) for step in grid)
    if n_rays < 3 or min(grid_y, grid_x) < 1:
        raise StarpolyError(f"ray distances: expected n_rays >= 3 and a grid >= 1, got {n_rays} and {grid}")
    height, width = labels.shape
    out = np.empty((-(-height // grid_y), -(-width // grid_x), n_rays), np.float32)
    if out.size == 0:
        return out
    clear = np.empty(labels.shape, np.int32)
    kernels.clearance(labels, clear)
    # no ray stays inside longer than the diagonal; the margin is for the drift of float32 sums
    paths = _ray_paths(n_rays, int(1.01 * np.hypot(height, width)) + 4)
    run = kernels.ray_distances_parallel if parallel else kernels.ray_distances_serial
    run(labels, clear, grid_y, grid_x, *paths, out)
    return out


def _as_kernel_labels(labels: ArrayLike) -> NDArray:
    """Labels as writeable, C-contiguous int32 or int64, whichever holds all their values."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise DataError(
            f"labels: expected a two-dimensional array of integers, got {labels.dtype} of shape {labels.shape}; "
            "convert with labels.astype(int) if the values are whole numbers"
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DataError("labels: expected values below 2**63, got larger ones; relabel the image")
    dtype = np.int32 if np.can_cast(labels.dtype, np.int32) else np.int64
    # numba compiles anew for read-only arrays and other layouts
    return np.require(labels, dtype, ["C", "W"])


def _ray_paths(n_rays: int, n_steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Offsets (y, x) after 1..n_steps steps along each ray, and the distance if the object ends at that step.

    They are the same for all pixels; float32 throughout, since the last bit is part of the definition.
    """
    # float32 angles, then correctly rounded sines: numpy's own float32 sine may be off by a bit
    angles = (np.arange(n_rays, dtype=np.float32) * np.float32(2 * np.pi / n_rays)).astype(np.float64)
    step_y, step_x = (direction.astype(np.float32)[:, None] for direction in (np.sin(angles), np.cos(angles)))
    path_y, path_x = (
        np.cumsum(np.repeat(step, n_steps, axis=1), axis=1, dtype=np.float32) for step in (step_y, step_x)
    )
    back = np.float32(1) - np.float32(0.5) / np.maximum(np.abs(step_y), np.abs(step_x))
    end_y, end_x = path_y - back * step_y, path_x - back * step_x
    return path_y, path_x, np.sqrt(end_y * end_y + end_x * end_x)
