"""Outline refinement: rays end where the predicted foreground ends.

Ray distances tell objects apart and say roughly where they end. The foreground, predicted for every pixel, places a boundary more
exactly than a distance predicted from many pixels away. So each ray ends at the nearest point, on the ray and around its predicted
end, where it leaves the foreground. Between touching objects the foreground goes on and the ray keeps its end. The polygon stays
star-convex. Telling objects by shape is StarDist's idea (Schmidt et al. 2018), delineating them by pixels Cellpose's (Stringer et
al., Nature Methods 2021).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..parallel import in_parts, n_threads
from .rays import ray_directions

SEARCH = (3.0, 0.3)
"""How far from the predicted end the end of the foreground is searched: pixels, plus a part of the mean distance."""
REACH = 64.0
"""Largest distance from the centre that is searched, in pixels: it widens the halo of the tiles."""
_THREADS_FROM = 2000
"""Polygons from which several threads are faster."""


def refine_outlines(
    distances: NDArray[np.float32],
    rows: NDArray[np.integer],
    columns: NDArray[np.integer],
    foreground: NDArray[np.float32],
    *,
    shape: tuple[int, int] | None = None,
    search: tuple[float, float] = SEARCH,
    reach: float = REACH,
) -> NDArray[np.float32]:
    """Ray distances that end where the foreground ends.

    Along each ray the foreground is interpolated linearly at steps of half a pixel. The new distance is the one, nearest to the
    predicted distance and at most ``search[0] + search[1] * mean distance`` from it, at which the foreground falls below one half
    outwards, by linear interpolation within the step. Without any, the distance stays.

    Parameters
    ----------
    distances : (n, n_rays) float32
        In pixels.
    rows, columns : (n,) integer
        Centres of the polygons, as indices of ``foreground``.
    foreground : (Y, X) float32
        Probability that a pixel lies in an object; beyond the image its border pixels are repeated.
    shape : (int, int), optional
        The part of ``foreground`` from its first row and column that lies in the image; by default all.
    search : (float, float)
        Pixels, and part of the mean distance.
    reach : float
        Rays whose search would go further from the centre than this stay as they are.

    Returns
    -------
    (n, n_rays) float32
        In pixels.
    """
    from ._kernels_outline_refinement import end_at_foreground

    n_rows, n_columns = foreground.shape if shape is None else shape
    foreground = np.ascontiguousarray(foreground, np.float32)
    distances = np.ascontiguousarray(distances, np.float32)
    rows, columns = (np.ascontiguousarray(index, np.int64) for index in (rows, columns))
    directions = ray_directions(distances.shape[1])
    out = np.empty(distances.shape, np.float32)

    def end(start: int, stop: int) -> None:
        part = slice(start, stop)
        end_at_foreground(
            distances[part],
            rows[part],
            columns[part],
            foreground,
            n_rows,
            n_columns,
            *search,
            reach,
            *directions,
            out[part],
        )

    in_parts(end, len(rows), n_threads() if len(rows) > _THREADS_FROM else 1)
    return out
