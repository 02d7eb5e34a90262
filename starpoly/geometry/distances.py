"""Distances from each pixel of an object to the object's boundary along rays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, StarpolyError
from .threads import in_parts, n_threads

# pixels of background around the image, so that no ray has to be held against the image's border
_MARGIN = 2


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
        Share the rows among threads. The values are the same.

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

    labels = _check_labels(labels)
    grid_y, grid_x = (int(step) for step in grid)
    if n_rays < 3 or min(grid_y, grid_x) < 1:
        raise StarpolyError(f"ray distances: expected n_rays >= 3 and a grid >= 1, got {n_rays} and {grid}")
    height, width = labels.shape
    out = np.empty((-(-height // grid_y), -(-width // grid_x), n_rays), np.float32)
    if out.size == 0:
        return out
    # in the widest integers that are needed, so that few variants are compiled
    dtype = np.int32 if np.can_cast(labels.dtype, np.int32) else np.int64
    framed = np.zeros((height + 2 * _MARGIN, width + 2 * _MARGIN), dtype)
    framed[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = labels
    clear = np.empty(framed.shape, np.int32)
    kernels.clearance(framed, clear)
    # no ray stays inside longer than the diagonal; the margin is for the drift of float32 sums
    path_y, path_x, lengths = _ray_paths(n_rays, int(1.01 * np.hypot(height, width)) + 4)
    planes, offsets = _side_by_side(framed, grid_x, path_y, path_x, kernels.LANES)
    n_clean = _steps_before(_near_half(path_y, height) | _near_half(path_x, width))

    def fill(start: int, stop: int) -> None:
        kernels.ray_distances(
            planes, framed, clear, _MARGIN, grid_y, grid_x, path_y, path_x, offsets, n_clean, lengths, start, stop, out
        )

    in_parts(fill, len(out), n_threads() if parallel else 1)
    return out


def _side_by_side(
    framed: NDArray, step: int, path_y: NDArray[np.float32], path_x: NDArray[np.float32], spare: int
) -> tuple[NDArray, NDArray[np.int64]]:
    """The pixels of an image, flat, every ``step``-th column together, and where the steps along each ray lead there.

    ``spare`` zeros stand before and after. The offsets start from the pixel of a row that has its column's number on
    the grid.
    """
    height, width = framed.shape
    columns = -(-width // step)
    planes = np.zeros(step * height * columns + 2 * spare, framed.dtype)
    parts = planes[spare : len(planes) - spare].reshape(step, height, columns)
    for first in range(step):
        part = framed[:, first::step]
        parts[first, :, : part.shape[1]] = part
    dy, dx = (np.rint(path).astype(np.int64) for path in (path_y, path_x))
    column, phase = np.divmod(dx + _MARGIN, step)
    return planes, phase * (height * columns) + dy * columns + column


def _check_labels(labels: ArrayLike) -> NDArray:
    """Labels as an array, if they are a label image whose values fit into int64."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.dtype.kind not in "bui":
        raise DataError(
            f"labels: expected a two-dimensional array of integers, got {labels.dtype} of shape {labels.shape}; "
            "convert with labels.astype(int) if the values are whole numbers"
        )
    if labels.dtype == np.uint64 and labels.size and labels.max() > np.iinfo(np.int64).max:
        raise DataError("labels: expected values below 2**63, got larger ones; relabel the image")
    return labels


def _near_half(path: NDArray[np.float32], length: int) -> NDArray[np.bool_]:
    """Where adding an integer below ``length``, in float32, may change the pixel that is nearest to a path."""
    return np.abs(path - np.floor(path) - 0.5) <= np.spacing(np.float32(2 * length))


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


def _steps_before(marked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of steps of each ray before the first marked one; ``marked`` is (n_rays, n_steps)."""
    return np.where(marked.any(axis=1), marked.argmax(axis=1), marked.shape[1])
