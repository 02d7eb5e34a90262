"""Outlines: the ends of the rays moved to where the foreground ends.

Ray distances say which object a pixel belongs to and roughly where it ends; a map of the foreground says for every pixel whether
it lies in some object, and so places a boundary more exactly than a number told from many pixels away. Each ray
takes as its end the nearest point, on the ray and around the predicted end, at which the foreground is left. Where two
objects touch, the foreground goes on and the ray keeps its own end. The star-convex polygon stays one, so everything that
works with polygons works as before. Dividing the work so, objects by shape and boundaries by pixels, is that of
Schmidt et al. (2018) turned around by Stringer et al. (Cellpose, Nature Methods 2021), where pixels are gathered to objects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..parallel import in_parts, n_threads
from .rays import ray_directions

#: How far from the predicted end the foreground's is looked for: pixels, and a part of the mean distance on top.
SEARCH = (3.0, 0.3)
#: Nothing is looked at further from the centre than this, in pixels: it widens the halo of the tiles.
REACH = 64.0
_THREADS_FROM = 2000  # polygons


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

    On ray ``k`` of a polygon the foreground ``f`` is interpolated linearly at steps of half a pixel. The distance becomes
    the ``r`` nearest to the predicted one, at most ``search[0] + search[1] * mean distance`` away, at which ``f`` falls
    below one half when going outwards, found by linear interpolation within the step; without one it stays.

    Parameters
    ----------
    distances : (n, n_rays) float32
        In pixels.
    rows, columns : (n,) integer
        Centres of the polygons, as indices of ``foreground``.
    foreground : (Y, X) float32
        How likely each pixel lies in an object, continued beyond the image's ends.
    shape : (int, int), optional
        The part of ``foreground`` from its first row and column that lies in the image; by default all.
    search : (float, float)
        Pixels, and part of the mean distance.
    reach : float
        Rays that would be looked at further from the centre than this stay as they are.

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
