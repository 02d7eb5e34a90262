"""Areas of star-convex polygons and of the intersections of pairs, in floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import StarpolyError
from ..polygons import StarPolygons
from .rays import ray_directions


def polygon_areas(polygons: StarPolygons) -> NDArray[np.float64]:
    """Area of each polygon, ``sum_k d_k d_(k+1) sin(2 pi / n_rays) / 2``.

    Parameters
    ----------
    polygons : StarPolygons
        ``n`` polygons.

    Returns
    -------
    (n,) float64
        Areas in square pixels.
    """
    from ._kernels_overlap import fill_areas

    ray_directions(polygons.n_rays)
    out = np.empty(len(polygons))
    fill_areas(polygons.distances, np.sin(2 * np.pi / polygons.n_rays), out)
    return out


def intersection_areas(a: StarPolygons, b: StarPolygons) -> NDArray[np.float64]:
    """Area of the intersection of each polygon of ``a`` with its partner in ``b``.

    Parameters
    ----------
    a, b : StarPolygons
        Sets of equal length, paired by position, or one of them a single polygon that is paired with all of the
        other set. Distances are finite and not negative.

    Returns
    -------
    (n,) float64
        Areas in square pixels. ``intersection_areas(b, a)`` has the same bits.

    Raises
    ------
    StarpolyError
        If the lengths do not fit, or the numbers of rays differ.
    """
    from ._kernels_overlap import fill_intersections

    if a.n_rays != b.n_rays:
        raise StarpolyError(f"intersection: expected equal numbers of rays, got {a.n_rays} and {b.n_rays}")
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise StarpolyError(
            f"intersection: expected sets of equal length or a single polygon, got {len(a)} and {len(b)}"
        )
    out = np.empty(len(b) if len(a) == 1 else len(a))
    fill_intersections(a.points, a.distances, b.points, b.distances, *ray_directions(a.n_rays), out)
    return out


def overlap(a: StarPolygons, b: StarPolygons) -> NDArray[np.float64]:
    """Intersection area over the smaller one's area: 1 if one polygon holds the other, 0 if they are apart.

    Parameters
    ----------
    a, b : StarPolygons
        As for :func:`intersection_areas`.

    Returns
    -------
    (n,) float64
        Overlaps; 0 where a polygon has no area.
    """
    shared = intersection_areas(a, b)
    smaller = np.minimum(polygon_areas(a), polygon_areas(b))
    return np.divide(shared, smaller, out=np.zeros_like(shared), where=smaller > 0)
