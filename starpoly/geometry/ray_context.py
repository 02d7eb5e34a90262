"""Context along the rays: what the pixels on a ray say about where it ends.

A pixel part of the way along a ray predicts the same piece of boundary from nearer by, so more exactly.
The distance along a ray therefore becomes the mean of the centre's own prediction and of those made
further along the ray, each plus the distance to where it was made. No weights are learned. Sampling
along rays is the idea of CPP-Net (Chen et al., "CPP-Net: context-aware polygon proposal network for
nucleus segmentation", IEEE TIP 2023), which learns the weights of the samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..parallel import in_parts, n_threads
from .rays import ray_directions

REACH = 48.0
"""Largest distance of a sample from the centre, in pixels: it widens the halo of the tiles."""
_THREADS_FROM = 2000
"""Grid points from which several threads are faster."""


def ray_context(
    field: NDArray[np.float32],
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    grid: tuple[int, int],
    fractions: Sequence[float],
    *,
    shape: tuple[int, int] | None = None,
    reach: float = REACH,
) -> NDArray[np.float32]:
    """Ray distances at grid points, averaged with those predicted further along each ray.

    For ray ``k`` of a grid point ``p`` with distance ``d`` and direction ``u``::

        mean over t in (0, *fractions) of  s_t + D_k(p + s_t u),   s_t = min(t d, reach)

    where ``D_k`` is the field of ray ``k``, interpolated linearly and continued at the image's ends.

    Parameters
    ----------
    field : (h, w, n_rays) float32
        Ray distances on the grid, in pixels.
    rows, columns : (n,) integer
        Grid points, as indices of ``field``.
    grid : (int, int)
        Pixels per step of the grid, (y, x).
    fractions : sequence of float
        Where samples are taken along the ray, 0 < t < 1.
    shape : (int, int), optional
        The part of ``field`` from its first row and column that lies in the image; by default all.
    reach : float
        Largest distance of a sample from the grid point, in pixels.

    Returns
    -------
    (n, n_rays) float32
        In pixels.

    Raises
    ------
    StarpolyError
        If a fraction is not between 0 and 1.
    """
    if not all(0 < t < 1 for t in fractions):
        raise StarpolyError(f"ray context: expected fractions between 0 and 1, got {tuple(fractions)}")
    from ._kernels_ray_context import average_along_rays

    n_rows, n_columns = field.shape[:2] if shape is None else shape
    field = np.ascontiguousarray(field)
    rows, columns = (np.ascontiguousarray(index, np.int64) for index in (rows, columns))
    steps, directions = np.asarray(fractions, np.float64), ray_directions(field.shape[2])
    out = np.empty((len(rows), field.shape[2]), np.float32)

    def average(start: int, stop: int) -> None:
        part = slice(start, stop)
        average_along_rays(
            field, rows[part], columns[part], n_rows, n_columns, *grid, steps, reach, *directions, out[part]
        )

    in_parts(average, len(rows), n_threads() if len(rows) > _THREADS_FROM else 1)
    return out
